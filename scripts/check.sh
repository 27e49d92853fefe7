#!/usr/bin/env bash
# Lint, format, types, import rules: fast, no servers.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
step() {
    local name=$1
    shift
    if out=$("$@" 2>&1); then echo "ok    $name"; else
        echo "FAIL  $name"
        printf '%s\n' "$out"
        failed=1
    fi
}
step "ruff check" .venv/bin/ruff check --quiet .
step "ruff format" .venv/bin/ruff format --check --quiet .
step "mypy --strict" .venv/bin/mypy
step "import rules" .venv/bin/lint-imports --no-cache
exit $failed
