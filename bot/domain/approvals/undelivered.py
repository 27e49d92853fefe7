"""Messages that could not be delivered, as people read of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from bot.domain.approvals.repair import (
    RepairRequest,
)
from bot.domain.core import words
from bot.domain.core.reply import Line, Mention
from bot.domain.outbox.message import (
    OutboxMessage,
)

_OF_CASES = {
    "card": "the approval card of",
    "progress": "the progress of",
    "value": "the form for the value of",
    "unposted": "that the card could not be posted, of",
    "outcome": "the outcome of",
}
_OF_INCIDENTS = {
    "incident": "the alert",
    "notice": "an update of the alert",
    "group": "the alert about several problems",
    "over": "the end of the alert about several problems",
}


def lines(deliveries: Sequence[OutboxMessage], cases: Mapping[str, RepairRequest] | None = None) -> list[Line]:
    """One for each place and reason, since one wrong channel keeps many messages: what, to whom, and why.

    ``cases``: the requests that they are about, as far as they are known. A channel is shown by its id, as the
    settings have it: one that does not exist has no name.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for delivery in deliveries:
        found.setdefault((delivery.place, delivery.error), []).append(delivery.key)
    return [_line(of, place, error, cases or {}) for (place, error), of in found.items()]


def requests(deliveries: Sequence[OutboxMessage]) -> list[str]:
    """The ids of the requests that some of them are about."""
    ids = (d.key.split(":")[1] for d in deliveries if d.key.split(":")[0] in _OF_CASES and ":" in d.key)
    return list(dict.fromkeys(ids))


def _line(keys: Sequence[str], place: str, error: str, cases: Mapping[str, RepairRequest]) -> Line:
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    named = name(keys[0], cases)
    what = f"{named[0].upper()}{named[1:]}{more}"
    why = f": {words.cut(error, 200)}"
    if place.startswith(("U", "W")):
        return (f"{what}, for ", Mention(place), why)
    return f"{what}{f', for channel {place}' if place else ''}{why}"


def name(key: str, cases: Mapping[str, RepairRequest]) -> str:
    """What a message is, by its key."""
    kind, _, of = key.partition(":")
    id_, _, _rest = of.partition(":")
    if kind in _OF_CASES:
        return f"{_OF_CASES[kind]} {_asked(id_, cases)}"
    if kind in _OF_INCIDENTS:
        return f"{_OF_INCIDENTS[kind]} {id_}"
    if kind == "digest":
        return f"the digest of {_day(id_)}"
    if kind == "deaf":
        return "the notice of when I was offline"
    return f"the state of {of} for the health-bridge" if kind == "bridge" else f"the message {key[:60]}"


def _asked(id_: str, cases: Mapping[str, RepairRequest]) -> str:
    case = cases.get(id_)
    return f"{case.action.name} ({id_})" if case is not None else f"the request {id_}"


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text[:20]
    return f"{day:%a} {day.day} {day:%b}"
