"""``python -m scripts.image``: run the Dockerfile's steps, prove what comes out, and print it by size.

Exit code 0 where all is proven, or where this machine can't run it (which one line says; under CI=true that is 1);
1 where a step or a proof fails.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from scripts.image import inside
from scripts.image.build import Builder, Built, StepFailed
from scripts.image.contents import table
from scripts.image.dockerfile import DockerfileError
from scripts.image.proof import PROJECT, PROOFS


def main() -> int:
    """Run everything in a temporary folder, which is removed."""
    try:
        with tempfile.TemporaryDirectory(prefix="agentpod-image-") as folder:
            print(f"The Dockerfile's steps, one by one ({inside.way().value}):")
            built = Builder(PROJECT, Path(folder)).build(lambda line: print(line, flush=True))
            failed = _prove(built)
            print("\n" + "\n".join(table(built)))
            return failed
    except inside.CannotRun as error:
        print(f"not covered: the image's steps ({error})")
        return int(os.environ.get("CI") == "true")
    except (DockerfileError, StepFailed) as error:
        print(f"FAIL  {error}", file=sys.stderr)
        return 1


def _prove(built: Built) -> int:
    print("\nWhat came out:")
    failed = 0
    for proof in PROOFS:
        problems = list(proof.problems(built))
        print("FAIL " if problems else "ok   ", proof.title)
        for problem in problems[:10]:
            print(f"        {problem}")
        failed |= bool(problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
