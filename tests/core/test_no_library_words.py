"""What is wrong with a value is said in the bot's words, never in pydantic's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, core_schema

from bot.domain.core import invalid
from bot.domain.rbac.own_roles import OwnRoles
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.model import Cause, Trial
from bot.domain.runbook.param import Param
from bot.domain.runbook.pod_entry import PodEntry
from bot.errors import SettingsError, UsageError
from bot.runbook.file.loaded import SECTIONS
from bot.runbook.file.loader import read
from bot.runbook.grammar import parse
from bot.runbook.policy_cases.cases import PolicyCases
from bot.settings.loader import load
from bot.settings.model import Settings
from commands.registry import BUILTIN
from sandbox.cluster.fixture import Fixture

LIBRARY = re.compile(
    r"Input |should |valid (string|integer|number|boolean|list|tuple|dict)|Field required|Extra inputs|"
    r"after validation|not permitted|unable to|Unable to|Tuple|Value error|Assertion|literal|instance|pydantic|"
    r"timedelta|datetime|\bdictionary\b|\bNone\b"
)
"""Words of pydantic's that none of ours has."""
JUNK: tuple[Any, ...] = (
    None, "", " ", "x", "0", "no such", "x" * 20_000, "\n", "2026-13-40", -1, 0, 1, 1.5, 10**30, float("nan"),
    float("inf"), True, b"x", datetime(2026, 12, 1, tzinfo=UTC), timedelta(days=-1), [], {}, [None], [[]],
    [{}], {"x": 1}, {1: 2}, {"x": []}, ["x"] * 2_000, {"no such": {"x": {}}},
)  # fmt: skip
LIMITS: dict[str, Any] = {
    "gt": 1, "ge": 1, "lt": 1, "le": 1, "multiple_of": 2, "field_type": "Tuple", "min_length": 2, "max_length": 3,
    "actual_length": 1, "pattern": "^x$", "expected": "'show' or 'edit'", "error": "odd", "class_name": "Foo",
    "encoding": "utf-8", "encoding_error": "bad", "class": "Foo", "discriminator": "kind", "tag": "x",
    "expected_tags": "a", "expected_schemes": "http", "expected_version": 4, "max_digits": 3,
    "decimal_places": 2, "whole_digits": 1, "attribute": "x", "method_name": "x", "tz_expected": 0, "tz_actual": 1,
}  # fmt: skip


def _models() -> Iterator[type[BaseModel]]:
    """Every model of what people write: settings, runbooks, policy cases, fixtures and commands' arguments."""
    facts = [KINDS[name].settings for name in KINDS.names]
    params = [command.params for command in BUILTIN]
    written = [*SECTIONS.values(), Cause, Trial, Param, PodEntry, *facts]
    todo: list[Any] = [Settings, PolicyCases, Fixture, *written, *params]
    seen: set[Any] = set()
    while todo:
        one = todo.pop()
        if isinstance(one, type) and issubclass(one, BaseModel) and one not in seen:
            seen.add(one)
            todo += [info.annotation for info in one.model_fields.values()]
            yield one
        todo += [part for part in get_args(one) if not isinstance(part, str | int)]


def _refusals() -> Iterator[tuple[str, Any]]:
    """Each error that junk in a field brings about, with where."""
    given = [(model, name) for model in _models() for name in _written(model)]
    for model, name in given:
        for junk in JUNK:
            yield from _errors(f"{model.__name__}.{name}", model.model_validate, {name: junk})
    for junk in JUNK:
        yield from _errors("OwnRoles", TypeAdapter(OwnRoles).validate_python, junk)


def _written(model: type[BaseModel]) -> list[str]:
    return [*(info.alias or name for name, info in model.model_fields.items()), "no-such-field"]


def _errors(where: str, validate: Callable[[Any], object], given: Any) -> Iterator[tuple[str, Any]]:
    try:
        validate(given)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            yield f"{where}: {item['loc']} {item['type']}", item


def test_no_model_refuses_a_value_in_the_librarys_words() -> None:
    found = {where: invalid.wrong(item) for where, item in _refusals()}
    assert len({where.rpartition(" ")[2] for where in found}) > 20, "most types of errors are among them"
    assert {where: said for where, said in found.items() if LIBRARY.search(said)} == {}
    assert {where for where, said in found.items() if said == invalid.NOT_USABLE} == set()


@pytest.mark.parametrize("kind", get_args(core_schema.ErrorType))
def test_no_type_of_error_shows_the_librarys_words(kind: str) -> None:
    if kind in ("value_error", "assertion_error"):
        limits: dict[str, Any] = {"error": ValueError("ours")}
    else:
        limits = LIMITS
    made = InitErrorDetails(type=kind, loc=("x",), input="shw", ctx=limits)
    [item] = ValidationError.from_exception_data("x", [made]).errors()
    assert not LIBRARY.search(invalid.wrong(item)), invalid.wrong(item)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("preferences --wake maybe", "--wake takes yes or no."),
        ("preferences rest", "ACTION takes show, edit or reset. Did you mean reset?"),
    ],
)
def test_a_commands_choices_are_listed_with_the_nearest(line: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, tuple(BUILTIN))
    assert caught.value.message == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets: []", "targets (agentpod.yaml line 1): it needs at least one."),
        ("log: {level: warnng}", "it takes debug, info, warning or error. Did you mean warning?"),
        ("approvals: {needed: 0}", "it takes at least 1."),
        ("approvals: {needed: many}", "it takes a whole number."),
        ("targets: [{containers: [{processes: [{name: a}]}]}]", "match (agentpod.yaml line 1): it is missing."),
        ("access: {roles: {boss: 3}}", "access.roles.boss (agentpod.yaml line 1): this is not a list"),
        (
            "access: {rules: [{role: operater, users: [U1]}]}",
            "auditor. Did you mean operator?",
        ),
    ],
)
def test_settings_are_refused_in_the_bots_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "agentpod.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(config=path, environ={})
    shown = str(caught.value).replace(f"{tmp_path}/", "")
    assert said in shown
    assert not LIBRARY.search(shown)


def test_a_runbooks_choices_are_listed_with_the_nearest() -> None:
    text = "runbook: try\nchecks: {a: {title: A, log: {}, expect: 'true', fails: {verdict: wran}}}\n"
    assert "fails.verdict: it takes fail or warn. Did you mean warn?" in "\n".join(
        map(str, read(text, "t").problems)
    )
