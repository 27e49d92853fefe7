"""The packages of the lock, downloaded once with this machine's own pip and kept outside the tree.

So the steps need no network in their folder: pip in there is told to look here and nowhere else, and checks every
hash of the lock as it would anyway.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from scripts.image.inside import CannotRun


def wheels(lock: Path) -> Path:
    """The folder with all wheels of a lock. Raises CannotRun when pip can't get one."""
    target = _folder(lock)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    try:
        _download(lock, draft)
        draft.chmod(0o755)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():  # else somebody else was faster
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _folder(lock: Path) -> Path:
    """``$XDG_CACHE_HOME/agentpod/wheels-HASH``; the hash is of the lock, Python's version and the platform."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    known = f"{sys.version_info[:2]} {sysconfig.get_platform()}\n".encode() + lock.read_bytes()
    return base / "agentpod" / f"wheels-{hashlib.sha256(known).hexdigest()[:16]}"


def _download(lock: Path, folder: Path) -> None:
    words = ["-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
    done = subprocess.run(
        [sys.executable, *words, "--dest", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise CannotRun(f"pip can't download the lock's packages: {said[-1]}")
