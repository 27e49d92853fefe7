"""Builds the image's file system: every step of every stage, in order, each stage in a clean folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.image import base, context, dockerfile, inside
from scripts.image.dockerfile import Dockerfile, DockerfileError, Instruction, Stage
from scripts.image.wheels import wheels

WHEELS = "/wheels"
"""Where the steps see the lock's packages; the folder is taken away again."""
_BUILDER = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "HOME": "/root"}
"""What only the builder's steps see, as a proxy's address would be."""
Tree = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Layer:
    """What one step added or changed, in bytes of files; and how long it took, in seconds."""

    step: Instruction
    bytes: int
    seconds: float


@dataclass
class Built:
    """A stage's folder and what a container of it would be started with."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(base.ENVIRONMENT))
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    folder: str = "/"
    ports: tuple[str, ...] = ()
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    @property
    def values(self) -> dict[str, str]:
        """What variables stand for in the next instruction: `ENV` goes before `ARG`."""
        return {**self.arguments, **self.environment}

    @property
    def ids(self) -> tuple[int, int]:
        """User and group. Raises DockerfileError unless both are numbers, as `runAsNonRoot` wants them."""
        user, _, group = self.user.partition(":")
        if not (user.isdigit() and (group or "0").isdigit()):
            raise DockerfileError(f"USER {self.user} should be numbers, such as 10001:10001")
        return int(user), int(group or "0")

    def program(
        self, *words: str, environment: Mapping[str, str] | None = None, uid: int | None = None
    ) -> inside.Program:
        """A container of it as a cluster runs it: read-only, as no root; ``words`` go before `CMD`'s."""
        return inside.Program(
            [*self.entrypoint, *(words or self.command)],
            {**self.environment, **(environment or {})},
            self.ids if uid is None else (uid, uid),
            self.folder,
            frozen=True,
        )


class StepFailed(Exception):
    """A step ended with an error; has what it wrote."""


class Builder:
    """Runs a Dockerfile's steps below ``work``, which has to be empty; ``project`` is the context."""

    def __init__(self, project: Path, work: Path, arguments: Mapping[str, str] | None = None) -> None:
        """``arguments`` are the `--build-arg`s."""
        self.project = project
        self.work = work
        self.file: Dockerfile = dockerfile.parse((project / "Dockerfile").read_text(encoding="utf-8"))
        self.patterns = context.read((project / ".dockerignore").read_text(encoding="utf-8"))
        self._given = dict(arguments or {})
        self._stages: dict[str, Built] = {}
        self._bases: dict[str, Path] = {}
        self._known = {step.value.partition("=")[0] for step in self.file.steps("ARG")} | set(self.file.arguments)
        if unknown := sorted(set(self._given) - self._known):
            raise DockerfileError(
                f"no ARG is called {', '.join(unknown)} (known: {', '.join(sorted(self._known))})"
            )

    def build(self, tell: Callable[[str], None] = lambda _: None) -> Built:
        """Run everything; gives the last stage. Raises StepFailed, DockerfileError or CannotRun."""
        inside.way()
        self._wheels = wheels(self.project / "requirements.txt")
        for number, stage in enumerate(self.file.stages):
            built = self._from(stage, number)
            tell(f"FROM {stage.base} AS {stage.name}")
            for step in stage.steps:
                self._step(built, step)
                tell(f"  {built.layers[-1].seconds:5.1f} s  {step}")
            self._stages[stage.name] = built
        return self._stages[self.file.result.name]

    def _from(self, stage: Stage, number: int) -> Built:
        name = dockerfile.expand(stage.base, {**self.file.arguments, **self._given})
        root = self.work / f"stage-{number}"
        if name in self._stages:
            before = self._stages[name]
            _duplicate(before.root, root)
            return Built(
                root,
                dict(before.environment),
                dict(before.arguments),
                dict(before.labels),
                before.user,
                before.folder,
            )
        if not name.partition("@")[0].startswith("python:3.11-slim"):
            raise DockerfileError(f"FROM {name}: only python:3.11-slim has a stand-in here")
        if name not in self._bases:
            self._bases[name] = self.work / f"base-{len(self._bases)}"
            base.make(self._bases[name])
        _duplicate(self._bases[name], root)
        return Built(root)

    def _step(self, built: Built, step: Instruction) -> None:
        started = time.monotonic()
        heavy = step.name in ("RUN", "COPY", "WORKDIR")
        before = _tree(built.root) if heavy else {}
        getattr(self, f"_{step.name.lower()}")(built, step)
        added = _added(before, _tree(built.root)) if heavy else 0
        built.layers.append(Layer(step, added, time.monotonic() - started))

    def _arg(self, built: Built, step: Instruction) -> None:
        name, default = dockerfile.argument(step)
        known = self._given.get(name, default if default is not None else self.file.arguments.get(name))
        built.arguments[name] = dockerfile.expand(known or "", built.values)

    def _env(self, built: Built, step: Instruction) -> None:
        built.environment.update(dockerfile.pairs(step, built.values))

    def _label(self, built: Built, step: Instruction) -> None:
        built.labels.update(dockerfile.pairs(step, built.values))

    def _user(self, built: Built, step: Instruction) -> None:
        built.user = dockerfile.expand(step.value, built.values)

    def _expose(self, built: Built, step: Instruction) -> None:
        built.ports += tuple(dockerfile.expand(step.value, built.values).split())

    def _entrypoint(self, built: Built, step: Instruction) -> None:
        built.entrypoint, built.command = dockerfile.exec_form(step), []

    def _cmd(self, built: Built, step: Instruction) -> None:
        built.command = dockerfile.exec_form(step)

    def _workdir(self, built: Built, step: Instruction) -> None:
        built.folder = os.path.normpath(os.path.join(built.folder, dockerfile.expand(step.value, built.values)))
        _inside(built.root, built.folder).mkdir(parents=True, exist_ok=True)

    def _copy(self, built: Built, step: Instruction) -> None:
        what = dockerfile.copy(step, built.values)
        target = _inside(built.root, os.path.join(built.folder, what.destination))
        if len(what.sources) > 1 and not what.destination.endswith("/"):
            raise step.error("with several sources the destination has to end with a slash")
        into = what.destination.endswith("/") or what.destination in (".", "..")
        for source in what.sources:
            if what.stage is None:
                self._copy_context(step, source, target / Path(source).name if into else target)
            elif what.stage in self._stages:
                _copy_tree(step, _inside(self._stages[what.stage].root, source), target)
            else:
                raise step.error(f"there is no stage {what.stage!r} before it")

    def _copy_context(self, step: Instruction, source: str, target: Path) -> None:
        if (
            (self.project / source).is_dir()
            and target.name == Path(source).name
            and step.value.endswith(("/", " ."))
        ):
            raise step.error("copies a folder's content beside others: name the folder as the destination")
        found = list(context.files(self.project, source, self.patterns))
        if not found:
            raise step.error(f"{source} is not there, or .dockerignore leaves it out")
        for path in found:
            at = target if path == source else target / Path(path).relative_to(source)
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.project / path, at)

    def _run(self, built: Built, step: Instruction) -> None:
        seen = _inside(built.root, WHEELS)
        seen.mkdir()
        mounts = {WHEELS: self._wheels}
        if inside.way() is inside.Way.CHROOT:
            shutil.copytree(self._wheels, seen, dirs_exist_ok=True)
        values = {**_BUILDER, **built.values}
        words = ["/bin/sh", "-c", step.value]
        done = inside.run(built.root, inside.Program(words, values, built.ids, built.folder, mounts=mounts))
        shutil.rmtree(seen)
        if done.returncode != 0:
            raise StepFailed(f"{step.error(f'exit code {done.returncode}')}\n{done.stdout}{done.stderr}".rstrip())


def _inside(root: Path, path: str) -> Path:
    """A path of the image as one of this machine. Raises DockerfileError for one that leaves the root."""
    if not path.startswith("/") or ".." in Path(path).parts:
        raise DockerfileError(f"{path} should be an absolute path without '..'")
    return root / path.lstrip("/")


def _duplicate(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def _copy_tree(step: Instruction, source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    else:
        raise step.error("the source is not there")


def _tree(root: Path) -> Tree:
    return {path: (size, changed) for path, size, changed in _scan(root)}


def _scan(root: Path) -> Iterator[tuple[str, int, int]]:
    for folder, _, names in os.walk(root):
        for name in names:
            at = os.path.join(folder, name)
            known = os.lstat(at)
            yield at, known.st_size, known.st_ctime_ns


def _added(before: Tree, after: Tree) -> int:
    return sum(known[0] for path, known in after.items() if before.get(path) != known)
