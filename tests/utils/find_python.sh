#!/bin/sh
# Prints the Python to build .venv with: $1 or $PYTHON when given, else the first that really runs.
# A name on PATH proves nothing (pyenv's shims answer "command not found"), and Debian's python3 may lack venv: each one is tried.
set -u

usable() {
    "$1" -c '
import sys
if not (3, 11) <= sys.version_info[:2] < (3, 15):
    sys.exit(1)
import ensurepip, venv
print(sys.executable)' 2>/dev/null
}

wanted=${1:-${PYTHON:-}}
if [ -n "$wanted" ]; then
    usable "$wanted" && exit 0
    echo "PYTHON=$wanted is not a Python 3.11 to 3.14 with venv." >&2
    exit 1
fi

for name in python3 python3.11 python3.12 python3.13 python3.14 /usr/bin/python3 /usr/local/bin/python3 \
    "${HOME:-/nonexistent}"/.pyenv/versions/3.1[1-4]*/bin/python3; do
    usable "$name" && exit 0
done

echo "No Python 3.11 or newer with venv was found (on Debian: apt-get install python3 python3-venv). Name one: make PYTHON=/path/to/python3 ..." >&2
exit 1
