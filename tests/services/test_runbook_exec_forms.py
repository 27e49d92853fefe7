"""The commands of a runbook, as admission takes them: every accepted value fits, and little else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.target import Target
from bot.domain.rbac.exec_forms import ExecForm
from bot.domain.runbook.param import filled
from bot.services.runbook.exec_forms import exec_forms
from bot.wiring.runbook_tools import compiled

FILE = r"""
runbook: forms
checks:
  up:
    title: Up
    facts:
      out: {exec: {command: [check, "{literal}"], container: other}}
      all: {processes: {container: third}}
    expect: size(out.lines) > 0
commands:
  show:
    summary: Shows
    params:
      unit: {pattern: "[a-z]+|-x", data: true}
      count: {integer: [3, 12]}
      age: {duration: [1m, 2h]}
    exec: {command: [journal, "--unit={unit}", "-n", "{count}", "{age}", "{unit}"]}
repairs:
  start:
    summary: Starts
    params:
      service: {listed: {exec: {command: [services]}}, data: true}
      how: {one_of: [soft, "a.b"]}
    steps:
      - exec: {command: [start, "{service}", "{how}"]}
      - exec: {command: [notify, "{how}:{service}"]}
    verify: {check: up}
"""


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> list[ExecForm]:
    path: Path = tmp_path_factory.mktemp("forms") / "forms.yaml"
    path.write_text(FILE)
    return exec_forms(compiled(str(path)).runbook, Target())


def takes(forms: list[ExecForm], *argv: str, container: str = "kali") -> bool:
    return any(form.fits(container, argv) for form in forms)


def test_constants_and_containers(forms: list[ExecForm]) -> None:
    assert takes(forms, "check", "{literal}", container="other")
    assert not takes(forms, "check", "{literal}")
    assert not takes(forms, "check", "anything", container="other")
    assert takes(forms, "ps", "aux", container="third")
    assert takes(forms, "services")


def test_values_within_what_the_parameters_take(forms: list[ExecForm]) -> None:
    assert takes(forms, "journal", "--unit=web", "-n", "3", "90m", "web")
    wrong = [
        ("journal", "--unit=web", "-n", "2", "90m", "web"),
        ("journal", "--unit=web", "-n", "13", "90m", "web"),
        ("journal", "--unit=web", "-n", "3x", "90m", "web"),
        ("journal", "--unit=web", "-n", "3", "90", "web"),
        ("journal", "--unit=Web", "-n", "3", "90m", "web"),
        ("journal", "--unit=web", "-n", "3", "90m", "-x"),
        ("journal", "--unit=-x", "-n", "3", "90m", "web"),
        ("journal", "--unit=web\n", "-n", "3", "90m", "web"),
        ("journal", "--unit=web", "-n", "3", "90m", "web", "more"),
        ("journal", "--unit=web", "-n", "3", "90m"),
        ("start", "-x", "soft"),
        ("start", "web", "a-b"),
        ("start", "we\nb", "soft"),
        ("start", "", "soft"),
        ("start", "x" * 201, "soft"),
        ("notify", "web:soft"),
    ]
    assert [argv for argv in wrong if takes(forms, *argv)] == []


@given(st.text(min_size=1, max_size=200), st.sampled_from(["soft", "a.b"]))
def test_every_name_that_may_be_listed_fits(forms: list[ExecForm], service: str, how: str) -> None:
    if not service.isprintable() or service.startswith("-"):
        return
    values = {"service": service, "how": how}
    assert takes(forms, *filled(("start", "{service}", "{how}"), values))
    assert takes(forms, *filled(("notify", "{how}:{service}"), values))


@given(st.from_regex(r"\A[a-z]+\Z"), st.integers(3, 12), st.integers(1, 120))
def test_every_accepted_value_fits(forms: list[ExecForm], unit: str, count: int, age: int) -> None:
    values = {"unit": unit[:100], "count": str(count), "age": f"{age}m"}
    assert takes(forms, *filled(("journal", "--unit={unit}", "-n", "{count}", "{age}", "{unit}"), values))
