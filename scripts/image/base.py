"""The build's inputs: a stand-in for the base image `python:3.11-slim`, and the lock's packages.

The stand-in holds this machine's Python: a clean folder with nothing else of the machine in it
but the shell, a few programs of Debian's essential packages, and the libraries that these are linked to. So a step
that needs more than the real image has fails here. What only the real image has (apt, dpkg, perl-base,
certificates …) is not tested here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pip

from scripts.image.container import CannotRun

TOOLS = ("sh", "cat", "chmod", "chown", "env", "find", "ls", "mkdir", "mv", "rm", "setpriv", "touch")
"""From dash, coreutils, findutils and util-linux, which are in the real image too."""
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""The official image's variables that can affect a step."""
VERSION = "python3.11"
LIBRARIES = (
    *("libgcc_s.so.1", "libstdc++.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"),
    *("libresolv.so.2", "libm.so.6"),
)
"""Libraries that compiled packages link to and the image has: apt needs the first two, the rest are libc6's."""
_FOLDERS = "usr/bin usr/sbin usr/lib usr/lib64 usr/local/bin usr/local/include etc dev/shm proc root tmp"
_LEFT_OUT = ("test", "tests", "idle_test", "__pycache__", "libpython*.a", "site-packages", "dist-packages")


def make(root: Path) -> None:
    """Fill an empty folder with the stand-in. Raises CannotRun if this machine lacks a part."""
    for name in _FOLDERS.split():
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("tmp", "dev/shm"):
        (root / name).chmod(0o1777)
    for name in ("null", "urandom"):
        (root / "dev" / name).touch()
    _python(root / "usr/local")
    for name in TOOLS:
        if (found := shutil.which(name, path="/usr/bin:/bin")) is None:
            raise CannotRun(f"the program {name} is missing on this machine")
        shutil.copy2(found, root / "usr/bin" / name)
    programs = [*(root / "usr/bin").iterdir(), root / f"usr/local/bin/{VERSION}"]
    _libraries(root, [*programs, *root.glob(f"usr/local/lib/{VERSION}/lib-dynload/*.so")])


def _python(local: Path) -> None:
    """Lay out Python as in the official image, with enough of what the steps must remove to see that they do."""
    if sys.version_info[:2] != (3, 11):
        raise CannotRun(f"the image's Python is 3.11, and this is {sys.version.split()[0]}")
    here = {"base": sys.base_prefix, "installed_base": sys.base_prefix}
    library = local / "lib" / VERSION
    shutil.copytree(sysconfig.get_path("stdlib", vars=here), library, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    shutil.copy2(Path(sys.executable).resolve(), local / "bin" / VERSION)
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(VERSION)
    site = library / "site-packages"
    shutil.copytree(Path(pip.__file__).parent, site / "pip", ignore=shutil.ignore_patterns("__pycache__"))
    if "dist-packages" in (library / "site.py").read_text(encoding="utf-8"):
        (library / "dist-packages").symlink_to(site.name)  # where Debian's own Python looks for packages
    for name in ("include/x.h", "bin/pip", f"bin/{VERSION}-config", f"lib/{VERSION}/site-packages/setuptools.py"):
        (local / name).touch(0o755)


def _libraries(root: Path, binaries: Iterable[Path]) -> None:
    """Copy the binaries' libraries to where the loader looks, whatever folder this machine keeps them in."""
    listed = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False).stdout
    wanted = {name or path: Path(path) for name, path in re.findall(r"\n\s*(?:(\S+) => )?(/\S+) \(", listed)}
    if "libc.so.6" not in wanted:
        raise CannotRun("ldd does not say what Python is linked to (it needs glibc's ldd)")
    folder = root / "usr/lib" / wanted["libc.so.6"].resolve().parent.name
    folder.mkdir(exist_ok=True)
    wanted |= {name: wanted["libc.so.6"].parent / name for name in LIBRARIES}
    for name, path in wanted.items():
        shutil.copy2(path, root / name.lstrip("/") if name.startswith("/") else folder / name)


def wheels(lock: Path) -> Path:
    """The folder with all wheels of a lock, downloaded once with this machine's pip and kept outside the tree.

    So the steps need no network: pip in there takes them from this folder, and checks each hash of the lock as it
    would anyway. Raises CannotRun when one can't be had.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "agentpod"
    known = hashlib.sha256(sysconfig.get_platform().encode() + lock.read_bytes()).hexdigest()
    target = cache / f"wheels-{known[:16]}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            pip_download = [sys.executable, "-m", "pip", "download", "--require-hashes", "--only-binary", ":all:"]
            words = [*pip_download, "--quiet", "--dest", f"{folder}/draft", "-r", str(lock)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise CannotRun(f"pip can't download the lock's packages: {done.stderr.strip()[-200:]}")
            if not target.is_dir():  # else another process has put it there first
                Path(folder, "draft").rename(target)
    return target
