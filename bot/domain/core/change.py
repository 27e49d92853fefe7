"""What changed about a target or the bot itself, as it was noticed. Pure.

A change never holds a value that may be secret: images, nodes and revisions are shown as they are, of everything
else the names of what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.images import reference
from bot.domain.core.lazy_dataclass import dataclass

BOT = ""
"""The target of changes of the bot itself."""
IMAGE, RESTART, TEMPLATE, SECRET, CONFIG_MAP, NODE, ARGOCD, CRONTAB, SETTINGS = (
    "image",
    "restart",
    "template",
    "secret",
    "configmap",
    "node",
    "argocd",
    "crontab",
    "settings",
)
DELETED, CREATED, CREATED_AGAIN, REPLACED = "deleted", "created", "created again", "deleted and created again"
"""What happened to a whole Secret or ConfigMap; what changed about its keys may follow."""
LONGEST = 400
"""Most characters of a subject and of each of its two states."""
NAMED = 6
"""Most names of what changed; the others are counted."""
SURE = timedelta(minutes=2)
"""Two looks at most this far apart date a change well enough to say one time."""


@dataclass(frozen=True)
class Change:
    """One thing that changed between two looks."""

    target: str
    """The target's name; `BOT` for the bot's own settings."""
    kind: str
    """One of this module's kinds."""
    subject: str
    """The container, the Secret, the Application, the file; empty for several containers that restarted."""
    before: str
    """What it was; empty where only ``after`` says what changed."""
    after: str
    """What it is, or what changed about it."""
    at: datetime
    """The look that noticed it."""
    not_before: datetime
    """The last look that saw the state before."""
    number: int = 0
    """Its number in the ledger."""

    @property
    def source(self) -> str:
        """How a sentence cites it: ``change 12``."""
        return f"change {self.number}"

    @property
    def text(self) -> str:
        """What changed, in one line without its time."""
        return f"{self._what}: {self._how}"

    @property
    def dated(self) -> bool:
        """Whether its time is known, within `SURE`."""
        return self.at - self.not_before <= SURE

    @property
    def public(self) -> Change:
        """The change as everybody in a channel may see it: of Secrets and ConfigMaps without the names of keys."""
        if self.kind not in (SECRET, CONFIG_MAP):
            return self
        whole, _, _ = self.after.partition(": ")
        seen = whole if whole in (DELETED, CREATED, CREATED_AGAIN, REPLACED) else "what it holds changed"
        return replace(self, after=seen)

    @property
    def _what(self) -> str:
        called = "containers" if self.kind == RESTART and not self.subject else _CALLED.get(self.kind, self.kind)
        return f"{called} {self.subject}" if self.subject else called.removesuffix(" of")

    @property
    def _how(self) -> str:
        if not self.before:
            return self.after
        if self.kind == IMAGE and self.after:
            return _image_change(self.before, self.after)
        return f"{self.before} → {self.after}" if self.after else f"{self.before} is gone"


def _image_change(before: str, after: str) -> str:
    """Two images as they are stored; within one repository only their tags and digests."""
    repository = reference(before.partition(" ")[0]).repository
    if reference(after.partition(" ")[0]).repository == repository:
        before, after = (one.removeprefix(repository).lstrip(":@ ") or one for one in (before, after))
    return f"{before} → {after}"


_CALLED = {
    IMAGE: "image of",
    RESTART: "container",
    TEMPLATE: "pod template",
    SECRET: "Secret",
    CONFIG_MAP: "ConfigMap",
    NODE: "node",
    ARGOCD: "Argo CD revision of",
    CRONTAB: "crontab",
    SETTINGS: "settings of the bot",
}


def when(change: Change) -> str:
    """The time of a change: one if it is known within `SURE`, else the two looks that it lies between."""
    if change.dated:
        return words.moment(change.at)
    return f"between {words.moment(change.not_before)} and {words.moment(change.at)}"


def bounded(change: Change) -> Change:
    """The change with texts that fit into the ledger."""
    return replace(
        change,
        subject=words.cut(change.subject, LONGEST),
        before=words.cut(change.before, LONGEST),
        after=words.cut(change.after, LONGEST),
    )


def pairs(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The subjects whose values differ, each with both values; empty for one that is not there."""
    return [
        (name, before.get(name, ""), after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name, "") != after.get(name, "")
    ]


def keys_changed(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What changed about named values, by their names: ``value of A changed, B new, C gone``; empty: nothing."""
    changed = [name for name in after if name in before and before[name] != after[name]]
    new, gone = [name for name in after if name not in before], [name for name in before if name not in after]
    said = [f"{'value' if len(changed) == 1 else 'values'} of {named(changed)} changed"] if changed else []
    said += [f"{named(new)} new"] if new else []
    said += [f"{named(gone)} gone"] if gone else []
    return ", ".join(said)


def named(names: Iterable[str]) -> str:
    """Some names, at most `NAMED` of them."""
    found = sorted(names)
    shown: Sequence[str] = [words.cut(name, 60) for name in found[:NAMED]]
    more = len(found) - len(shown)
    return words.listed([*shown, f"{more} more"]) if more else words.listed(shown)


def lines_changed(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """How many lines were added and are gone; both map a line's fingerprint to how often it is there."""
    added = sum(max(0, int(count) - int(before.get(line, "0"))) for line, count in after.items())
    gone = sum(max(0, int(count) - int(after.get(line, "0"))) for line, count in before.items())
    said = [f"{words.plural(added, 'line')} added"] if added else []
    said += [f"{words.plural(gone, 'line')} gone"] if gone else []
    return ", ".join(said) or "lines in another order"
