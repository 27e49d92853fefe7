#!/usr/bin/env bash
# All checks and all tests. Extra arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
scripts/system-tools.sh || exit 1
scripts/check.sh
checks=$?
# The control plane is built once, which takes minutes: before the tests, so that one sees how far it is.
parts=()
if ! .venv/bin/python -m tests.controlplane.build >/dev/null; then
    [ "${CI:-}" != true ] || exit 1
    parts=(--ignore=tests/controlplane)
fi
# Python's own settings from outside must not decide what is tested.
env -u PYTHONPATH -u AGENTPOD_CONFIG .venv/bin/pytest -n "${WORKERS:-2}" --dist loadgroup -q "${parts[@]}" "$@"
tests=$?
exit $((checks | tests))
