"""The receipt, which answers whoever asks for a repair: what it says as the request goes on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from bot.domain.approvals import card
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Button, Fact, Line, Link, Mention, Reply
from bot.domain.core.stored import Stored, Unreadable

CLOSING = timedelta(minutes=2)
"""How long before it can't be updated any more a receipt is updated for the last time."""
MOST = 200
"""Most receipts that are followed at a time; the oldest are given up."""


@dataclass(frozen=True)
class Receipt:
    """Where somebody's receipt is, and how it can still be updated."""

    request: str
    user: str
    url: str = field(default="", repr=False)
    """The address by which a private answer is replaced; empty for a message that can be edited at any time."""
    until: datetime | None = None
    """Until when the address can be used."""
    left: int = 0
    """How often the address can still be used."""
    channel: str = ""
    """The channel of a message that can be edited."""
    ts: str = ""
    shown: str = ""
    """A digest of what it shows; empty for the first answer."""
    closing: bool = False
    """Whether it is being updated for the last time, since its address soon can't be used any more."""

    @property
    def bounded(self) -> bool:
        """Whether it can be updated only so often, and not for ever."""
        return bool(self.url)

    def ended(self, now: datetime) -> bool:
        """Whether it can't be updated any more."""
        return self.bounded and (self.left <= 0 or self.until is None or self.until <= now)

    def closes(self, now: datetime) -> bool:
        """Whether it has to be updated for the last time now."""
        return self.bounded and not self.closing and self.until is not None and self.until - CLOSING <= now


@dataclass(frozen=True)
class Receipts:
    """All receipts that are followed, the oldest first."""

    followed: tuple[Receipt, ...] = ()

    def of(self, request: str, user: str) -> Receipt | None:
        """The receipt of a user for a request."""
        return next((one for one in self.followed if (one.request, one.user) == (request, user)), None)

    def with_(self, *receipts: Receipt) -> Receipts:
        """A copy with receipts added or replaced."""
        kept = {(one.request, one.user): one for one in (*self.followed, *receipts)}
        return Receipts(tuple(kept.values())[-MOST:])

    def since(self, now: datetime) -> Receipts:
        """A copy without the receipts that can't be updated any more."""
        return Receipts(tuple(one for one in self.followed if not one.ended(now)))

    def without(self, request: str, user: str) -> Receipts:
        """A copy without the receipt of a user for a request."""
        return Receipts(tuple(one for one in self.followed if (one.request, one.user) != (request, user)))


_KEPT = Stored(Receipts)


def dump(receipts: Receipts) -> str:
    """Serialize for the ledger."""
    return _KEPT.dump(receipts)


def load(text: str | None) -> Receipts:
    """Deserialize; none where nothing is kept, or what is kept can't be read."""
    try:
        return _KEPT.load(text) if text else Receipts()
    except Unreadable:
        return Receipts()


@dataclass(frozen=True)
class Update:
    """What a receipt shows from now on."""

    receipt: Receipt
    reply: Reply
    last: bool
    """Whether it is not updated after this."""

    @property
    def digest(self) -> str:
        """A digest of what it shows, to know whether that has changed."""
        return sha256(repr(self.reply).encode()).hexdigest()[:16]


def update(
    receipt: Receipt, repair: RepairRequest, links: Sequence[Link], blocked: str, now: datetime
) -> Update | None:
    """What a receipt has to show now; None where it shows that already, or can't be updated.

    The last use of an address is kept for the request's end, or for the word that nothing follows.
    """
    final = repair.state.final
    last = final or receipt.closing
    if receipt.ended(now) or (receipt.bounded and not last and receipt.left <= 1):
        return None
    asked = repair.state is RequestState.OPEN and not repair.request.approvals
    if asked and not last and not receipt.shown and (not links or (receipt.bounded and receipt.left <= 2)):
        return None  # the first answer says the same
    made = Update(receipt, _reply(receipt, repair, links, blocked), last)
    return made if made.digest != receipt.shown else None


def _reply(receipt: Receipt, repair: RepairRequest, links: Sequence[Link], blocked: str) -> Reply:
    joined = receipt.user != repair.request.requester
    if not repair.state.final and receipt.closing:
        shown = Reply(
            neutral(repair, joined=joined),
            body=("This message is no longer updated. The card shows the current state.",),
            buttons=_buttons(repair, joined=joined),
            notes=(repair.id,),
        )
    elif repair.state is RequestState.OPEN:
        shown = waiting(repair, blocked, joined=joined)
    else:
        shown = _decided(repair, joined=joined)
    return replace(shown, links=tuple(links), shareable=False, repeatable=False)


def neutral(repair: RepairRequest, *, joined: bool) -> str:
    """The headline of a receipt that is not updated: it says nothing that changes."""
    return f"✋ {card.what(repair)}: {'already asked for' if joined else 'asked'}"


def headline(repair: RepairRequest, *, blocked: bool, joined: bool = False) -> str:
    """The headline while a request waits for decisions."""
    has, needed = len(repair.request.approvals), repair.request.needed
    state = (
        "waits, but can't be approved"
        if blocked
        else f"has {has} of {needed} approvals"
        if has
        else "waits for a decision"
        if joined
        else "waits for an approver"
    )
    begins = neutral(repair, joined=True) + "," if joined else f"✋ {card.what(repair)}:"
    return f"{begins} {state}"


def waiting(repair: RepairRequest, blocked: str, *, joined: bool) -> Reply:
    """The receipt while the request waits for decisions."""
    return Reply(
        headline(repair, blocked=bool(blocked), joined=joined),
        body=(
            *card.warnings(repair),
            *((words.upper_first(blocked),) if blocked else ()),
            (CARD_IS_IN, *place(repair), ". I'll message you with the outcome."),
        ),
        facts=_decisions(repair),
        buttons=_buttons(repair, joined=joined),
        notes=(expires(repair),),
    )


CARD_IS_IN = "The card is in "
"""The place of the card follows."""


def expires(repair: RepairRequest) -> str:
    """The request's id, and until when somebody has to decide."""
    return f"{repair.id} · expires {words.clock(repair.request.expires_at)} if nobody decides"


def place(repair: RepairRequest) -> tuple[str | Mention, ...]:
    """Where the card is."""
    return (Mention(repair.channel),) if repair.channel.startswith(("C", "G")) else ("this conversation",)


def _buttons(repair: RepairRequest, *, joined: bool) -> tuple[Button, ...]:
    return (
        (Button("Withdraw", f"withdraw {repair.id}"),) if repair.state is RequestState.OPEN and not joined else ()
    )


def _decided(repair: RepairRequest, *, joined: bool) -> Reply:
    """The receipt once the request is decided: how it stands, and who decided."""
    told: tuple[Line, ...] = ()
    if repair.state is RequestState.EXECUTING:
        told = ("I'll message you with the outcome.",)
    elif repair.state.final and (joined or repair.state is not RequestState.WITHDRAWN):
        told = ("My direct message to you has the details.",)
    shown = card.headline(repair)
    if repair.state is RequestState.APPROVED and not joined:
        shown = f"🔑 {card.what(repair)}: approved, waiting for you to enter it"
        told = ("The button is in my direct message to you.",)
    return Reply(
        shown,
        body=told,
        facts=_decisions(repair),
        notes=(f"You asked for {'the same as ' if joined else ''}{repair.id}",),
    )


def _decisions(repair: RepairRequest) -> tuple[Fact, ...]:
    return tuple(card.decision_fact(one) for one in repair.request.decisions)
