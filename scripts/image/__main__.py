"""Test the Dockerfile without a container engine: run its steps, try the result, and print its sizes.

Exit code 0 if all passes, or if this machine can't run it (it prints why; under CI=true that exits with 1);
1 if a step or a proof fails.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.image.build import PROJECT, Builder, BuildFailed, Image, files
from scripts.image.container import CannotRun, way
from scripts.image.proofs import MEBI, PROOFS, SITE


def main() -> int:
    """Run everything in a temporary folder."""
    try:
        with tempfile.TemporaryDirectory(prefix="agentpod-image-") as folder:
            print(f"The Dockerfile's steps, one by one ({way()}):")
            image = Builder(Path(folder)).build((PROJECT / "Dockerfile").read_text(encoding="utf-8"))
            print("\nWhat came out:")
            found = {proof: list(proof(image)) for proof in PROOFS}
            for proof, problems in found.items():
                print(f"{'FAIL' if problems else 'ok':6}{proof.__doc__}", *problems[:10], sep="\n        ")
            print("", *_sizes(image), sep="\n")
            return int(any(found.values()))
    except CannotRun as error:
        print(f"not covered: the image's steps ({error})")
        return int(os.environ.get("CI") == "true")
    except BuildFailed as error:
        print(f"FAIL  {error}", file=sys.stderr)
        return 1


def _sizes(image: Image) -> Iterator[str]:
    """Print the sizes of the steps that added something to the base, and of the largest packages."""
    yield f"{sum(size for _, size in image.layers) / MEBI:8.1f} MiB  on top of the base:"
    yield from (f"{size / MEBI:8.1f} MiB  {line}" for line, size in image.layers)
    folders = (image.root / SITE).iterdir()
    packages = [(sum(file.lstat().st_size for file in files(path)), path.name) for path in folders]
    yield "\nThe largest packages:"
    yield from (f"{size / MEBI:8.1f} MiB  {name}" for size, name in sorted(packages, reverse=True)[:12])


if __name__ == "__main__":
    sys.exit(main())
