"""Reads what the audit trail says of requests, sentence by sentence, as people do in `audit`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.domain.core.audit import Record
from bot.domain.core.reply import plain
from bot.ports.ledger import Ledger
from commands.shared.audit_words import names, said

FLAWS = {
    "an empty slot": re.compile(
        r"\(\)|\{\}|''|\"\"|“”|  |^\s|[\s:,;]$|[:,;] ?[:,;](\s|$)|\b(in|of|to|for|with|with exit code)$"
    ),
    "a word twice": re.compile(r"\b([A-Za-z]+) \1\b", re.IGNORECASE),
    "a word of the program": re.compile(r"\bNone\b|\bTrue\b|\bFalse\b"),
}


async def read(ledger: Ledger) -> list[tuple[Record, str]]:
    """Return every record with its sentence."""
    records = [one async for one in ledger.records()]
    called = await names(ledger, records)
    return [(one, plain(said(one, called.get(one.subject, "")))) for one in records]


def flaws(read_: list[tuple[Record, str]]) -> list[str]:
    """Return what is wrong with the sentences."""
    return [*_of_words(read_), *_of_steps(read_), *_of_repetitions(read_)]


def _of_words(read_: list[tuple[Record, str]]) -> Iterator[str]:
    for _, sentence in read_:
        yield from (f"{what}: {sentence}" for what, flaw in FLAWS.items() if flaw.search(sentence))


def _of_steps(read_: list[tuple[Record, str]]) -> Iterator[str]:
    for record, sentence in read_:
        data = record.data
        if record.kind != "execution" or "step" not in data:
            continue
        ran = data.get("begins") is not False
        if ran == ("not run" in sentence):
            yield f"untrue: {sentence}"
        if str(data.get("result", "")) not in sentence:
            yield f"the result is missing: {sentence}"


def _of_repetitions(read_: list[tuple[Record, str]]) -> Iterator[str]:
    """A request begins once; whoever goes on with it takes it over."""
    begun = [record.subject for record, sentence in read_ if sentence.endswith(" began it")]
    yield from (f"begun more than once: {one}" for one in {one for one in begun if begun.count(one) > 1})
