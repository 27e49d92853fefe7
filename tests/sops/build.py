"""The real sops and age-keygen for the tests: built once from the Go modules pinned beside this file.

`python -m tests.sops.build` builds them if needed and prints their folder. It is outside the tree, and its name is
a hash of the modules.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.build import CannotBuild, cache, go_compiler, go_environment, only_one

HERE = Path(__file__).parent
PACKAGES = ("github.com/getsops/sops/v3/cmd/sops", "filippo.io/age/cmd/age-keygen")


@dataclass(frozen=True)
class Programs:
    """The paths of both programs."""

    sops: Path
    age_keygen: Path


def ensure() -> Programs:
    """Build both if needed. Raises CannotBuild."""
    folder = cache() / f"sops-{_digest()}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with only_one(folder.with_suffix(".lock")):
        if not folder.exists():
            _build(folder)
    return Programs(folder / "sops", folder / "age-keygen")


def _digest() -> str:
    digest = hashlib.sha256(repr(PACKAGES).encode())
    for name in ("go.mod", "go.sum"):
        digest.update(name.encode() + (HERE / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path) -> None:
    sys.stderr.write("Building sops for the tests from its sources (once; three minutes on two cores)\n")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as made:
        out, work = Path(made, "out"), Path(made, "work")
        own = {
            "GOMODCACHE": f"{work}/sources",
            "GOCACHE": f"{work}/compiled",
        }  # half a gigabyte, dropped afterwards
        environment = go_environment() | {name: path for name, path in own.items() if name not in os.environ}
        environment["GOFLAGS"] += " -modcacherw"
        out.mkdir()
        command = [go_compiler(HERE), "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{out}/", *PACKAGES]
        done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CannotBuild(f"`go build` of sops failed: {done.stderr.strip()[-600:]}")
        out.chmod(0o755)
        out.rename(folder)


def main() -> int:
    """Build both if needed and print their folder. On failure, 1 with one line on stderr."""
    try:
        programs = ensure()
    except CannotBuild as error:
        sys.stderr.write(f"not covered: config files that the real sops encrypted ({error})\n")
        return 1
    sys.stdout.write(f"{programs.sops.parent}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
