"""Reads the part of the Dockerfile language that this project uses; anything else is an error, never ignored.

The rules are those of Docker's Dockerfile reference: continuation lines, whole-line comments, an `ARG` before the
first `FROM` visible only to `FROM`, and `ENV` before `ARG` when both have a name.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

KNOWN = frozenset(["FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "LABEL", "EXPOSE", "ENTRYPOINT", "CMD"])
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class DockerfileError(Exception):
    """The Dockerfile has something that is not understood here, or that is wrong; says the line."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: the line it begins on, its name in capitals, and the rest with continuations joined."""

    line: int
    name: str
    value: str

    def __str__(self) -> str:
        """Short enough for one line of a report."""
        flat = " ".join(self.value.split())
        return f"{self.name} {flat if len(flat) <= 80 else flat[:79] + '…'}"

    def error(self, what: str) -> DockerfileError:
        """An error about this instruction."""
        return DockerfileError(f"Dockerfile line {self.line}: {self.name}: {what}")


@dataclass(frozen=True)
class Copy:
    """What `COPY` says: sources, destination, and the stage that the sources are of (None: the context)."""

    sources: tuple[str, ...]
    destination: str
    stage: str | None


@dataclass
class Stage:
    """One `FROM` and what follows: `base` is as written, with its variables."""

    base: str
    name: str
    steps: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Dockerfile:
    """The arguments before the first stage, with their defaults; and the stages in order."""

    arguments: Mapping[str, str]
    stages: tuple[Stage, ...]

    @property
    def result(self) -> Stage:
        """The stage that becomes the image: the last one."""
        return self.stages[-1]

    def steps(self, name: str) -> list[Instruction]:
        """All instructions of that name, in all stages."""
        return [step for stage in self.stages for step in stage.steps if step.name == name]


def parse(text: str) -> Dockerfile:
    """Read a whole Dockerfile. Raises DockerfileError with the line."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for step in instructions(text):
        if step.name == "FROM":
            stages.append(_stage(step, len(stages)))
        elif stages:
            stages[-1].steps.append(step)
        elif step.name == "ARG":
            name, default = argument(step)
            arguments[name] = default or ""
        else:
            raise step.error("stands before the first FROM")
    if not stages:
        raise DockerfileError("The Dockerfile has no FROM.")
    return Dockerfile(arguments, tuple(stages))


def instructions(text: str) -> list[Instruction]:
    """The instructions in order. Raises DockerfileError on one that is not known here."""
    found: list[Instruction] = []
    pending: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            if not found and not pending and re.match(r"#\s*(syntax|escape|check)\s*=", bare):
                raise DockerfileError(f"Dockerfile line {number}: parser directives are not understood here")
            continue
        start = start if pending else number
        pending.append(bare.removesuffix("\\").strip())
        if not bare.endswith("\\"):
            found.append(_instruction(start, " ".join(pending)))
            pending = []
    if pending:
        raise DockerfileError(f"Dockerfile line {start}: ends in the middle of an instruction")
    return found


def _instruction(line: int, text: str) -> Instruction:
    name, _, value = text.partition(" ")
    step = Instruction(line, name.upper(), value.strip())
    if step.name not in KNOWN:
        raise step.error(f"is not understood here (known: {', '.join(sorted(KNOWN))})")
    if not step.value:
        raise step.error("has nothing after it")
    if "<<" in step.value and step.name in ("RUN", "COPY"):
        raise step.error("here-documents are not understood here")
    return step


def _stage(step: Instruction, number: int) -> Stage:
    words = step.value.split()
    if len(words) == 3 and words[1].upper() == "AS":
        return Stage(words[0], words[2])
    if len(words) != 1:
        raise step.error("should be 'FROM image' or 'FROM image AS name'")
    return Stage(words[0], str(number))


def expand(text: str, values: Mapping[str, str]) -> str:
    """Put values in for `$NAME` and `${NAME}`; an unset one is empty, as Docker has it.

    Raises DockerfileError for the forms with a modifier, such as `${NAME:-default}`.
    """
    done = _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)
    if "${" in _VARIABLE.sub("", text):
        raise DockerfileError(f"{text}: only $NAME and ${{NAME}} are understood here")
    return done


def argument(step: Instruction) -> tuple[str, str | None]:
    """`ARG NAME` or `ARG NAME=default`."""
    ((name, default),) = [word.partition("=")[::2] for word in shlex.split(step.value)]
    return name, default if "=" in step.value else None


def pairs(step: Instruction, values: Mapping[str, str]) -> dict[str, str]:
    """The names and values of `ENV` or `LABEL`, expanded with what held before the instruction."""
    found: dict[str, str] = {}
    for word in shlex.split(step.value):
        name, equals, value = word.partition("=")
        if not equals:
            raise step.error(f"should be NAME=value, not {word!r}")
        found[name] = expand(value, values)
    return found


def copy(step: Instruction, values: Mapping[str, str]) -> Copy:
    """The parts of `COPY`. Raises DockerfileError for flags other than `--from`."""
    words = shlex.split(expand(step.value, values))
    flags = [word for word in words if word.startswith("--")]
    rest = [word for word in words if not word.startswith("--")]
    if [flag for flag in flags if not flag.startswith("--from=")] or len(flags) > 1:
        raise step.error(f"{' '.join(flags)} is not understood here (known: --from=STAGE)")
    if len(rest) < 2:
        raise step.error("needs a source and a destination")
    if any(set(word) & set("*?[") for word in rest):
        raise step.error("wildcards are not understood here")
    return Copy(tuple(rest[:-1]), rest[-1], flags[0].partition("=")[2] if flags else None)


def exec_form(step: Instruction) -> list[str]:
    """The words of `ENTRYPOINT` or `CMD`. Raises DockerfileError for the shell form, which eats signals."""
    try:
        words = json.loads(step.value)
    except json.JSONDecodeError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise step.error('should be in exec form, such as ["agentpod"]: a shell would not pass signals on')
    return words
