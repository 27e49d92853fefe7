"""Remember the pod's SSH host keys, and judge whether they changed. Pure.

A client that knows the old key refuses to connect. Keys change when the volume that holds them is made anew; where
it was not, somebody replaced them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import ServiceTarget
from bot.domain.core.workload import Claim
from bot.domain.health.ssh_keys import Key, parse_file

PROBE, TITLE = "host-keys", "SSH host keys"
RECENT = timedelta(days=14)
"""How long a change is a warning: until most people have connected once."""
MOST_KEYS = 10


@dataclass(frozen=True)
class SeenKeys:
    """The host keys when they were last seen: fingerprints by type."""

    keys: Mapping[str, str]
    since: datetime
    """When they were first seen."""
    until: datetime
    """When they were last seen."""
    before: Mapping[str, str] | None = None
    """The keys before the last change; None where no change was seen."""
    before_until: datetime | None = None
    """When those were last seen."""


def mark(target: str) -> str:
    """The key under which the ledger stores the memory."""
    return f"host-keys:{target}"


def noted(before: SeenKeys | None, keys: Mapping[str, str], now: datetime) -> SeenKeys:
    """Update the memory. A further type of key beside known ones is no change, since clients still connect."""
    if before is None:
        return SeenKeys(keys, now, now)
    if all(keys.get(type_) == known for type_, known in before.keys.items()):
        return replace(before, keys=keys, until=now)
    return SeenKeys(keys, now, now, before.keys, before.until)


def to_json(memory: SeenKeys) -> str:
    """Serialize for the ledger."""
    return msgspec.json.encode(memory).decode()


def from_json(text: str) -> SeenKeys | None:
    """Deserialize; None for an empty text and for what `to_json` did not write."""
    try:
        return msgspec.json.decode(text, type=SeenKeys) if text else None
    except (msgspec.MsgspecError, RecursionError):
        return None


def read_keys(text: str) -> list[Key]:
    """Return the public keys in the text of one or several ``.pub`` files."""
    return [entry.key for entry in parse_file(text) if entry.key is not None][:MOST_KEYS]


def by_type(keys: Sequence[Key]) -> dict[str, str]:
    """Fingerprints by type."""
    return {key.type: key.fingerprint for key in keys}


def short_type(type_: str) -> str:
    """``ED25519`` for ``ssh-ed25519``: as ssh's own messages call it."""
    return {"ssh-ed25519": "ED25519", "ssh-rsa": "RSA"}.get(type_) or (
        "ECDSA" if type_.startswith("ecdsa-") else type_
    )


def command(spec: ServiceTarget, user: str) -> str:
    """The command that connects."""
    return f"ssh {user}@{spec.ip}" if spec.port == 22 else f"ssh -p {spec.port} {user}@{spec.ip}"


def forget(spec: ServiceTarget) -> str:
    """The command that makes a client forget the old keys."""
    return f"ssh-keygen -R {spec.ip}" if spec.port == 22 else f"ssh-keygen -R '[{spec.ip}]:{spec.port}'"


def judge(memory: SeenKeys, claims: Sequence[Claim], spec: ServiceTarget | None, now: datetime) -> Finding:
    """Judge the keys by the memory that has been updated with them."""
    if memory.before is None:
        if memory.since == now:
            return Finding(
                PROBE, TITLE, Verdict.OK, "seen for the first time, so that nothing can be compared yet"
            )
        return Finding(PROBE, TITLE, Verdict.OK, f"unchanged since {words.moment(memory.since)}")
    if now - memory.since > RECENT:
        return Finding(
            PROBE, TITLE, Verdict.OK, f"unchanged since {words.moment(memory.since)}, when they changed"
        )
    last = memory.before_until or memory.since
    evidence = [
        _change(t, old, memory.keys.get(t)) for t, old in memory.before.items() if memory.keys.get(t) != old
    ]
    # The API server cuts times to the second.
    made = [c for c in claims if c.created_at is not None and c.created_at >= last.replace(microsecond=0)]
    evidence += [f"claim {c.name} was created {words.ago(c.created_at, now)}" for c in made]
    return Finding(
        PROBE,
        TITLE,
        Verdict.WARN,
        f"the host keys changed between {words.moment(last)} and {words.moment(memory.since)}{_why(made, claims)}",
        tuple(evidence),
        _remedy(made, claims),
        forget(spec) if spec else None,
    )


def _change(type_: str, old: str, new: str | None) -> str:
    return f"{short_type(type_)}: {old} → {new or 'gone'}"


def _why(made: Sequence[Claim], claims: Sequence[Claim]) -> str:
    if made:
        return ", because the volume was created again"
    return ", and the volume was not created again" if claims else ""


def _remedy(made: Sequence[Claim], claims: Sequence[Claim]) -> str:
    if made or not claims:
        return "Make your client forget the old keys, compare the fingerprints when it asks, and connect."
    return "Find out who replaced them before you accept the new ones."


def without_keys(folder: str, said: str) -> Finding:
    """The finding where no public host key could be read."""
    evidence = (words.cut(said, 200),) if said.strip() else ()
    remedy = "Correct ssh.host_keys in the settings, or check that sshd has made its keys."
    return Finding(PROBE, TITLE, Verdict.UNKNOWN, f"no public host key in {folder}", evidence, remedy)
