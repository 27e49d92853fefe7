"""A runbook's own test that fails says where it stands, and why nothing could be said."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.wiring import runbook_tools

BASE = """\
runbook: base
checks:
  up: {title: Up, exec: {command: [x]}, expect: exit_code == 0}
tests:
  - check: up
    given: {exec: "a"}
    then: {verdict: fail}
"""
OWN = """\
runbook: own
extends: ./base.yaml
diagnoses:
  web:
    title: Web
    facts: {log: {log: {container: web}}, other: {exec: {command: [y]}}}
    causes:
      - {name: full, proof: "log.lines.filter(l, l.contains('full'))[0]", says: "'Full'"}
      - {name: gone, proof: "other.lines[0]", says: "'Gone'"}
tests:

  - diagnosis: web
    given: {log: "nothing"}
    then: {cause: gone}
  - diagnosis: web
    given: {log: "nothing"}
    then: {cause: full}
  - check: up
    given: {exec: unreadable}
    then: {verdict: fail}
"""


@pytest.mark.parametrize("tool", [runbook_tools.lint, runbook_tools.test])
def test_the_file_the_line_and_the_reason_are_named(tmp_path: Path, tool: object) -> None:
    base, own = tmp_path / "base.yaml", tmp_path / "own.yaml"
    base.write_text(BASE)
    own.write_text(OWN)
    assert callable(tool)
    lines, code = tool(str(own))
    assert code == 1
    assert [line.removeprefix("FAIL  ") for line in lines[:-1]] == [
        f"{base} line 5, test 1: up: verdict is 'ok', expected 'fail'",
        f"{own} line 12, test 2: web: cause is 'unknown', expected 'gone': "
        "gone can be neither proven nor ruled out: `y`: it is not recorded",
        f"{own} line 15, test 3: web: cause is 'unknown', expected 'full': full is ruled out",
        f"{own} line 18, test 4: up: verdict is 'unknown', expected 'fail': `x`: it is not recorded",
    ]
