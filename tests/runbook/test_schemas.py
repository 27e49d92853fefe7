"""The JSON Schemas: what editors accept is what the loaders accept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.__main__ import main
from bot.domain.runbook.kinds import KINDS
from bot.runbook.file.loaded import SECTIONS
from bot.runbook.file.loader import read
from bot.runbook.file.schema import runbook_schema
from bot.settings.schema import field_notes, settings_schema

if os.environ.get("CI") == "true":
    import jsonschema
else:
    jsonschema = pytest.importorskip(
        "jsonschema",
        reason="jsonschema is missing: the schemas are not covered (it comes with requirements-dev.txt)",
    )
ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "bot/runbook/shipped").glob("*.yaml"))
SETTINGS = [ROOT / "deploy/settings.example.yaml", ROOT / "deploy/overlays/example/settings.yaml"]
CHECK = "checks: {a: {title: A, exec: {command: [x]}, expect: 'true'}}"


def complaints(schema: dict[str, Any], data: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema)
    return [f"{e.json_path}: {e.message}" for e in validator(schema).iter_errors(data)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_runbooks_fit_the_schema(path: Path) -> None:
    assert complaints(runbook_schema(), yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize("path", SETTINGS, ids=lambda path: path.parent.name)
def test_the_example_settings_fit_the_schema(path: Path) -> None:
    assert complaints(settings_schema(), yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (CHECK, True),
        (CHECK.replace("expect", "expects"), False),
        (CHECK.replace("command", "comand"), False),
        (CHECK.replace("exec", "exce"), False),
        (CHECK.replace("checks", "check"), False),
        (CHECK.replace("a:", "A b:"), False),
        (CHECK.replace("[x]", "[]"), False),
        (CHECK.replace("[x]", "[x], timeout: soon"), False),
        (CHECK.replace("[x]", "[x], timeout: 1m30s"), True),
        (CHECK.replace("exec: {command: [x]}, ", ""), False),
        (CHECK.replace("exec:", "log: {}, exec:"), False),
        (CHECK.replace("exec: {command: [x]}", "facts: {one: {exec: {command: [x]}}, two: {log: {}}}"), True),
        (CHECK.replace("exec: {command: [x]}", "facts: {one: {exec: {command: [x]}, log: {}}}"), False),
        ("checks: {a: {disabled: true}}", True),
        ("checks: {a: {disabled: true, title: A}}", False),
        ("commands: {a: {summary: A, exec: {command: [x]}}}", True),
        ("commands: {a: {summary: A, exec: {command: [x]}, capabilty: view}}", False),
        (
            "diagnoses: {d: {title: D, facts: {l: {log: {}}}, "
            "causes: [{name: c, proof: 'l.lines[0]', says: \"'x'\"}]}}",
            True,
        ),
        ("diagnoses: {d: {title: D, facts: {l: {log: {}}}, causes: [{name: c, says: \"'x'\"}]}}", False),
        ("version: 2", False),
        ("extends: secure-agent-pod", True),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(text: str, fits: bool) -> None:
    whole = f"runbook: x\n{text}\n"
    assert (complaints(runbook_schema(), yaml.safe_load(whole)) == []) is fits
    assert (read(whole, "x.yaml").problems == []) is fits, "the loader"


def test_a_mistyped_setting_is_refused_by_the_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = {"targets": [{"namespcae": "x"}]}
    assert complaints(settings_schema(), data) != []
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(data))
    assert main(["--config", str(tmp_path / "settings.yaml"), "check"]) == 2
    assert "namespcae" in capsys.readouterr().out


def test_the_commands_print_the_committed_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runbook", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == _committed("runbook")
    assert main(["check", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == _committed("settings")


def _committed(name: str) -> Any:
    return json.loads((ROOT / "docs/schemas" / f"{name}.schema.json").read_text())


def test_every_kind_and_every_field_is_described() -> None:
    schema = runbook_schema()
    assert set(schema["$defs"]["FactUse"]["properties"]) == set(KINDS.names)
    assert set(SECTIONS) < set(schema["properties"])
    for kind in KINDS:
        assert field_notes(kind.settings).keys() == kind.settings.model_fields.keys(), kind.name
    assert list(_undescribed(schema)) == []


def _undescribed(schema: dict[str, Any]) -> Iterator[str]:
    for name, made in (("", schema), *schema["$defs"].items()):
        for key, shown in made.get("properties", {}).items():
            if "description" not in shown:
                yield f"{name}.{key}"
