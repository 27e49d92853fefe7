"""A fixture file: read anew when it changes, kept while it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.errors import AgentpodError
from sandbox.cluster.fixture import FixtureFile, load

TEXT = "containers: {kali: {commands: [{run: [gpu], stdout: '1'}]}}\n"


def write(path: Path, text: str, number: int) -> None:
    """Write the file; its time differs with each number."""
    path.write_text(text)
    os.utime(path, ns=(number, number))


def printed(fixture: FixtureFile) -> str:
    output = fixture().containers["kali"].output(["gpu"], {})
    assert output is not None
    return output.stdout


def test_a_changed_file_is_read_anew_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "fixture.yaml"
    write(path, TEXT, 1)
    fixture = FixtureFile(path)
    assert printed(fixture) == "1"
    write(path, TEXT.replace("'1'", "'2'"), 2)
    assert printed(fixture) == "2"
    write(path, "containers: [", 3)
    assert printed(fixture) == "2"
    write(path, TEXT.replace("'1'", "'3'"), 4)
    assert printed(fixture) == "3"
    path.unlink()
    assert printed(fixture) == "3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("containers:\n  kali:\n    comands: []\n", "line 3, containers.kali.comands: there is no such setting"),
        ("containers:\n  kali:\n    commands:\n      - {run: []}\n", "line 4, containers.kali.commands.0.run"),
        ("services:\n  web: {port: 99999}\n", "line 2, services.web.port"),
        ("a: b\na: c\n", "'a' is given twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "fixture.yaml"
    path.write_text(text)
    with pytest.raises(AgentpodError) as error:
        load(path)
    assert said in error.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgentpodError, match=r"nope\.yaml"):
        load(tmp_path / "nope.yaml")
