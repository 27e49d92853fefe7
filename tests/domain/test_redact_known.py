"""A known value is found and redacted completely however a program writes it."""

from __future__ import annotations

import base64
import html
import json
import quopri
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from bot.domain.core.redact import PLACEHOLDER, KnownValues, redact

Write = Callable[[str], str]


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _signs(form: str) -> Write:
    """Every sign as a numeric escape; letters and digits unchanged."""
    return lambda text: "".join(c if c.isascii() and c.isalnum() else _units(c, form) for c in text)


def _all(form: str) -> Write:
    return lambda text: "".join(_units(c, form) for c in text)


def _units(letter: str, form: str) -> str:
    if "u" in form:
        raw = letter.encode("utf-16-be")
        return "".join(form.format(int.from_bytes(raw[i : i + 2])) for i in range(0, len(raw), 2))
    return form.format(ord(letter)) if "&" in form else "".join(form.format(b) for b in letter.encode())


def _base64(before: str = "", after: str = "", coding: str = "utf-8") -> Write:
    return lambda text: base64.b64encode(f"{before}{text}{after}".encode(coding)).decode()


def _with(sign: str) -> Write:
    return lambda text: text[:2] + sign + text[2:4] + sign + text[4:]


WAYS: dict[str, Write] = {
    "JSON": _json,
    "JSON, signs by number": _signs("\\u{:04x}"),
    "JSON, all by number": _all("\\u{:04X}"),
    "JSON in JSON": lambda t: _json(_json(t)),
    "JSON in JSON in JSON": lambda t: _json(_json(_signs("\\u{:04x}")(t))),
    "URL": lambda t: quote(t, safe=""),
    "URL, small letters": _signs("%{:02x}"),
    "URL, twice": lambda t: quote(quote(t, safe=""), safe=""),
    "form": quote_plus,
    "URL in JSON": lambda t: _json(quote(t)),
    "JSON in a URL": lambda t: quote(_json(t)),
    "base64": _base64(),
    "base64 of user and password": _base64("user:"),
    "base64, one letter before": _base64("x", "yz"),
    "base64, two before": _base64("xy", "z"),
    "base64 for URLs": lambda t: base64.urlsafe_b64encode(f"u:{t}".encode()).decode().rstrip("="),
    "base64 in base64": lambda t: _base64('{"auth":"', '"}')(_base64("bob:")(t)),
    "base64 of UTF-16": _base64(coding="utf-16-le"),
    "base64 that wraps": lambda t: "\n".join(_chunks(_base64("user:")(t), 8)),
    "hex": lambda t: t.encode().hex(),
    "HEX": lambda t: t.encode().hex().upper(),
    "hex with colons": lambda t: t.encode().hex(":"),
    "Node's Buffer": lambda t: t.encode().hex(" "),
    "Node's Buffer in JSON": lambda t: ",".join(map(str, t.encode())),
    "Go's []byte": lambda t: " ".join(map(str, t.encode())),
    "Python's list of bytes": lambda t: ", ".join(map(str, t.encode())),
    "doubled quotes": lambda t: "'" + t.replace("'", "''") + "'",
    "base64 of JSON": lambda t: base64.b64encode(json.dumps({"p": t}).encode()).decode(),
    "bytes": _all("\\x{:02x}"),
    "zero-width joiners": _with("\u200d"),
    "zero-width spaces": _with("\u200b"),
    "soft hyphens": _with("\u00ad"),
    "combining marks": _with("\u0301"),
    "tags": _with("\U000e0041"),
    "variation selectors": _with("\ufe00"),
    "bidi": _with("\u202e"),
    "colours": _with("\x1b[1m"),
    "a joiner in JSON": lambda t: _json(_with("\u200d")(t)),
    "HTML": html.escape,
    "HTML, by number": _all("&#{};"),
    "HTML, signs in hex": _signs("&#x{:x};"),
    "HTML, twice": lambda t: html.escape(html.escape(t)),
    "two lines": lambda t: t[:4] + "\n" + t[4:],
    "two lines, indented": lambda t: t[:4] + "\n      " + t[4:],
    "two lines of a shell": lambda t: t[:4] + "\\\n  " + t[4:],
    "quoted for a shell": lambda t: "'" + t.replace("'", "'\\''") + "'",
    "Python": repr,
    "a C array": lambda t: ", ".join(f"0x{byte:02x}" for byte in t.encode()),
    "hex with hyphens": lambda t: t.encode().hex("-"),
    "octal with a zero": lambda t: "".join(f"\\0{byte:03o}" for byte in t.encode()),
    "JavaScript's escape()": lambda t: "".join(f"%u{unit:04X}" for unit in _utf16(t)),
    "Perl's braces": lambda t: "".join(f"\\x{{{ord(c):x}}}" for c in t),
    "pairs of hex, as xxd has them": lambda t: t.encode().hex(" ", -2),
    "base32": lambda t: base64.b32encode(t.encode()).decode().rstrip("="),
    "quoted-printable": lambda t: quopri.encodestring(t.encode(), quotetabs=True).decode().strip(),
}


def _utf16(text: str) -> list[int]:
    data = text.encode("utf-16-be")
    return [int.from_bytes(data[i : i + 2]) for i in range(0, len(data), 2)]


def _chunks(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


SECRETS = (
    "hunter2-hunter2",
    'pa"ss w\u00f6rd/1&<x>',
    "p%41y&a=b+c/d",
    "back\\slash'quote\"$x",
    "\u00fcn\u00efc\u00f6d\u00e9-\U0001f648-x",
    "abcDEF123456+/==",
    "half%ba+xy/z12",  # its escape stands for no letter
)


@pytest.mark.parametrize("way", WAYS)
def test_a_known_value_is_redacted_however_it_is_written(way: str) -> None:
    for secret in SECRETS:
        written = WAYS[way](secret)
        text = "\n".join(redact(f"log {written} end".split("\n"), [secret]).lines)
        assert PLACEHOLDER in text, (secret, written)
        left = text.replace(PLACEHOLDER, "").replace("'", "").split()
        assert left == ["log", "end"], (secret, written, text)


def test_secrets_inside_a_secret_file_are_known() -> None:
    """A settings file, a URL with a password, a registry's configuration."""
    auth = base64.b64encode(b"bob:Xk29-fjw83k").decode()
    values = [
        "LEVEL=debug\nDB_PASS=Xk29fjw83kq\n",
        "postgres://app:Qm38-xnsw72@db/shop",
        json.dumps({"auths": {"r.example": {"auth": auth}}}),
    ]
    lines = ["a Xk29fjw83kq b", "c Qm38-xnsw72 d", f"e {auth} f", "level is debug"]
    assert redact(lines, values).lines == ("a [redacted] b", "c [redacted] d", "e [redacted] f", "level is debug")


def test_values_are_found_over_the_end_of_a_chunk() -> None:
    filler = ["x" * 99] * 10_485
    lines = redact([*filler, "y" * 70 + " hunter2-", "hunter2 z"], ["hunter2-hunter2"]).lines
    assert lines[-2:] == ("y" * 70 + f" {PLACEHOLDER}", f"{PLACEHOLDER} z")


@pytest.mark.parametrize("nul", ["\\x00", "\\u0000", "%00"])
def test_a_known_value_is_found_in_utf_16_between_its_nuls(nul: str) -> None:
    written = nul.join("hunter2-hunter2")
    assert redact([f"sent {written} end"], ["hunter2-hunter2"]).lines == (f"sent {PLACEHOLDER} end",)


def test_values_are_found_in_lines_on_both_sides_of_a_chunks_end() -> None:
    filler = ["x" * 99] * 10_485
    for left in range(40, 76):
        wrapped = ["y" * left, "Tr0u", "b4do", "r&3-", "hors", "e", "z"]
        lines = redact([*filler, *wrapped], ["Tr0ub4dor&3-horse"]).lines
        assert lines[len(filler) :] == ("y" * left, *[PLACEHOLDER] * 5, "z"), left


def test_a_name_and_its_value_are_found_across_the_end_of_a_chunk() -> None:
    filler = ["x" * 99] * 10_485
    for left in range(30, 76):
        lines = redact([*filler, "y" * left, "- name: DB_PASSWORD", "  value: zX9-qqR2w", "z"]).lines
        assert lines[-3:] == ("- name: DB_PASSWORD", f"  value: {PLACEHOLDER}", "z"), left


def test_the_repr_shows_no_value() -> None:
    assert "hunter2" not in repr(KnownValues(["hunter2-hunter2"]))


LONG = "correct-horse-battery-staple-9"


@pytest.mark.parametrize("kept", range(15, len(LONG)))
def test_a_value_that_the_end_of_a_line_cuts_is_redacted(kept: int) -> None:
    assert redact([f"with {LONG[:kept]}", "next"], [LONG]).lines == (f"with {PLACEHOLDER}", "next")


@pytest.mark.parametrize("kept", range(8, len(LONG)))
def test_a_value_that_was_cut_visibly_is_redacted(kept: int) -> None:
    assert redact([f"with {LONG[:kept]}… and"], [LONG]).lines == (f"with {PLACEHOLDER}… and",)


@pytest.mark.parametrize("line", ["uses postgres", "uses postgresql://", "uses postgres and more"])
def test_an_ordinary_word_at_the_end_of_a_line_stays(line: str) -> None:
    value = "postgresql://agent:9f8a7b6c5d4e3f2a@db.example.com/agent"
    assert redact([line], [value]).lines == (line,)
