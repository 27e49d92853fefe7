#!/usr/bin/env bash
# Make a virtual environment with exactly the locked packages, and put the project into it.
# usage: scripts/venv.sh FOLDER LOCK
set -euo pipefail
venv=$1 lock=$2

python=
for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "agentpod needs Python 3.11 or newer, and none was found. Debian 12: apt install python3 python3-venv" >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian ships these two in a separate package.
    package=$("$python" -c 'import sys; print(f"python3.{sys.version_info[1]}-venv")')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package"
        apt-get update -qq && apt-get install -y -qq "$package" >/dev/null
    else
        echo "Python's venv module is missing. As root: apt install $package" >&2
        exit 1
    fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "Installing the packages of $lock into $venv (once; about a minute)"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock"
# The project itself: a path file works as an editable install, without a build step or its dependencies.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pwd >"$site/agentpod.pth"
cat >"$venv/bin/agentpod" <<SCRIPT
#!$(cd "$venv" && pwd)/bin/python
from bot.__main__ import entry
entry()
SCRIPT
chmod +x "$venv/bin/agentpod"
