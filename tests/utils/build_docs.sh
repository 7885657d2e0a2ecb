#!/bin/sh
# Writes the documentation as HTML to docs/build/html.
set -eu
cd "$(dirname "$0")/../.."
bin=$(pwd)/.venv/bin
rm -rf docs/build
mkdir -p docs/build
chmod 0755 docs/build
"$bin/python" "$bin/antsibull-docs" sphinx-init --use-current --squash-hierarchy --lenient --sphinx-theme alabaster --dest-dir docs/build dcops.apc
cd docs/build
PATH="$bin:$PATH" ./build.sh
echo "docs/build/build/html/index.html"
