"""The two crons that schedules are compared with: existing ones, or built once from the sources beside this file.

`python -m tests.schedules.build` builds them if needed and prints their folder. It is outside the tree, and its
name is a hash of the sources.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.build import CannotBuild, cache, go_compiler, go_environment, only_one

HERE = Path(__file__).parent
GO, C = HERE / "supercronic", HERE / "debian" / "clock.c"
CRON = Path("/usr/sbin/cron")


@dataclass(frozen=True)
class Crons:
    """The paths of both crons."""

    supercronic: Path
    """Our program around supercronic's packages: see its `main.go`."""
    clock: Path
    """The library that is preloaded into Debian's cron: see `clock.c`."""
    debian: Path = CRON


def ensure() -> Crons:
    """Build both crons if needed. Raises CannotBuild."""
    if not CRON.exists():
        raise CannotBuild("Debian's cron is missing; as root: apt install cron")
    folder = cache() / f"schedules-{_digest()}"
    crons = Crons(folder / "supercronic", folder / "clock.so")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with only_one(folder.with_suffix(".lock")):
        if not folder.exists():
            _build(folder)
    return crons


def _digest() -> str:
    digest = hashlib.sha256()
    for path in (GO / "main.go", GO / "go.mod", GO / "go.sum", C):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path) -> None:
    sys.stderr.write("Building what schedules are held against (once; about half a minute)\n")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as made:
        out, work = Path(made, "out"), Path(made, "work")
        environment = {"GOMODCACHE": f"{work}/sources", "GOCACHE": f"{work}/compiled"} | go_environment()
        environment["GOFLAGS"] += " -modcacherw"
        _run([go_compiler(GO), "build", "-trimpath", "-o", f"{out}/supercronic", "."], GO, environment)
        compiler = shutil.which("cc")
        if compiler is None:
            raise CannotBuild("there is no C compiler; as root: apt install gcc libc6-dev")
        shared = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
        _run([compiler, *shared, "-o", f"{out}/clock.so", str(C), "-ldl"], HERE, dict(os.environ))
        out.chmod(0o755)
        out.rename(folder)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBuild(f"`{Path(command[0]).name}` failed in {folder.name}: {done.stderr.strip()[-600:]}")


def main() -> int:
    """Build both if needed and print their folder. On failure, 1 with one line on stderr."""
    try:
        crons = ensure()
    except CannotBuild as error:
        sys.stderr.write(f"not covered: schedules as the real crons run them ({error})\n")
        return 1
    sys.stdout.write(f"{crons.clock.parent}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
