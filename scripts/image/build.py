"""Runs a Dockerfile's steps in order, each stage in a clean folder of its own.

The instructions that this project's Dockerfile uses follow Docker's reference; any other fails the build. hadolint
checks that the file is well-formed.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from scripts.image import base, container

PROJECT = Path(__file__).parents[2]
_INDEX = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "HOME": "/root"}
"""Variables that only the steps see, as a proxy's address would be."""


class BuildFailed(Exception):
    """A step failed; the message has the step and its output."""


@dataclass
class Image:
    """A stage's folder, its containers' configuration, and the bytes that each step added."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(base.ENVIRONMENT))
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"
    ports: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    layers: list[tuple[str, int]] = field(default_factory=list)

    @property
    def ids(self) -> tuple[int, int]:
        """User and group id. Raises ValueError unless both are numbers, as `runAsNonRoot` requires."""
        user, group = map(int, self.user.split(":"))
        return user, group


class Builder:
    """Builds the project's image in the empty folder ``work``; ``given`` are the `--build-arg`s."""

    def __init__(self, work: Path, given: Mapping[str, str] | None = None) -> None:
        """Make the base, and download the lock's packages. Raises CannotRun where this machine can't build."""
        container.way()
        self.given = dict(given or {})
        self._stages: dict[str, Image] = {}
        self._work = work
        self._ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        self._wheels = base.wheels(PROJECT / "requirements.txt")
        base.make(work / "base")

    def build(self, dockerfile: str) -> Image:
        """Run all steps; returns the last stage. Earlier builds' stages can be used, too. Raises BuildFailed."""
        image = before = Image(self._work)
        for name, value in instructions(dockerfile):
            line, since = f"{name} {value}"[:90], time.time_ns()
            print(f"  {line}", flush=True)
            try:
                if name == "FROM":
                    image = self._from(_expand(value, before.arguments))
                else:
                    self._step(image, name, value)
            except (ValueError, LookupError, OSError) as error:
                raise BuildFailed(f"{line}: {error}") from error
            if name in ("RUN", "COPY"):
                known = [path.lstat() for path in files(image.root)]
                image.layers.append((line, sum(file.st_size for file in known if file.st_ctime_ns >= since)))
        return image

    def _from(self, value: str) -> Image:
        name, _, stage = value.partition(" AS ")
        if name not in self._stages and not name.startswith("python:3.11-slim"):
            raise ValueError("only python:3.11-slim has a stand-in here")
        image = copy.deepcopy(self._stages.get(name, Image(self._work / "base")))
        root = self._work / f"stage-{len(list(self._work.iterdir()))}"
        subprocess.run(["cp", "-a", "--reflink=auto", image.root, root], check=True)
        image.root, image.layers = root, []
        self._stages[stage or root.name] = image
        return image

    def _step(self, image: Image, name: str, value: str) -> None:
        expanded = value if name == "RUN" else _expand(value, image.arguments | image.environment)
        match name:
            case "RUN":
                self._run(image, value)
            case "COPY":
                self._copy(image, shlex.split(expanded))
            case "WORKDIR":
                image.folder = os.path.join(image.folder, expanded)
                _inside(image, ".").mkdir(parents=True, exist_ok=True)
            case "ARG":
                argument, _, default = expanded.partition("=")
                image.arguments[argument] = self.given.get(argument, default)
            case "ENV" | "LABEL":
                pairs = dict(word.split("=", 1) for word in shlex.split(expanded))
                (image.environment if name == "ENV" else image.labels).update(pairs)
            case "USER":
                image.user = expanded
            case "EXPOSE":
                image.ports += expanded.split()
            case "ENTRYPOINT" if expanded.startswith("["):
                image.entrypoint = json.loads(expanded)
            case "CMD" if expanded.startswith("["):
                image.command = json.loads(expanded)
            case _:
                raise ValueError("is not understood here; ENTRYPOINT and CMD only without a shell between")

    def _run(self, image: Image, value: str) -> None:
        packages = shutil.copytree(self._wheels, image.root / "wheels")
        values = _INDEX | image.arguments | image.environment
        words = container.command(image.root, ["/bin/sh", "-c", value], values, image.ids, image.folder, False)
        done = container.run(words)
        shutil.rmtree(packages)
        if done.returncode != 0:
            raise ValueError(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")

    def _copy(self, image: Image, words: list[str]) -> None:
        if words[0].startswith("--from="):
            stage = self._stages[words.pop(0).removeprefix("--from=")]
            shutil.copytree(_inside(stage, words[0]), _inside(image, words[1]), symlinks=True, dirs_exist_ok=True)
            return
        *sources, destination = words
        for source in sources:
            found = context(source, self._ignored)
            if not found:
                raise ValueError(f"{source} is not there, or .dockerignore leaves it out")
            into = destination.endswith(("/", ".")) and found == [source]
            for path in found:
                at = _inside(image, destination) / (Path(source).name if into else Path(path).relative_to(source))
                # As if cloned with the strictest umask: the steps must make the files readable.
                at.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.copyfile(PROJECT / path, at)
                at.chmod(0o600)


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction's name and arguments, comments dropped and continued lines joined."""
    lines = [line.strip() for line in dockerfile.splitlines()]
    text = "\n".join(line for line in lines if line and not line.startswith("#"))
    for line in text.replace("\\\n", "").splitlines():
        name, _, value = line.partition(" ")
        yield name, value.strip()


def _expand(text: str, values: Mapping[str, str]) -> str:
    """Substitute `$NAME` and `${NAME}`; an unset variable is empty."""
    return Template(text).substitute(defaultdict(str, values))


def _inside(image: Image, path: str) -> Path:
    return image.root / os.path.normpath(os.path.join(image.folder, path)).lstrip("/")


def context(source: str, patterns: Sequence[str]) -> list[str]:
    """The files that `COPY source` copies: those of the build context."""
    start = PROJECT / source
    found = start.rglob("*") if start.is_dir() else [start]
    paths = [path.relative_to(PROJECT).as_posix() for path in found if path.is_file()]
    return [path for path in paths if not ignored(path, patterns)]


def ignored(path: str, patterns: Sequence[str]) -> bool:
    """Whether `.dockerignore` excludes it: matching a folder matches its content, and the last match decides."""
    above = [path, *map(str, Path(path).parents)][:-1]
    fitting = [p for p in patterns if any(re.fullmatch(_expression(p.removeprefix("!")), one) for one in above)]
    return bool(fitting) and not fitting[-1].startswith("!")


def _expression(pattern: str) -> str:
    pieces = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    tokens = re.findall(r"\*\*/|\*|\?|\[[^\]]+\]|.", pattern)
    return "".join(pieces.get(token, token if token[1:] else re.escape(token)) for token in tokens)


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder, links included."""
    yield from (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
