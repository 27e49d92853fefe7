"""YAML from outside is read in bounded time, and what is wrong with it is said without any value of it."""

from __future__ import annotations

import string
import subprocess
import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.strict_yaml import load
from bot.domain.core.yaml_nodes import UnreadableYaml

TAGS = [
    *(f"!!{kind}" for kind in ("bool", "int", "float", "null", "str", "timestamp", "binary", "set", "omap")),
    *("!!pairs", "!!map", "!!seq", "!!merge", "!!value", "!!python/tuple", "!!python/name:os.system", "!!none"),
    *("!", "!own", "!own!", "!a!b", "!<x>", "!<tag:yaml.org,2002:int>", "&a", "*a", "*", ""),
]
PLAIN = ["x", "''", '""', "~", "no", "0b", "0x", "-", "+", ".", "1_", ":", "1:60", "1e", "_", "0o8", "<<", "="]
PLAIN += ["2026-13-45", "2026-01-01T99:99:99Z", "1-1-1", "99999-01-01", "2026-01-01 00:00:00+99:99", '"\\ud800"']
SECRET = st.text(string.ascii_letters, min_size=8).map("Tr0ub4dor-{}".format)
"""Values that stand nowhere in the messages."""
PLACES = [
    "{}",
    "a: {}",
    "a: [{}]",
    "a: {{b: {}}}",
    "a:\n- {}\n",
    "{}: a",
    "a: &a {{b: {}}}\nc: {{<<: *a}}",
    "<<: {}",
    "? {}\n: 1",
    "a: {}\nb: ]",
    "a: '{}'",
    'a: "{}',
    "a: |\n  {}\n b",
    "%TAG {} x\n--- a",
    "{} {}",
]


def refusal(text: str, **how: bool) -> UnreadableYaml | None:
    """Why a text is refused; None where it is read. Any other exception fails the test."""
    try:
        load(text, **how)
    except UnreadableYaml as error:
        return error
    return None


@given(st.sampled_from(PLACES), st.sampled_from(TAGS), st.sampled_from(PLAIN) | SECRET | st.text(), st.booleans())
def test_a_value_with_any_tag_is_read_or_refused(place: str, tag: str, value: str, any_names: bool) -> None:
    text = place.format(f"{tag} {value}", value)
    for explain in (True, False):
        error = refusal(text, any_names=any_names, explain=explain)
        assert error is None or error.what


@given(st.sampled_from(PLACES), st.sampled_from(TAGS), SECRET, st.sampled_from([" ", "", "\n ", ": ", " !"]))
def test_no_reason_has_the_value(place: str, tag: str, value: str, between: str) -> None:
    text = place.format(f"{tag}{between}{value}", value)
    for explain in (True, False):
        error = refusal(text, explain=explain)
        assert error is None or "Tr0ub4dor" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("stringData: " + "[" * 60_000, "nested more than 30 deep"),
        ("[" * (4 << 20), "nested more than 30 deep"),
        ("a: [" + "1," * (2 << 20) + "]", "more than 20,000 values"),
        ("a: 1" + ":1" * (1 << 20), "is too long"),
        (
            "a0: &a0 {k: v}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40)),
            "more than 20,000 values",
        ),
        ("".join(f"%TAG !a{i}! x\n" for i in range(200_000)) + "--- {}", "declares more than 100 tags"),
    ],
    ids=["deep", "deeper", "many", "sexagesimal", "merges", "tags"],
)
def test_what_would_take_a_parser_too_long_is_refused_at_once(text: str, what: str) -> None:
    code = f"import sys; from bot.domain.core.strict_yaml import load; {READ}"
    done = subprocess.run(
        [sys.executable, "-c", code], input=text.encode(), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.returncode
    assert what in done.stdout.decode()


READ = """
try:
    load(sys.stdin.read(), any_names=True, explain=False)
except ValueError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("end", ["---", "---\n", "--- # c\n", "---\r\n\n# c\n  # d\n"])
@pytest.mark.parametrize("text", ["a: 1\n", "%YAML 1.1\n---\na: 1\n", "a:\n  1\n"])
def test_a_last_document_without_content_is_none(text: str, end: str) -> None:
    assert load(text + end).data == {"a": 1}


@pytest.mark.parametrize("text", ["---\n", "# c\n---\n# d\n", "%YAML 1.1\n---\n", "---\n---\n", "\n--- # c"])
def test_a_document_without_content_is_empty(text: str) -> None:
    assert load(text).data is None


@pytest.mark.parametrize(
    "end", ["---\n~\n", "--- b\n", "---\n# c\nb: 1\n", "---\n---\nb: 1\n", "--- # c\rb: 1\n", "---\n\u00a0"]
)
def test_a_last_document_with_content_is_refused(end: str) -> None:
    with pytest.raises(UnreadableYaml, match="second document"):
        load(f"a: 1\n{end}")


def test_what_only_begins_like_an_end_is_text() -> None:
    assert load("b\n---#c").data == "b ---#c"


@pytest.mark.parametrize(("text", "sign"), [("a: =", "="), ("=: 1", "="), ("a: [<<]", "<<")])
def test_a_sign_of_yaml_needs_quotes(text: str, sign: str) -> None:
    with pytest.raises(UnreadableYaml, match=f"{sign} alone is a sign of YAML: put it in quotes"):
        load(text)
    assert load(text.replace(sign, f"'{sign}'")).data


@pytest.mark.parametrize("text", ['"\\ud83d\\ude80": "\\ud83d\\ude80"', "🚀: 🚀"])
def test_a_surrogate_pair_is_a_character(text: str) -> None:
    found = load(text)
    assert (found.data, list(found.lines)) == ({"🚀": "🚀"}, ["🚀"])
    with pytest.raises(UnreadableYaml, match="stands for no character"):
        load('a: "\\ude80\\ud83d"')


@pytest.mark.parametrize("name", ["x" * 100, "ghp_0123456789abcdefABCDEF0123456789abcd"])
def test_a_name_that_is_long_or_a_token_is_not_shown(name: str) -> None:
    with pytest.raises(UnreadableYaml, match=r"^a name is given twice, first in line 1: keep one$"):
        load(f"{name}: 1\n{name}: 2\n")


def test_names_of_any_kind_may_be_texts() -> None:
    text = "on: a\n8080: b\nno: c\n~: d\n2026-01-01: e\n"
    assert load(text, any_names=True).data == {"on": "a", "8080": "b", "no": "c", "~": "d", "2026-01-01": "e"}
    with pytest.raises(UnreadableYaml, match="a truth value"):
        load(text)
    with pytest.raises(UnreadableYaml, match="'on' is given twice"):
        load("on: a\n'on': b\n", any_names=True)
