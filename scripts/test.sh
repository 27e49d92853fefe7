#!/usr/bin/env bash
# All checks and all tests. Extra arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
scripts/system-tools.sh || exit 1
scripts/check.sh
checks=$?
parts=()
# The control plane is built once, which takes minutes: before the tests, so that one sees how far it is.
if ! .venv/bin/python -m tests.controlplane.build >/dev/null; then
    [ "${CI:-}" != true ] || exit 1
    parts+=(--ignore=tests/controlplane)
fi
if ! .venv/bin/python -m tests.schedules.build >/dev/null; then
    [ "${CI:-}" != true ] || exit 1
    parts+=(--ignore=tests/schedules)
fi
# The image's steps take a minute: here only when what they are made of has changed since they were proven.
image=tests/deploy/test_image.py
made_of=(Dockerfile .dockerignore requirements.txt pyproject.toml LICENSE scripts/image "$image" bot/__init__.py bot/__main__.py)
state=$(find "${made_of[@]}" -type f -not -name '*.pyc' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-16)
proven=${XDG_CACHE_HOME:-$HOME/.cache}/agentpod/image-$state.proven
if [ -e "$proven" ] && [ "${CI:-}" != true ]; then
    echo "The image is proven as it is; make image proves it again"
    parts+=(--ignore="$image")
fi
# Python's own settings from outside must not decide what is tested, nor have each worker compile it all anew.
outside=(-u PYTHONPATH -u PYTHONDONTWRITEBYTECODE -u AGENTPOD_CONFIG)
# Four workers: a bot that waits leaves its core to the others. In our order: the long tests first (tests/conftest.py).
run=(-n "${WORKERS:-4}" --dist loadgroup --no-loadscope-reorder -q)
env "${outside[@]}" .venv/bin/pytest "${run[@]}" "${parts[@]}" "$@"
tests=$?
[ $tests != 0 ] || [ $# -gt 0 ] || { mkdir -p "$(dirname "$proven")" && touch "$proven"; }
exit $((checks | tests))
