"""Clean untrusted text before it is shown or stored: redact secrets, remove control characters.

A process has one `Outside`. Renderers, the log and the ledger pass everything through it, so that no writer of a
message has to think of it. Values of the pod's Secrets are held in memory only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from bot.domain.core.redact import KnownValues, Redacted, has_known, redact, redact_groups
from bot.domain.core.redact.objects import without_secrets
from bot.domain.core.reply import Excerpt, Reply

T = TypeVar("T")

LARGE = 50_000
"""Characters above which cleaning should run in a thread."""

_REMEMBERED, _SHORT = 128, 500
"""How many values are remembered as clean, and the most characters that one may have."""

_IDS = frozenset({"style", "sink", "id", "file", "name", "probe", "kind"})
"""Fields of dataclasses that hold identifiers, not prose: redacting them would break lookups by them."""

_WORDLESS = (int, float, datetime, timedelta)


class Outside:
    """Redacts text with the secrets known to this process."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        """``own`` are the secrets in the settings."""
        self._own = frozenset(own)
        self._learnt: dict[str, frozenset[str]] = {}
        self._values = self._own
        self._known = KnownValues(self._values)
        self._clean: OrderedDict[tuple[str, ...], None] = OrderedDict()
        """The texts of values that needed no cleaning, as far as this process knows now: none holds a secret."""

    def learn(self, source: str, values: Collection[str]) -> None:
        """Redact ``values`` from now on; they replace those that ``source`` gave before."""
        given = frozenset(values)
        if self._learnt.get(source) != given:
            self._learnt[source] = given
            self._values = self._own.union(*self._learnt.values())
            self._known = KnownValues(self._values)
            self._clean = OrderedDict()  # last: a thread may be judging by the values before

    def prepare(self) -> None:
        """Compile the patterns now rather than at the first text: it takes tens of milliseconds and some MB."""
        self.text("prepared")

    def text(self, text: str) -> str:
        """Clean text of one or more lines."""
        return "\n".join(redact(text.split("\n"), self._known).lines)

    def has_known(self, text: str) -> bool:
        """Whether a text contains a known value, in whatever form it is written."""
        return has_known(text, self._known)

    def lines(self, lines: Sequence[str], values: frozenset[str] = frozenset()) -> Redacted:
        """Clean many lines, and count what was redacted; ``values`` are redacted besides the known ones."""
        known = self._known if values <= self._values else KnownValues(self._values | values)
        return redact(lines, known)

    def data(self, value: Any) -> Any:
        """Clean JSON data of the secrets that what is beside them gives away, before it is made into lines."""
        return without_secrets(value, lambda groups: redact_groups(groups, self._known))

    def of(self, value: T) -> T:
        """Clean every string in dataclasses, tuples, lists and the values of mappings.

        A value that needs no cleaning is returned itself, not copied.
        """
        texts = _texts(value)
        each = list(dict.fromkeys(texts))  # a hundred incidents of one kind have mostly the same texts
        clean_ones, known, key = self._clean, self._known, tuple(each)  # in this order: `learn` replaces them
        if not each or key in clean_ones:
            return value
        lines = [line for text in each for line in text.split("\n")]
        shown = redact(lines, known).lines
        if shown == tuple(lines):
            _remember(clean_ones, key)
            return value
        rest = iter(shown)
        clean = {text: "\n".join(next(rest) for _ in range(text.count("\n") + 1)) for text in each}
        made: T = _with(value, (clean[text] for text in texts))
        return made

    def reply(self, reply: Reply) -> Reply:
        """Clean a reply, and mark its excerpts as redacted; every renderer does this first."""
        clean = self.of(reply)
        proof = None if clean.proof is None else replaced(clean.proof, redacted=True)
        return replaced(clean, proof=proof, excerpts=tuple(replaced(e, redacted=True) for e in clean.excerpts))

    def is_large(self, reply: Reply) -> bool:
        """Whether cleaning the reply takes so long that it should run in a thread."""
        return sum(map(len, _texts(reply))) > LARGE


def _remember(clean: OrderedDict[tuple[str, ...], None], texts: tuple[str, ...]) -> None:
    if sum(map(len, texts)) <= _SHORT:
        clean[texts] = None
        if len(clean) > _REMEMBERED:
            clean.popitem(last=False)


def with_texts(value: T, change: Callable[[str], str]) -> T:
    """Copy a value, such as a reply, with each of its texts changed; an excerpt's only until it is redacted."""
    made: T = _with(value, map(change, _texts(value)))
    return made


def _texts(value: Any) -> list[str]:
    """Every string in a value that has to be cleaned, in field order."""
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
    """The fields of a dataclass to clean: without an excerpt's text where that is redacted already."""
    names = _worded_of(value.__class__)
    done = isinstance(value, Excerpt) and value.redacted
    return tuple(name for name in names if name != "text") if done else names


@cache
def _worded_of(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.init and f.name not in _IDS)


def _with(value: Any, texts: Iterator[str]) -> Any:
    """Copy a value with its strings replaced by ``texts``, which come in the order of `_texts`."""
    if isinstance(value, str):
        return value if isinstance(value, Enum) else next(texts)
    if isinstance(value, Mapping):
        return {name: _with(part, texts) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_with(part, texts) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replaced(value, **{name: _with(getattr(value, name), texts) for name in _worded(value)})
    return value
