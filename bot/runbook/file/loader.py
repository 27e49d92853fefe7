"""Reads runbook files: YAML to entries, with every problem and its line; ``extends`` and ``disabled``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bot.domain.core import words
from bot.domain.core.invalid import NOT_LIST, NOT_SETTINGS
from bot.domain.runbook.entry import Entry
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.model import Cause, Trial
from bot.domain.runbook.param import Param
from bot.domain.runbook.pod_entry import PodEntry
from bot.domain.runbook.repair import RepairEntry, Step
from bot.domain.runbook.wording import (
    NAMES,
    below,
    inner_settings,
    is_name,
    settings_at,
    shown,
    wrong_value,
    wrong_variable,
)
from bot.runbook.file.fact_problems import fact_problems
from bot.runbook.file.loaded import SECTIONS, Loaded, over
from bot.runbook.file.problem import Problem, nearest_word
from bot.settings import regular_file, yaml_file
from bot.settings.runbook_pod import MAX_EXTENDS, SHIPPED, is_path

E = TypeVar("E", bound=BaseModel)
VERSION = 1
"""The newest version of the format that is understood."""
TOP = ("runbook", "version", "extends", "pod", *SECTIONS, "tests")
MOST_PLACES = 3
"""Most places that a misplaced setting is said to belong to."""
LONGEST_EXCERPT = 150
"""Characters of a line that is shown with a problem."""
_ANY_STEP = Step(exec=Exec(command=("true",)))
"""In place of a step with a problem, so that the rest of its repair is checked as well."""


def shipped_names() -> list[str]:
    """Names of the runbooks that ship with the bot."""
    found = (item.name for item in resources.files(SHIPPED).iterdir() if item.name.endswith(".yaml"))
    return sorted(name.removesuffix(".yaml") for name in found)


def load(place: str, folder: Path | None = None) -> Loaded:
    """Read a runbook by its shipped name or its path, with all that it extends. Never raises.

    Paths under ``extends`` are beside the file that names them.
    """
    return _whole(place, folder or Path(), ())


def load_all(places: Sequence[str]) -> Loaded:
    """Read several runbooks; entries of a later one replace those of an earlier one. Never raises."""
    first, *others = (load(place) for place in places)
    for own in others:
        first = over(own, first)
    return first


def _whole(place: str, folder: Path, around: tuple[str, ...], named: tuple[str, int] | None = None) -> Loaded:
    """Read a runbook with all that it extends; ``named`` are file and line of the one that extends it."""
    text, file, problem = _text(place, folder)
    if problem is not None:
        if named is not None:
            problem = Problem(*named, "extends", f"{problem.file}: {problem.message}")
        return Loaded(problems=[problem], unread=True)
    own = read(text, file)
    beside = (folder / place).parent if is_path(place) else folder
    this = os.path.normpath(folder / place) if is_path(place) else place
    if this in around:
        circle = " → ".join((*around[around.index(this) :], this))
        own.problems.append(Problem(file, 1, "extends", f"{circle} extends itself"))
        return own
    if len(around) >= MAX_EXTENDS:
        most = f"more than {MAX_EXTENDS} runbooks extend each other"
        own.problems.append(Problem(file, 1, "extends", most))
        return own
    for number, base in reversed(list(enumerate(own.extends))):
        named = own.line(f"extends.{number}")
        own = over(own, _whole(base, beside, (*around, this), named))
    return own


def _text(place: str, folder: Path) -> tuple[str, str, Problem | None]:
    if not is_path(place):
        if place in shipped_names():
            return (
                resources.files(SHIPPED).joinpath(f"{place}.yaml").read_text("utf-8"),
                f"{place} (shipped)",
                None,
            )
        hint = nearest_word(place, shipped_names())
        return "", place, Problem(place, 0, "", f"no runbook of this name ships with the bot; {hint}")
    path = folder / place
    try:
        raw = regular_file.read(str(path), yaml_file.MAX_BYTES + 1)
        if len(raw) > yaml_file.MAX_BYTES:
            most = yaml_file.MAX_BYTES // 1024
            return (
                "",
                str(path),
                Problem(str(path), 0, "", f"it has more than {most} KiB: split it, and use extends"),
            )
        return raw.decode("utf-8"), str(path), None
    except UnicodeDecodeError:
        return "", str(path), Problem(str(path), 0, "", "it is not UTF-8 text")
    except OSError as error:
        return "", str(path), Problem(str(path), 0, "", f"it can't be read: {error.strerror}")


def _no_yaml(text: str, file: str, parsed: yaml_file.Parsed) -> Problem:
    """The problem of a file that is no YAML, with its line and a caret under the place."""
    mistake = parsed.mistake
    if mistake is None:
        return Problem(file, 1, "", "it must hold names and values, such as runbook: my-pod")
    rows = text.split("\n")
    row = rows[mistake.line - 1] if mistake.column and mistake.line <= len(rows) else ""
    excerpt = row.replace("\t", " ").rstrip() if len(row) <= LONGEST_EXCERPT else ""
    return Problem(file, mistake.line, "", mistake.what, excerpt, mistake.column)


def read(text: str, file: str) -> Loaded:
    """Read one file's text."""
    parsed = yaml_file.parse(text, file, "runbook")
    if parsed.problems:
        return Loaded(problems=[_no_yaml(text, file, parsed)], unread=True)
    found = Loaded()
    found.places = {place: (file, line) for place, line in parsed.lines.items()}
    _Reader(found, file, parsed.lines).whole(parsed.data)
    found.problems += [wrong.problem(found) for wrong in fact_problems(found.runbook())]
    return found


class _Reader:
    """Turns YAML data into entries, and collects every problem."""

    def __init__(self, into: Loaded, file: str, lines: Mapping[str, int]) -> None:
        self._into, self._file, self._lines = into, file, lines

    def whole(self, data: Mapping[str, Any]) -> None:
        """Read the whole file."""
        into = self._into
        for key in data:
            if key not in TOP:
                self._wrong(key, f"there is no section {key!r}; {nearest_word(key, TOP)}")
        self._version(data.get("version", VERSION))
        self._name(data.get("runbook"))
        into.extends = tuple(self._words("extends", data.get("extends", [])))
        into.pod = self._model(PodEntry, "pod", self._mapping("pod", data.get("pod", {}))) or PodEntry()
        for section in SECTIONS:
            for name, raw in self._mapping(section, data.get(section, {})).items():
                if not is_name(name):
                    self._wrong(f"{section}.{name}", f"{NAMES}, such as my-check")
                elif isinstance(raw, Mapping) and raw.get("disabled") is True:
                    self._disable(section, name, raw)
                elif (entry := self._entry(section, name, raw)) is not None:
                    into.entries[section][name] = entry
                else:
                    into.refused.add((section, name))
        for number, raw in enumerate(self._list("tests", data.get("tests", []))):
            place = f"tests.{number}"
            if (test := self._model(Trial, place, self._mapping(place, raw))) is not None:
                into.tests.append((place, test))

    def _version(self, version: Any) -> None:
        if not isinstance(version, int) or isinstance(version, bool):
            self._wrong("version", f"it takes a number, {VERSION}, and this is {shown(version)}")
        elif version > VERSION or version < 1:
            self._wrong("version", f"this bot reads files of version {VERSION}, and this one says {version}")

    def _name(self, name: Any) -> None:
        if name is None or name == "":
            self._wrong("runbook", "the runbook needs a name: runbook: my-pod")
        elif not is_name(name):
            self._wrong("runbook", f"{NAMES}, such as my-pod, and this is {shown(name)}")
        else:
            self._into.name = name

    def _entry(self, section: str, name: str, raw: Any) -> Entry | None:
        place = f"{section}.{name}"
        given = dict(self._mapping(place, raw))
        if section in ("checks", "impact"):
            given["facts"] = self._facts(place, given, or_one=True)
        elif section == "diagnoses":
            given["facts"] = self._facts(place, given)
            given["causes"] = list(self._causes(place, given.get("causes", [])))
        elif section == "repairs":
            given["facts"] = self._facts(place, given)
            given["params"] = self._params(f"{place}.params", given.get("params", {}))
            return self._repair(place, given)
        else:
            given["fact"] = next(iter(self._facts(place, given, or_one=True).values()), None)
            given.pop("facts", None)
            given["params"] = self._params(f"{place}.params", given.get("params", {}))
        return self._model(SECTIONS[section], place, given)

    def _repair(self, place: str, given: dict[str, Any]) -> Entry | None:
        """Read a repair, whose steps are read one by one: a problem is named where it is."""
        if "steps" in given:
            made = [
                self._model(Step, f"{place}.steps.{n}", self._mapping(f"{place}.steps.{n}", one))
                for n, one in enumerate(self._list(f"{place}.steps", given["steps"]))
            ]
            given["steps"] = [step or _ANY_STEP for step in made]
        return self._model(RepairEntry, place, given)

    def _params(self, place: str, raw: Any) -> dict[str, Param]:
        """Read a command's parameters; one whose names a fact lists has that fact under ``listed``."""
        found: dict[str, Param] = {}
        for name, one in self._mapping(place, raw).items():
            where = f"{place}.{name}"
            given = dict(self._mapping(where, one))
            if "listed" in given:
                uses = self._facts(f"{where}.listed", dict(self._mapping(where, given["listed"])), or_one=True)
                given["listed"] = next(iter(uses.values()), None)
            if (param := self._model(Param, where, given)) is not None:
                found[name] = param
        return found

    def _disable(self, section: str, name: str, raw: Mapping[str, Any]) -> None:
        if len(raw) > 1:
            self._wrong(f"{section}.{name}", "an entry that is disabled has nothing else")
        self._into.entries[section][name] = None
        self._into.disabling.add((section, name))

    def _causes(self, place: str, raw: Any) -> Iterator[Cause]:
        for number, one in enumerate(self._list(f"{place}.causes", raw)):
            where = f"{place}.causes.{number}"
            given = dict(self._mapping(where, one))
            given["facts"] = self._facts(where, given)
            if (cause := self._model(Cause, where, given)) is not None:
                yield cause

    def _facts(self, place: str, given: dict[str, Any], *, or_one: bool = False) -> dict[str, FactUse]:
        """Take the facts out of an entry's data: ``facts`` by name, or one directly by its kind."""
        found: dict[str, FactUse] = {}
        for name, raw in self._mapping(f"{place}.facts", given.pop("facts", {})).items():
            where = f"{place}.facts.{name}"
            if (wrong := wrong_variable(name)) is not None:
                self._wrong(where, wrong)
            one = self._mapping(where, raw)
            if len(one) != 1:
                self._wrong(where, f"a fact is one kind with its settings; {nearest_word('', KINDS.names)}")
                continue
            [(kind, settings)] = one.items()
            if (use := self._fact(f"{where}.{kind}", kind, settings)) is not None:
                found[name] = use
        if or_one:
            for kind in [key for key in given if key in KINDS]:
                if found:
                    self._wrong(f"{place}.{kind}", "several facts need names: put them under facts")
                if (use := self._fact(f"{place}.{kind}", kind, given.pop(kind))) is not None:
                    found[""] = use
        return found

    def _fact(self, place: str, kind: str, settings: Any) -> FactUse | None:
        if kind not in KINDS:
            self._wrong(place, f"there is no kind of fact {kind!r}; {nearest_word(kind, KINDS.names)}")
            return None
        made = self._model(KINDS[kind].settings, place, self._mapping(place, settings))
        return FactUse(KINDS[kind], made) if made is not None else None

    def _model(self, model: type[E], place: str, given: Mapping[str, Any]) -> E | None:
        try:
            return model.model_validate(given)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                self._invalid(model, place, item)
            return None

    def _invalid(self, model: type[BaseModel], place: str, item: Any) -> None:
        path = [str(part) for part in item["loc"] if part != "[key]"]
        where = ".".join((place, *path))
        if item["type"] == "extra_forbidden":
            self._wrong(where, f"there is no setting '{words.visible(path[-1])}'; {_other_setting(model, path)}")
        elif item["type"] == "missing":
            self._wrong(where, "it is missing")
        elif path == ["fact"] or (path == ["facts"] and item["type"] == "too_short"):
            self._no_fact(place)
        else:
            self._wrong(where, wrong_value(item))

    def _no_fact(self, place: str) -> None:
        if not self._has_problem_in(place):  # else its facts were given, and refused
            self._wrong(place, f"it reads no fact; kinds: {', '.join(KINDS.names)}")

    def _has_problem_in(self, place: str) -> bool:
        return any(one.place.startswith(f"{place}.") for one in self._into.problems)

    def _mapping(self, place: str, raw: Any) -> Mapping[str, Any]:
        if isinstance(raw, Mapping):
            return raw
        if raw is not None:
            self._wrong(place, NOT_SETTINGS)
        return {}

    def _list(self, place: str, raw: Any) -> list[Any]:
        if isinstance(raw, list):
            return raw
        if raw is not None:
            self._wrong(place, NOT_LIST)
        return []

    def _words(self, place: str, raw: Any) -> list[str]:
        return [str(one) for one in self._list(place, [raw] if isinstance(raw, str) else raw)]

    def _wrong(self, place: str, message: str) -> None:
        parts = place.split(".")
        lines = (self._lines.get(".".join(parts[:length])) for length in range(len(parts), 0, -1))
        line = next((line for line in lines if line), 1)
        self._into.problems.append(Problem(self._file, line, place, message.removesuffix(".")))


def _other_setting(model: type[BaseModel], path: Sequence[str]) -> str:
    """Where a setting that is not known belongs, or what it may have been meant to be."""
    known = settings_at(model, path[:-1])
    kinds = KINDS.names if ("facts" in known and "steps" not in known) or "fact" in known else ()
    if 0 < len(places := _places(model, path, kinds)) <= MOST_PLACES:
        return f"it belongs under {words.either(places)}"
    inside = [name for kind in kinds for name in KINDS[kind].settings.model_fields]
    names = (*known, *inner_settings(model, path[:-1]), *inside, *kinds)
    near = difflib.get_close_matches(path[-1], names, n=1, cutoff=0.5)
    places = _places(model, [*path[:-1], *near], kinds) if near and near[0] not in (*known, *kinds) else []
    if 0 < len(places) <= MOST_PLACES:
        return f"did you mean {near[0]!r}, under {words.either(places)}?"
    return nearest_word(path[-1], (*known, *kinds))


def _places(model: type[BaseModel], path: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """The settings and kinds of facts beside ``path`` that have its last name below them."""
    return [*below(model, path), *(kind for kind in kinds if path[-1] in KINDS[kind].settings.model_fields)]
