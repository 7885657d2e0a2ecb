#!/bin/sh
# Builds .venv with everything that demo, tests and docs need, and links the checkout into it as dcops.apc.
# Called by make only when the stamp is missing, older than the requirements, or from another folder.
set -eu
cd "$(dirname "$0")/../.."
here=$(pwd -P)
stamp=.venv/.setup-done
log=.venv/.setup.log

if [ -e "$stamp" ] && [ "$(cat "$stamp")" != "$here" ]; then
    echo "setup: this checkout was moved; building .venv anew"
    rm -rf .venv
fi
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(sh tests/utils/find_python.sh)
    echo "setup: building .venv with $("$python" --version) ($python)"
    "$python" -m venv --clear .venv
fi

echo "setup: installing what requirements.txt and tests/requirements.txt list (a minute or two, only this once)"
if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input \
    -r requirements.txt -r tests/requirements.txt -e tests/simulator >"$log" 2>&1; then
    cat "$log" >&2
    echo "setup: pip could not install the requirements; its messages stand above" >&2
    exit 1
fi

# ansible-playbook, ansible-doc, pytest, ansible-lint and molecule find the collection here with no environment variable.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
mkdir -p "$site/ansible_collections/dcops"
ln -sfn "$here" "$site/ansible_collections/dcops/apc"

printf '%s\n' "$here" >"$stamp"
echo "setup: done"
