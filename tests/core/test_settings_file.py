"""YAML beyond plain settings is refused, with file and line and without a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import SettingsError
from bot.settings import yaml_file
from bot.settings.loader import load
from tests.core.test_settings import EXAMPLE

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{name}: &{name} {{x{name}: {{<<: [{','.join([f'*{before}'] * 9)}]}}, y: *{before}, z: *{before}}}\n"
    for before, name in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
)

WRONG = [
    (
        "slack: {mode: socket}\nops: {port: 1}\nslack: {mode: http}\n",
        ("'slack' is given twice", "line 1", "(line 3)"),
    ),
    ("ops:\n  port: 1\n  host: x\n  port: 2\n", ("'port' is given twice, first in line 2", "(line 4)")),
    ("targets:\n- {name: a, name: b}\n", ("'name' is given twice", "(line 2)")),
    ("'ops': {}\nops: {}\n", ("'ops' is given twice",)),
    (BOMB, ("aliases unfolded", "20,000 values")),
    (MERGES, ("aliases unfolded",)),
    ("a: &a [*a]\n", ("itself in", "(line 1)")),
    ("ops: &a\n  port: 1\n  <<: *a\n", ("itself in",)),
    ("ops: {<<: [1]}\n", ("'<<' takes the alias of a mapping",)),
    ("ops:\n  port: " + "9" * 5_000 + "\n", ("a number of 5,000 characters is too long", "(line 2)")),
    ("ops: {port: 0x" + "f" * 900 + "}\n", ("is too long",)),
    ("ops: {port: " + ":".join(["1"] * 900) + "}\n", ("is too long",)),
    ("ops: {port: .inf}\n", ("a number such as .inf or .nan can't be used",)),
    ("ops: {port: -.INF}\n", ("such as .inf or .nan",)),
    ("ops: {port: .nan}\n", ("such as .inf or .nan",)),
    ("ops: {port: 1.0e+999}\n", ("such as .inf or .nan",)),
    ("ops: {port: 2026-13-45}\n", ("this should be a date and is none", "quotes")),
    ("ops: {port: 0b}\n", ("ops.port",)),
    ("a: " + "[" * 200 + "]" * 200 + "\n", ("nested more than 30 deep", "(line 1)")),
    ("[" * 100_000, ("nested more than 30 deep",)),
    ("a: " + "{a: " * 60 + "1" + "}" * 60 + "\n", ("nested more than 30 deep",)),
    ("- " * 5_000 + "\n", ("nested more than 30 deep",)),
    ("slack: {}\n---\nops: {}\n", ("second document", "(line 2)")),
    ("slack: {}\n...\n---\nops: {}\n", ("second document",)),
    (
        "ops: !!python/object/apply:os.system ['id']\n",
        ("the tag !!python is not taken", "line 1"),
    ),
    ("ops: !!python/name:os.system\n", ("is not taken",)),
    ("ops: !mine {port: 1}\n", ("a tag is not taken: put a text that begins with ! in quotes",)),
    ("ops: {host: !!binary aGk=}\n", ("the tag !!binary is not taken",)),
    ("ops: !!set {a, b}\n", ("the tag !!set is not taken",)),
    ("ops: !!omap [a: 1]\n", ("the tag !!omap is not taken",)),
    ("1: x\n", ("a whole number stands where a name is expected: put it in quotes", "(line 1)")),
    ("slack: {}\non: {}\n", ("a truth value (yes, no, on, off, true or false) stands where a name", "(line 2)")),
    ("~: x\n", ("an empty value (~ or null) stands",)),
    ("2026-01-01: x\n", ("a date stands",)),
    ("? [a, b]\n: c\n", ("a list or mapping stands where a name is expected",)),
    ("? {a: b}\n: c\n", ("a list or mapping stands",)),
    ("slack:\n\tmode: socket\n", ("a tab, where YAML takes blanks only", "line 2")),
    ("slack: {}\nops: \x01\n", ("may be a binary file", "(line 2)")),
    ("slack: \ufffe\n", ("binary",)),
    ("ops: {port: !!int ''}\n", ("this should be a whole number and is none",)),
    ("ops: {port: !!float x}\n", ("this should be a number and is none",)),
    ("ops: {port: !!bool x}\n", ("this should be a truth value (yes, no, on, off, true or false) and is none",)),
    ("ops: {port: !!timestamp x}\n", ("this should be a date and is none",)),
    ("ops: {port: !!null x}\n", ("this should be an empty value (~ or null) and is none",)),
    ('ops: {host: "\\ud800"}\n', ("an escape that stands for no character", "(line 1)")),
    (f"? {'x' * 200_000}\n: [{'1,' * 19_000}]\n", ("it has more than 16,777,216 characters",)),
    (f"a: &a {'x' * 200_000}\nb: [{'*a,' * 5_000}]\n", ("it has more than 16,777,216 characters",)),
    ("%TAG !a! x\n" * 300 + "--- {}\n", ("it declares more than 100 tags",)),
    ("a: *nobody\n", ("not valid YAML", "undefined alias: put a text that begins with * in quotes", "line 1")),
    ("- a\n- b\n", ("must hold names and values",)),
    ("just words\n", ("must hold names and values",)),
    ("%YAML 9.9\n--- {}\n", ("not valid YAML",)),
]


@pytest.mark.parametrize(("text", "says"), WRONG, ids=range(len(WRONG)))
def test_yaml_beyond_plain_settings_is_refused_with_an_explanation(
    tmp_path: Path, text: str, says: tuple[str, ...]
) -> None:
    path = tmp_path / "agentpod.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(SettingsError) as caught:
        load(config=path, environ={})
    shown = "\n".join(caught.value.problems)
    assert "agentpod.yaml" in shown
    assert [part for part in says if part not in shown] == [], shown
    assert len(shown) < 600


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a: \xc3\x28", "not UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00", "binary"),
        (b"# " + b"x" * 300_000, "more than 256 KiB"),
    ],
)
def test_a_file_that_is_no_settings_text_is_refused(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "agentpod.yaml"
    path.write_bytes(raw)
    with pytest.raises(SettingsError, match=says):
        load(config=path, environ={})


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(fifo := tmp_path / "fifo")
    no_file = "can't be read: it is not a regular file"
    for path, says in ((tmp_path, "Is a directory"), (Path("/dev/zero"), no_file), (fifo, no_file)):
        with pytest.raises(SettingsError, match=says):
            load(config=path, environ={})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "---\n",
        "\ufeffops: {port: 1}\n",
        "ops: {port: 0x10}\n",
        "ops: &a {port: 1}\n",
        "targets:\n- &one {name: a}\n- {<<: *one, name: b}\n",
        "'ops': {'port': 1}\n...\n",
        "ops:\r\n  port: 1\r\n",
    ],
)
def test_common_notations_are_accepted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "agentpod.yaml"
    path.write_text(text, encoding="utf-8")
    load(config=path, environ={})


def test_the_example_file_is_accepted() -> None:
    assert yaml_file.read(EXAMPLE, "--config").problems == ()


@given(st.text(alphabet="ab:-&*<!{}[]\"'#|>?, \n\t\x0001.~%@`"))
def test_no_text_raises(text: str) -> None:
    yaml_file.parse(text, "a.yaml")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENTPOD_TARGETS", "[" * 100_000),
        ("AGENTPOD_TARGETS", '[{"node": ' + "9" * 5_000 + "}]"),
        ("AGENTPOD_OPS__PORT", "9" * 5_000),
        ("AGENTPOD_OPS__PORT", "1e999"),
        ("AGENTPOD_OPS__PORT", "²"),
        ("AGENTPOD_PROBES__TIMEOUT", "9" * 100_000),
        ("AGENTPOD_PROBES__TIMEOUT", "9" * 5_000 + "s"),
        ("AGENTPOD_PROBES__TIMEOUT", "٣s"),
        ("AGENTPOD_PROBES__TIMEOUT", "nan"),
        ("AGENTPOD_PROBES__TIMEOUT", "1e999"),
    ],
    ids=range(10),
)
def test_an_invalid_variable_is_refused_with_an_explanation(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={name: value})
    assert len("\n".join(caught.value.problems)) < 600


def test_a_mistake_in_a_role_is_said_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "agentpod.yaml"
    file.write_text("access:\n  roles:\n    viewer: [view]\n    mine:\n      - view\n      - reqest\n")
    with pytest.raises(SettingsError) as refused:
        load(config=file, environ={})
    built_in, unknown = refused.value.problems
    assert built_in.startswith("access.roles.viewer (agentpod.yaml line 3): viewer is a built-in role")
    assert unknown.startswith(
        "access.roles.mine[#2] (agentpod.yaml line 6): there is no capability 'reqest': did you"
    )
