"""What is in the image, by size: the layers, and the largest packages with their compiled files apart."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.image.base import VERSION
from scripts.image.build import Built

AGENTPOD = "opt/agentpod"
SITE = f"{AGENTPOD}/lib/{VERSION}/site-packages"
APP = f"{AGENTPOD}/app"
LIBRARY = f"usr/local/lib/{VERSION}"
MEBI = 1024 * 1024


@dataclass(frozen=True)
class Size:
    """Bytes of files: those that came so, and those that were compiled from them."""

    name: str
    plain: int
    compiled: int

    @property
    def total(self) -> int:
        """Both."""
        return self.plain + self.compiled

    def __str__(self) -> str:
        """One line of the table."""
        return f"{self.total / MEBI:8.1f} MiB  {self.name} (compiled: {self.compiled / MEBI:.1f})"


def files(root: Path, *below: str) -> Iterator[Path]:
    """All files, links included, below the folders (all of the image, unless given)."""
    for start in below or (".",):
        yield from (path for path in (root / start).rglob("*") if path.is_symlink() or path.is_file())


def size(root: Path, folder: str) -> Size:
    """The size of one folder."""
    totals: defaultdict[bool, int] = defaultdict(int)
    for path in files(root, folder):
        totals[path.suffix == ".pyc"] += path.lstat().st_size
    return Size(f"/{folder}", totals[False], totals[True])


def packages(root: Path) -> list[Size]:
    """Every top folder of site-packages, largest first. Single modules are below "modules"."""
    tops = [path for path in (root / SITE).iterdir() if path.is_dir() and not path.name.endswith(".dist-info")]
    sizes = [size(root, path.relative_to(root).as_posix()) for path in tops]
    return sorted((Size(Path(s.name).name, s.plain, s.compiled) for s in sizes), key=lambda s: -s.total)


def installed(root: Path) -> dict[str, str]:
    """Name and version of each package, by what pip left behind; the names as the lock spells them."""
    known: dict[str, str] = {}
    for folder in (root / SITE).glob("*.dist-info"):
        text = (folder / "METADATA").read_text(encoding="utf-8")
        name, version = (re.search(rf"^{key}: (\S+)", text, re.MULTILINE) for key in ("Name", "Version"))
        if name and version:
            known[re.sub(r"[-_.]+", "-", name[1]).lower()] = version[1]
    return known


def locked(lock: str) -> dict[str, str]:
    """Name and version of each line of the lock that holds on this platform (none has a marker for another)."""
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", lock, re.MULTILINE))


def table(built: Built, largest: int = 12) -> list[str]:
    """The report: what each step of the last stage added, where it is, and the largest packages."""
    lines = ["Layers on top of the base image:"]
    lines += [f"{layer.bytes / MEBI:8.1f} MiB  {layer.step}" for layer in built.layers if layer.bytes]
    lines += [f"{sum(layer.bytes for layer in built.layers) / MEBI:8.1f} MiB  together", "", "Folders:"]
    lines += [str(size(built.root, folder)) for folder in (APP, SITE, LIBRARY)]
    every = packages(built.root)
    lines += ["", f"The largest of {len(every)} packages:", *map(str, every[:largest])]
    rest = every[largest:]
    lines.append(str(Size("the others", sum(s.plain for s in rest), sum(s.compiled for s in rest))))
    return lines
