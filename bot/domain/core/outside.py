"""What came from outside, made fit to be shown: without secrets, and as plain text.

There is one `Outside` a process. Renderers, the log and the ledger pass everything through it, whatever it is made
of, so that nobody who writes a message has to think of it. Values of the pod's Secrets are held in memory only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from bot.domain.core.redact import Known, redact
from bot.domain.core.reply import Excerpt, Reply

T = TypeVar("T")

LARGE = 50_000
"""Characters from which on it is better done in a thread."""

_IDS = frozenset({"style", "sink", "id", "file", "name", "probe", "kind"})
"""Fields that hold no words: what would be done to them would only break what they are for."""

_WORDLESS = (int, float, datetime, timedelta)


class Outside:
    """Knows the secrets that must not be shown."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        """``own`` are the settings' secrets."""
        self._own = frozenset(own)
        self._learnt: dict[str, frozenset[str]] = {}
        self._known = Known(self._own)

    def learn(self, source: str, values: Collection[str]) -> None:
        """Values that must not be shown from now on, in place of those that ``source`` gave before."""
        given = frozenset(values)
        if self._learnt.get(source) != given:
            self._learnt[source] = given
            self._known = Known(self._own.union(*self._learnt.values()))

    def prepare(self) -> None:
        """Make the patterns, for which the first text would wait: tens of milliseconds, and megabytes."""
        self.text("prepared")

    def text(self, text: str) -> str:
        """Text of one or more lines."""
        return "\n".join(redact(text.split("\n"), self._known).lines)

    def of(self, value: T) -> T:
        """The same with every text in it cleaned: in dataclasses, tuples, lists and the values of mappings.

        What needs no cleaning is given back as it is.
        """
        texts = _texts(value)
        each = list(dict.fromkeys(texts))  # a hundred incidents of one kind say mostly the same
        if not each:
            return value
        lines = [line for text in each for line in text.split("\n")]
        shown = redact(lines, self._known).lines
        if shown == tuple(lines):
            return value
        rest = iter(shown)
        clean = {text: "\n".join(next(rest) for _ in range(text.count("\n") + 1)) for text in each}
        made: T = _with(value, (clean[text] for text in texts))
        return made

    def reply(self, reply: Reply) -> Reply:
        """A reply for any renderer: each of them passes it through here first."""
        clean = self.of(reply)
        return replaced(clean, excerpts=tuple(replaced(e, redacted=True) for e in clean.excerpts))

    def is_large(self, reply: Reply) -> bool:
        """Whether to clean it takes long enough to do it in a thread."""
        return sum(map(len, _texts(reply))) > LARGE


def _texts(value: Any) -> list[str]:
    """Every text in a value that is to be cleaned, in the order of its fields."""
    found: list[str] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[str]) -> None:
    if isinstance(value, str):
        if not isinstance(value, Enum):
            found.append(value)
        return
    if value is None or isinstance(value, _WORDLESS):
        return
    if isinstance(value, tuple | list):
        parts: Iterable[Any] = value
    elif isinstance(value, Mapping):
        parts = value.values()
    elif is_dataclass(value):
        parts = [getattr(value, name) for name in _worded(value)]
    else:
        return
    for part in parts:
        if part.__class__ is str:
            found.append(part)
        else:
            _collect(part, found)


def _worded(value: Any) -> tuple[str, ...]:
    """The fields of a dataclass that hold words; of an excerpt that was cleaned before its text is none."""
    names = _worded_of(value.__class__)
    done = isinstance(value, Excerpt) and value.redacted
    return tuple(name for name in names if name != "text") if done else names


@cache
def _worded_of(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.init and f.name not in _IDS)


def _with(value: Any, texts: Iterator[str]) -> Any:
    """The same value with other texts, which come in the order of `_texts`."""
    if isinstance(value, str):
        return value if isinstance(value, Enum) else next(texts)
    if isinstance(value, Mapping):
        return {name: _with(part, texts) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_with(part, texts) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replaced(value, **{name: _with(getattr(value, name), texts) for name in _worded(value)})
    return value
