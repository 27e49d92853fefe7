"""``agentpod completion SHELL``: a script that holds all that can be completed, so that Tab starts no program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from bot.wiring.command_line.built import common
from bot.wiring.command_line.entries import FILE, GLOBAL, VERSION, Entry, Flag, Known

SHELLS = ("bash", "zsh", "fish")
Candidate = tuple[str, str]
"""A word, and what it means."""
Table = Mapping[tuple[str, ...], Sequence[Candidate]]
"""Patterns of what stands before the cursor → the words that may follow."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]+")


def script(shell: str, entries: Sequence[Entry], given: Known) -> str:
    """Return the completion script for one of `SHELLS`."""
    case = _fish_case if shell == "fish" else _posix_case
    tables = {
        "words": _following(entries),
        "flags": _flags(entries, given),
        "values": _values(entries, given),
        "places": _places(entries),
    }
    functions = "\n".join(case(f"__agentpod_{name}", table) for name, table in tables.items())
    return _file(shell).replace("# TABLES\n", functions).replace("# WALK\n", _file("walk"))


def _file(kind: str) -> str:
    return resources.files(__package__).joinpath(f"completion.{kind}").read_text("utf-8")


def _following(entries: Iterable[Entry]) -> Table:
    """By what was typed of a command's name, the words that go on with it; those of help as well."""
    listed = [(one.name, one.about) for one in entries if one.name]
    for entry in entries:
        if entry.name in ("help", "can-i"):
            abouts = {one.name: one.about for one in entries}
            listed += [(f"{entry.name} {name}", abouts.get(name, "")) for name in entry.places[0].choices]
    found: dict[str, dict[str, str]] = {}
    for name, about in listed:
        words = name.split()
        for place, word in enumerate(words):
            about_it = about if place == len(words) - 1 else ""
            before = found.setdefault(" ".join(words[:place]), {})
            before[word] = before.get(word) or about_it
    return {(name,): tuple(words.items()) for name, words in found.items()}


def _flags(entries: Iterable[Entry], given: Known) -> Table:
    everywhere = [(flag.name, flag.about) for flag in GLOBAL]
    found: dict[tuple[str, ...], list[Candidate]] = {("",): [*everywhere, (VERSION.name, VERSION.about)]}
    for entry in entries:
        if entry.name:
            found[(entry.name,)] = [(f.name, f.about) for f in _all_flags(entry, given)] + everywhere
    return found


def _all_flags(entry: Entry, given: Known) -> tuple[Flag, ...]:
    return entry.flags if entry.own else (*entry.flags, *common(given))


def _values(entries: Iterable[Entry], given: Known) -> Table:
    """By command and flag, what the flag's value may be; there is an entry for each flag that takes one."""
    found: dict[tuple[str, ...], list[Candidate]] = {}
    for entry in entries:
        for flag in _all_flags(entry, given):
            if flag.value:
                found[(f"{entry.name}|{flag.name}",)] = [(choice, "") for choice in flag.choices]
    for flag in GLOBAL:
        if flag.value:
            found[(f"*|{flag.name}",)] = [(choice, "") for choice in flag.choices]
    return found


def _places(entries: Iterable[Entry]) -> Table:
    """By command and the number of words after it, from 0, what may be typed there."""
    return {
        (f"{entry.name}|{number}",): [(choice, "") for choice in place.choices]
        for entry in entries
        for number, place in enumerate(entry.places)
        if place.choices and entry.name not in ("help", "can-i")
    }


def _line(candidate: Candidate) -> str:
    """A candidate as the functions print it: the word, a tab, what it means."""
    word, about = (_UNSAFE.sub(" ", text) for text in candidate)
    return "@files" if candidate[0] == FILE else f"{word}\t{about}".rstrip("\t")


def _posix_case(name: str, table: Table) -> str:
    lines = [f"{name}() {{", '    case "$1" in']
    for patterns, candidates in table.items():
        given = "|".join(_posix(pattern) for pattern in patterns)
        lines.append(f"    {given})")
        lines += [f"        printf '%s\\n' {_posix(_line(one))}" for one in candidates]
        lines.append("        ;;")
    return "\n".join([*lines, "    *) return 1 ;;", "    esac", "    return 0", "}", ""])


def _posix(text: str) -> str:
    """Quote a text for bash and zsh; a ``*`` in front stays a pattern."""
    if text.startswith("*|"):
        return "*" + _posix(text[1:])
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_case(name: str, table: Table) -> str:
    lines = [f"function {name}", '    switch "$argv[1]"']
    for patterns, candidates in table.items():
        lines.append(f"        case {' '.join(_fish(pattern) for pattern in patterns)}")
        lines += [f"            printf '%s\\n' {_fish(_line(one))}" for one in candidates]
        lines.append("            return 0")
    return "\n".join([*lines, "    end", "    return 1", "end", ""])


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
