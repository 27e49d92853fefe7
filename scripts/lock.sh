#!/usr/bin/env bash
# Pin every dependency with its hashes; no address of any index gets into the files.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "make lock needs uv on the PATH (pip install uv)" >&2; exit 1; }
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
    --no-header --no-annotate --upgrade)
uv pip compile "${options[@]}" pyproject.toml -o requirements.txt
uv pip compile "${options[@]}" -c requirements.txt pyproject.toml requirements-dev.in -o requirements-dev.txt
