#!/usr/bin/env bash
# All checks and all tests; with QUICK=1 without the long rings. Extra arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
scripts/system-tools.sh || exit 1
scripts/check.sh
checks=$?
parts=()
quick=${QUICK:-}
if [ "$quick" = 1 ]; then
    # What takes long: the control plane, the browser, kills between any two steps, what is built and deployed.
    rings=(tests/controlplane tests/sandbox_page tests/deploy tests/verdicts tests/schedules tests/adapters/test_sops.py)
    rings+=(tests/scenarios/*_survive_kills.py tests/scenarios/test_no_secret_leaves.py)
    parts+=("${rings[@]/#/--ignore=}")
fi
# Building the control plane takes minutes the first time; before the tests, its progress is visible.
if [ "$quick" != 1 ] && ! .venv/bin/python -m tests.controlplane.build >/dev/null; then
    [ "${CI:-}" != true ] || exit 1
    parts+=(--ignore=tests/controlplane)
fi
if [ "$quick" != 1 ] && ! .venv/bin/python -m tests.schedules.build >/dev/null; then
    [ "${CI:-}" != true ] || exit 1
    parts+=(--ignore=tests/schedules)
fi
if [ "$quick" != 1 ] && ! .venv/bin/python -m tests.sops.build >/dev/null; then
    [ "${CI:-}" != true ] || exit 1
    parts+=(--ignore=tests/adapters/test_sops.py)
fi
# Testing the image takes a minute, so only when its inputs have changed since it last passed.
image=tests/deploy/test_image.py
made_of=(Dockerfile .dockerignore requirements.txt pyproject.toml LICENSE scripts/image "$image" bot/__init__.py bot/__main__.py)
state=$(find "${made_of[@]}" -type f -not -name '*.pyc' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-16)
proven=${XDG_CACHE_HOME:-$HOME/.cache}/agentpod/image-$state.proven
if [ -e "$proven" ] && [ "${CI:-}" != true ]; then
    echo "The image is proven as it is; make image proves it again"
    parts+=(--ignore="$image")
fi
# Python's environment variables must not affect what is tested, or make each worker recompile everything.
outside=(-u PYTHONPATH -u PYTHONDONTWRITEBYTECODE -u AGENTPOD_CONFIG)
# Four workers, since waiting bots leave their cores idle. Long tests start first (tests/conftest.py).
run=(-n "${WORKERS:-4}" --dist loadgroup --no-loadscope-reorder -q)
env "${outside[@]}" .venv/bin/pytest "${run[@]}" "${parts[@]}" "$@"
tests=$?
[ $tests != 0 ] || [ $# -gt 0 ] || [ "$quick" = 1 ] || { mkdir -p "$(dirname "$proven")" && touch "$proven"; }
exit $((checks | tests))
