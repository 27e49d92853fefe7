#!/usr/bin/env bash
# All checks and all tests. Extra arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
scripts/system-tools.sh || exit 1
scripts/check.sh
checks=$?
# Python's own settings from outside must not decide what is tested.
env -u PYTHONPATH -u AGENTPOD_CONFIG .venv/bin/pytest -n "${WORKERS:-2}" --dist loadgroup -q "$@"
tests=$?
exit $((checks | tests))
