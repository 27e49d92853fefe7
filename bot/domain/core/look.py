"""One look at something that may change, as it is compared with the next one. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.core.lazy_dataclass import dataclass

DIGITS = 8
"""Hexadecimal digits of a fingerprint: enough to tell values apart, too few to recover one."""
SKEW = timedelta(minutes=1)
"""How far the clocks of two replicas may be apart. A look that is further ahead was dated by a wrong clock."""
UNKNOWN = timedelta(days=365)
"""How long ago a state may have been seen last where no time of it can be right."""
State = Mapping[str, str]
"""What is seen, by name. Values that may be secret are fingerprints."""
Compare = Callable[[State, State], Sequence[tuple[str, str, str]]]
"""(before, after) → what changed: subject, before, after."""
Merge = Callable[[State, State], State]
"""(before, after) → the state to compare the next look with."""


@dataclass(frozen=True)
class Look:
    """What one look saw of one kind of thing."""

    target: str
    kind: str
    state: State
    at: datetime
    """When it was read."""
    order: str = ""
    """Of two looks at nearly the same time the lower one is of an older state; empty: their times say."""
    fingerprinted: bool = False
    """Whether the state has fingerprints, which can't be compared once their key has changed."""
    seen_by: str = ""
    """The ledger's mark with the time of the last look, where another one keeps it."""
    subject: str = ""
    """Which thing of this kind it was, where each is compared by itself."""

    @property
    def mark(self) -> str:
        """The ledger's mark for what was seen last."""
        return f"seen:{self.kind}:{self.target}{f'/{self.subject}' if self.subject else ''}"


def is_ahead(at: datetime, now: datetime) -> bool:
    """Whether a time of a look can't be right: it is still to come."""
    return at - now > SKEW


def last_of(times: Iterable[datetime | None], now: datetime) -> datetime:
    """The last of some times that is not still to come; without one, `UNKNOWN` before now."""
    return max((at for at in times if at is not None and at <= now), default=now - UNKNOWN)


class Fingerprints:
    """Short keyed fingerprints of values: equal for equal values, of no use to test guesses."""

    def __init__(self, key: bytes) -> None:
        """``key`` is a secret that all replicas have."""
        self._key = key
        self.id = self.of("agentpod key id")

    def of(self, value: str) -> str:
        """The fingerprint of a value."""
        return hmac.new(self._key, value.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:DIGITS]
