"""A stand-in for `python:3.11-slim`: this machine's Python in that image's place, and what a `RUN` needs.

It is a clean folder with nothing else of the machine in it: /usr/local with Python as the official image has it
(pip, ensurepip, headers; no tests, no compiled files), the shell, a few programs of Debian's essential packages,
and the libraries that these are linked to. So a step that needs more than the real image would have fails here.
What the real image has and this one doesn't (apt, dpkg, perl-base, certificates …) is not proven here.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from scripts.image.inside import CannotRun

TOOLS = (
    *("sh", "cat", "chmod", "cp", "env", "find", "id", "ls", "mkdir", "mv", "rm", "setpriv", "touch", "true"),
    *("mount", "chroot"),
)
"""From dash, coreutils, findutils, util-linux and mount, which are in the real image too."""
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
"""What the official image sets, as far as a step can notice."""
VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
LIBRARIES = (
    *("libgcc_s.so.1", "libstdc++.so.6"),
    *("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2", "libm.so.6"),
)
"""What compiled packages are linked to and that image has: its apt needs the first two, the others are libc6's."""
_INSTALLERS = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack")
_TESTS = shutil.ignore_patterns(
    *("test", "tests", "idle_test", "__pycache__", "*.pyc", "libpython*.a", "site-packages", "dist-packages")
)


def make(root: Path) -> None:
    """Fill an empty folder. Raises CannotRun when this machine lacks a part."""
    _folders(root)
    _python(root)
    tools = [_tool(root, name) for name in TOOLS]
    libraries(
        root, [Path(sys.executable).resolve(), *tools, *root.glob(f"usr/local/lib/{VERSION}/lib-dynload/*.so")]
    )
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")


def _folders(root: Path) -> None:
    for name in (
        "usr/bin",
        "usr/sbin",
        "usr/lib",
        "usr/lib64",
        "usr/local/bin",
        "etc",
        "dev",
        "proc",
        "root",
        "tmp",
    ):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "dev/shm").mkdir(mode=0o1777)
    for name in ("null", "urandom"):
        (root / "dev" / name).touch()


def _python(root: Path) -> None:
    if sys.version_info[:2] != (3, 11):
        raise CannotRun(f"the image's Python is 3.11, and this is {VERSION}")
    local = root / "usr/local"
    here = {"base": sys.base_prefix, "installed_base": sys.base_prefix}
    library = Path(sysconfig.get_path("stdlib", vars=here))
    shutil.copytree(library, local / "lib" / VERSION, symlinks=False, ignore=_TESTS)
    shutil.copy2(Path(sys.executable).resolve(), local / "bin" / VERSION)
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(VERSION)
    headers = Path(sysconfig.get_path("include", vars=here))
    (local / "include").mkdir()
    if headers.is_dir():
        shutil.copytree(headers, local / "include" / VERSION)
    _installers(local)


def _installers(local: Path) -> None:
    """pip and, where this machine has them, its companions: the steps use them, and have to take them away."""
    site = local / "lib" / VERSION / "site-packages"
    site.mkdir()
    if "dist-packages" in (site.parent / "site.py").read_text(encoding="utf-8"):
        (site.parent / "dist-packages").symlink_to(site.name)  # Debian's own Python looks there
    for name in _INSTALLERS:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            shutil.copytree(Path(spec.origin).parent, site / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif name == "pip":
            raise CannotRun("pip is missing in this Python's environment")
    for name in ("pip", "pip3", "2to3", "pydoc3", f"{VERSION}-config"):
        script = local / "bin" / name
        script.write_text("#!/usr/local/bin/python\nimport pip\n")
        script.chmod(0o755)


def _tool(root: Path, name: str) -> Path:
    found = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        raise CannotRun(f"the program {name} is missing on this machine")
    shutil.copy2(Path(found).resolve(), root / "usr" / Path(found).parent.name / name)
    return Path(found)


def libraries(root: Path, binaries: Iterable[Path]) -> None:
    """Put what the binaries are linked to where the loader looks, whatever folder this machine has it in."""
    wanted: dict[str, Path] = {}
    for binary in binaries:
        listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
        for name, path in re.findall(r"^\s*(?:(\S+) => )?(/\S+) \(", listed, re.MULTILINE):
            wanted[name or path] = Path(path)
    if "libc.so.6" not in wanted:
        raise CannotRun("ldd does not say what Python is linked to (it needs glibc's ldd)")
    folder = root / "usr/lib" / wanted["libc.so.6"].resolve().parent.name
    folder.mkdir(exist_ok=True)
    for name, path in wanted.items():
        target = root / name.lstrip("/") if name.startswith("/") else folder / name
        shutil.copy2(path, target)
    for name in LIBRARIES:
        shutil.copy2(wanted["libc.so.6"].parent / name, folder / name)
