"""Judge the SSH keys of the Secret, and whether the pod's own file has the same ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.health import ssh_keys
from bot.domain.health.ssh_keys import Difference, Entry, Key

_UNREAD = "whether the pod has the Secret's keys"
_SHOWN = 20
"""Most lines that are listed one by one as no keys."""


@dataclass(frozen=True)
class KeyFileUnread:
    """The pod's own file could not be read."""

    why: str


@dataclass(frozen=True)
class Judged:
    """The judgement, independent of how it is shown."""

    headline: str
    verdict: Verdict
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    restart: bool = False
    """Whether a restart would give the pod the Secret's keys."""
    same: bool | None = None
    """Whether the pod has the same keys; None where it is not known."""
    data: list[dict[str, object]] = field(default_factory=list)


def judge(secret: str, pod: str | KeyFileUnread | None, now: datetime) -> Judged:
    """Compare the Secret's file with the pod's own; ``pod`` is None where there is no own file to compare."""
    entries = ssh_keys.parse_file(secret)
    found, bad = [e.key for e in entries if e.key is not None], [e for e in entries if e.key is None]
    other = ssh_keys.difference(found, ssh_keys.keys(pod)) if isinstance(pod, str) else Difference()
    own = _headline(found, bad, now)
    lines = tuple(f"Line {e.line}: {e.problem}." for e in bad[:_SHOWN])
    lines += (f"{len(bad) - _SHOWN:,} more lines are no keys.",) if len(bad) > _SHOWN else ()
    verdict = _verdict(found, bad, now)
    headline, once = own, f"Once the pod has the Secret's keys: {words.lower_first(own)}."
    if other:
        headline, lines = _different(other), (once, *lines)
        verdict = Verdict.FAIL if verdict is Verdict.FAIL else Verdict.WARN
    elif isinstance(pod, KeyFileUnread) and verdict is Verdict.OK:
        headline, lines, verdict = f"Could not tell {_UNREAD}: {pod.why}", (once, *lines), Verdict.UNKNOWN
    elif isinstance(pod, KeyFileUnread):
        lines = (f"Not known {_UNREAD}: {pod.why}.", *lines)
    return Judged(
        headline,
        verdict,
        lines,
        tuple(_row(key, now, other) for key in (*found, *other.extra)),
        bool(other),
        not other if isinstance(pod, str) else None,
        [_data(key, now) for key in found],
    )


def _different(other: Difference) -> str:
    if not other.missing:
        count = words.plural(len(other.extra), "key")
        return f"The pod still has {count} that the Secret does not have: copy the keys, or restart it"
    return "The pod still has the old keys: copy them, or restart it"


def _verdict(found: Sequence[Key], bad: Sequence[Entry], now: datetime) -> Verdict:
    if not any(not k.why_not(now) for k in found):
        return Verdict.FAIL
    return Verdict.WARN if bad or any(k.why_not(now) or k.weak for k in found) else Verdict.OK


def _headline(found: Sequence[Key], bad: Sequence[Entry], now: datetime) -> str:
    ways = {k.fingerprint for k in found if k.signs_in(now)}
    issuers = {k.fingerprint for k in found if k.meaning.authority and not k.why_not(now)}
    able, authorities = len(ways), len(issuers)
    useless = len({k.fingerprint for k in found if k.why_not(now)} - ways - issuers)
    parts = [_count(able, authorities, useless)]
    if able and authorities:
        parts.append(f"and who has a certificate of {words.plural(authorities, 'authority', 'authorities')}")
    head = " ".join(parts)
    if useless and (able or authorities):
        head += f"; {words.plural(useless, 'key')} can't"
    if bad:
        head += (
            f"; {words.plural(len(bad), 'line')} is no key"
            if len(bad) == 1
            else f"; {len(bad):,} lines are no keys"
        )
    return head


def _count(able: int, authorities: int, useless: int) -> str:
    if able:
        return "One key can sign in" if able == 1 else f"{able:,} keys can sign in"
    if authorities:
        return "Only who has a certificate can sign in"
    if not useless:
        return "Nobody can sign in: there is no key"
    return f"Nobody can sign in: sshd refuses {'the only key' if useless == 1 else f'all {useless:,} keys'}"


def kind(key: Key) -> str:
    """Type and size: ``ed25519 256``, ``rsa 1024``; an unknown type as it is."""
    if not key.bits:
        return words.cut(key.type, 60)
    return f"{key.type.removeprefix('ssh-').partition('@')[0].removesuffix('-cert-v01')} {key.bits}"


def _row(key: Key, now: datetime, other: Difference) -> tuple[str, ...]:
    where = "only in the pod: " if key in other.extra else "not in the pod yet: " if key in other.missing else ""
    shape = f"{kind(key)}{', certificate' if '-cert-v01@' in key.type else ''}{', weak' if key.weak else ''}"
    return words.cut(key.comment, 80) or "(no comment)", shape, f"{where}{sign_in(key, now)}", key.fingerprint


def sign_in(key: Key, now: datetime) -> str:
    """Whether the key can sign in, and with which limits: ``yes``, ``no: expired on …``, ``yes, only from …``."""
    if why := key.why_not(now):
        return f"no: {why}"
    until = (f"until {words.moment(key.meaning.expires)}",) if key.meaning.expires else ()
    said = "by certificate" if key.meaning.authority else "yes"
    return ", ".join((said, *until, *(limit for limit in key.meaning.limits if limit != "cert-authority")))


def _data(key: Key, now: datetime) -> dict[str, object]:
    return {
        "type": key.type,
        "bits": key.bits,
        "fingerprint": key.fingerprint,
        "signs_in": key.signs_in(now),
        "why_not": key.why_not(now) or None,
        "weak": bool(key.weak),
        "options": bool(key.options),
    }
