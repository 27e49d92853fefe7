"""docs/settings.md lists exactly the accepted names and variables, each with a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings.loader import OWN_VARIABLES, load, variables

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.*) \|$", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(AGENTPOD_\w+)`", PAGE)) - OWN_VARIABLES)
PLAIN = {
    name: default.strip("`")
    for name, default, _ in ROWS
    if "[]" not in name and re.fullmatch(r"`[^`]+`", default) and not default.startswith("`[")
}


def test_every_row_has_a_sentence() -> None:
    assert len(ROWS) > 100
    assert [name for name, _, meaning in ROWS if len(re.sub(r"`AGENTPOD_\w+`", "", meaning).split()) < 3] == []


def test_the_page_lists_exactly_the_accepted_variables() -> None:
    sections = {name for name in variables() if "__" not in name} | {
        "AGENTPOD_SLACK__HTTP",
        "AGENTPOD_LEDGER__ANCHOR",
        "AGENTPOD_ALERTS__RUNBOOK_URLS",
    }
    assert set(NAMED) <= variables()
    assert variables() - sections - set(NAMED) - OWN_VARIABLES == set()


@pytest.mark.parametrize("name", NAMED)
def test_each_variable_is_accepted(name: str) -> None:
    """With any value: only the name is checked here."""
    try:
        load(environ={name: "x"})
    except SettingsError as error:
        assert "is not a setting" not in str(error)  # noqa: PT017 - either outcome is right


def test_every_default_is_accepted_as_written() -> None:
    given = {f"AGENTPOD_{name.upper().replace('.', '__')}": value for name, value in PLAIN.items()}
    assert len(given) > 30
    loaded = load(environ=given).settings
    assert loaded.model_dump() == load(environ={}).settings.model_dump()


@pytest.mark.parametrize(
    "name", ["AGENTPOD_ALERTS__FOR_", "AGENTPOD_ARGOCD__NAMESPACE", "AGENTPOD_STORAGE__WARN_PERCENT"]
)
def test_unlisted_names_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is not a setting"):
        load(environ={name: "1"})


def test_the_setting_for_can_come_from_a_variable_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("alerts: {for: 2m}\n")
    for loaded in (load(environ={"AGENTPOD_ALERTS__FOR": "2m"}), load(config=file, environ={})):
        assert loaded.settings.alerts.for_.total_seconds() == 120
    assert "AGENTPOD_ALERTS__FOR" in load(environ={"AGENTPOD_ALERTS__FOR": "2m"}).origin("alerts.for")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "targets: [{heartbeats: [{job: a, stale_after: 10}]}]",
            "10 has no unit, so it is no duration: write 10s, 10m, 10h or 10d",
        ),
        ("targets: [{heartbeats: [{job: a, schedule: '0 4 * * *', grace: 600}]}]", "600 has no unit"),
        ("targets: [{heartbeats: [{job: a, stale_after: '10'}]}]", "10 has no unit"),
        ("alerts: {poll: 30}", "30 has no unit"),
        ("alerts: {for: 90}", "90 has no unit"),
        ("alerts: {maintenance: [{name: a, start: 2026-01-01, lasts: 3600}]}", "3600 has no unit"),
        ("approvals: {expires_after: 30}", "30 has no unit"),
        ("probes: {timeout: 2.5}", "2.5 has no unit"),
        ("heartbeat: {every: 1:30}", "90 has no unit"),
        ("probes: {timeout: 3x}", "'3x' is not a duration"),
        ("probes: {timeout: true}", "'True' is not a duration"),
    ],
)
def test_a_duration_without_a_unit_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text + "\n")
    with pytest.raises(SettingsError) as caught:
        load(config=file, environ={})
    assert says in str(caught.value)
    assert "a.yaml line 1" in str(caught.value)


@pytest.mark.parametrize("value", ["2", "0.5"])
def test_a_duration_in_a_variable_needs_its_unit_too(value: str) -> None:
    with pytest.raises(SettingsError, match=f"{value} has no unit"):
        load(environ={"AGENTPOD_PROBES__TIMEOUT": value})
