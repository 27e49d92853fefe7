"""Fixtures: what a file gives the pretend pod, so that authors of a runbook can try it without a cluster.

The file is read anew whenever it has changed, so an author can break things while the sandbox runs. Only the names
of containers and the services with their ports are those of the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.domain.core import invalid
from bot.errors import AgentpodError
from bot.settings import yaml_file
from sandbox.cluster.objects import CONTAINER


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CommandOutput(_Part):
    """What a command prints."""

    run: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments: exactly those of the fact."""
    stdout: str = ""
    """What it prints."""
    stderr: str = ""
    """What it prints on standard error."""
    exit_code: int = Field(default=0, ge=0, le=255)
    """Its exit code."""
    when: Mapping[str, str] = Field(default_factory=dict)
    """Values of the container's ``state`` with which this is what it prints; empty: always."""
    sets: Mapping[str, str] = Field(default_factory=dict)
    """Values of the ``state`` after it has run: ``{sshd: up}``."""


class ContainerFixture(_Part):
    """What is in one container, besides what the pretend pod has anyway."""

    files: Mapping[str, str] = Field(default_factory=dict)
    """By absolute path."""
    commands: tuple[CommandOutput, ...] = ()
    """What commands print: the first that fits the state. Others run as in the pretend pod, or fail and say so."""
    state: Mapping[str, str] = Field(default_factory=dict)
    """Values that commands can change, as they are when the pod starts: ``{sshd: down}``."""
    processes: tuple[str, ...] | None = None
    """Command lines, in place of the pretend pod's processes."""
    log: str | None = None
    """The log, in place of the pretend pod's."""

    def output(self, command: list[str], state: Mapping[str, str]) -> CommandOutput | None:
        """What a command prints in this state; None for one that the fixture doesn't name."""
        fitting = (one for one in self.commands if list(one.run) == command)
        return next((one for one in fitting if one.when.items() <= state.items()), None)

    def runs(self, program: str) -> bool:
        """Whether the fixture has a command of this program."""
        return any(one.run[0] == program for one in self.commands)


class Answer(_Part):
    """What a web server answers at one path."""

    status: int = Field(default=200, ge=100, le=599)
    """The status."""
    body: str = ""
    """The body."""


def _answer(value: Any) -> Any:
    return {"body": value} if isinstance(value, str) else value


class ServiceFixture(_Part):
    """A Service of the target's namespace, and the web server behind it."""

    port: int = Field(default=0, ge=0, le=65535)
    """0 is a free one, for facts that name no port."""
    answers: Mapping[str, Annotated[Answer, BeforeValidator(_answer)]] = Field(default_factory=dict)
    """By path, with its query; a text is a body with status 200. Other paths are answered with 404."""


class Fixture(_Part):
    """What the pretend pod shows. The first container takes the place of the pod's own, the others are sidecars.

    It is read anew whenever it has changed; only the names of containers and services, and ports, stay those of
    the start.
    """

    containers: Mapping[str, ContainerFixture] = Field(default_factory=dict)
    """By name."""
    services: Mapping[str, ServiceFixture] = Field(default_factory=dict)
    """By name."""

    def target(self) -> dict[str, Any]:
        """The settings of the target that fit: another workload has none of the handbook's extras."""
        names = list(self.containers)
        if not names:
            return {}
        bare = [{"name": name, "home": "/"} for name in names]
        if names[0] == CONTAINER:
            return {"containers": [{"name": CONTAINER}, *bare[1:]]}
        return {"containers": bare, "services": [], "heartbeats": [], "ssh": None, "secrets": [], "argocd": None}


EMPTY = Fixture()


class FixtureFile:
    """A fixture's file, read anew when it has changed."""

    def __init__(self, path: Path | None = None) -> None:
        """Read the file; without one the fixture is empty. Raises AgentpodError with every problem."""
        self._path = path
        self._changed = _changed(path)
        self._fixture = load(path) if path is not None else EMPTY

    def __call__(self) -> Fixture:
        """The fixture as it is now; while the file is wrong, as it was before."""
        if self._path is not None and _changed(self._path) != self._changed:
            self._changed = _changed(self._path)
            try:
                self._fixture = load(self._path)
            except AgentpodError:
                return self._fixture
        return self._fixture


@dataclass
class FixtureStates:
    """The state of each container, from its start on. It begins anew where the fixture's own was edited."""

    _states: dict[tuple[str, str], tuple[Mapping[str, str], dict[str, str]]] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)
    """The commands that set something, and ``crontab`` with the text of each crontab that was put in place."""

    def begin_anew(self) -> None:
        """Set every container's state to that of its start."""
        self._states.clear()

    def restart(self, pod: str, container: str) -> None:
        """Set a container's state to that of its start."""
        self._states.pop((pod, container), None)

    def of(self, pod: str, container: str, given: ContainerFixture) -> dict[str, str]:
        """The state of a container in the pod with this uid."""
        first, now = self._states.get((pod, container), ({}, {}))
        if first != given.state:
            now = dict(given.state)
            self._states[pod, container] = (given.state, now)
        return now

    def run(self, pod: str, container: str, given: ContainerFixture, command: list[str]) -> CommandOutput | None:
        """Run a command of the fixture; None for one that it doesn't name."""
        state = self.of(pod, container, given)
        found = given.output(command, state)
        if found is not None and found.sets:
            state.update(found.sets)
            self._states[pod, container] = (given.state, state)
            self.ran.append(tuple(command))
        return found

    def said(self, pod: str, container: str, given: ContainerFixture, command: list[str]) -> str:
        """How the state is named where the fixture has a command, but not in this state; else empty."""
        state = ", ".join(f"{name}: {value}" for name, value in self.of(pod, container, given).items())
        return f" in the state {state}" if any(list(one.run) == command for one in given.commands) else ""


def _changed(path: Path | None) -> int:
    try:
        return path.stat().st_mtime_ns if path is not None else 0
    except OSError:
        return 0


def load(path: Path) -> Fixture:
    """Read a fixture file. Raises AgentpodError with every problem and its line."""
    parsed = yaml_file.read(path, "--fixture")
    problems = [one.replace("settings file", "fixture") for one in parsed.problems]
    if not problems:
        try:
            return Fixture.model_validate(parsed.data)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                place = ".".join(map(str, item["loc"]))
                line = _line(parsed.lines, place)
                problems.append(invalid.ended(f"{path} line {line}, {place}: {invalid.wrong(item)}"))
    raise AgentpodError("\n".join(["The fixture is wrong:", *problems]))


def _line(lines: Mapping[str, int], place: str) -> int:
    """The line of a place, or of what is around it."""
    parts = place.split(".")
    found = (lines.get(".".join(parts[:length])) for length in range(len(parts), 0, -1))
    return next((line for line in found if line), 1)
