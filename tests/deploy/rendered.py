"""Renders the kustomizations of ``deploy/``, and finds objects in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBECTL = Path(sys.executable).parent / "kubectl"
FOLDERS = sorted(str(p.parent.relative_to(DEPLOY)) for p in DEPLOY.rglob("kustomization.yaml"))
OPTIONS = [folder for folder in FOLDERS if folder.startswith("options/")]
WITH_THE_BOT = ["base", *(folder for folder in FOLDERS if folder.startswith("overlays/"))]
"""The folders that contain the Deployment."""


def kustomize(folder: Path) -> subprocess.CompletedProcess[str]:
    """Render a folder with kustomize."""
    return subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)


def render(folder: str) -> Sequence[Object]:
    """The objects of a kustomization, by its path in ``deploy/``. Raises AssertionError with kubectl's error."""
    return [document for document in yaml.safe_load_all(_rendered(folder)) if document]


@cache
def _rendered(folder: str) -> str:
    done = kustomize(DEPLOY / folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def pick(folder: str, kind: str, name: str = "agentpod") -> Object:
    """The only object of that kind whose name is, or begins with, ``name``."""
    found = [o for o in render(folder) if o["kind"] == kind and o["metadata"]["name"].startswith(name)]
    assert len(found) == 1, f"{len(found)} {kind} {name} in {folder}, not 1"
    return found[0]


def of_kind(folder: str, *kinds: str) -> list[Object]:
    """All objects of those kinds."""
    return [o for o in render(folder) if o["kind"] in kinds]


def pod(folder: str) -> Object:
    """The bot's pod template."""
    return dict(pick(folder, "Deployment")["spec"]["template"])


def container(folder: str) -> Object:
    """The bot's container."""
    (one,) = pod(folder)["spec"]["containers"]
    return dict(one)


def documents(path: str) -> list[Object]:
    """The documents of one file of ``deploy/``."""
    return [document for document in yaml.safe_load_all((DEPLOY / path).read_text()) if document]
