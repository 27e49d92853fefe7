"""The buttons that decide on a request. Each asks for confirmation: on a phone a wrong tap is easily made."""

from __future__ import annotations

from bot.domain.approvals.forecast import cost
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Button


def approve(repair: RepairRequest, *, listed: bool = False) -> Button:
    """Approve the request, after a dialog that says what will happen. ``listed``: among others, so with its id."""
    label, style = (f"Approve {repair.id}", "") if listed else ("Approve", "primary")
    return Button(label, f"approve {repair.id}", style, _what_happens(repair))


def deny(repair: RepairRequest, *, listed: bool = False) -> Button:
    """Deny the request; the reason is asked for afterwards. ``listed``: among others, so with its id."""
    label, style = (f"Deny {repair.id}", "") if listed else ("Deny", "danger")
    text = f"{_what(repair)} will not be carried out. You'll be asked for the reason, which the requester sees."
    return Button(label, f"deny {repair.id}", style, text)


def break_glass(repair: RepairRequest) -> Button:
    """Go ahead without a second person; the reason is asked for afterwards."""
    alone = "It is carried out on your word alone: the card, the audit trail and the digest say so."
    text = f"{alone} {_what_happens(repair)}"
    return Button("Break glass", f"break-glass {repair.id}", style="danger", confirm=text)


def ask_again(repair: RepairRequest) -> Button | None:
    """Make the same request again; None where that takes a form. A forced restart asks first."""
    line = repair.action.again_line(repair)
    if not line:
        return None
    return Button("Ask again", line, confirm=_what_happens(repair) if repair.action.forced else "")


def _what_happens(repair: RepairRequest) -> str:
    """What it ends comes before the effect: the end of a long text is cut in Slack's dialog."""
    effect = repair.action.consequences(repair.effect)
    return " ".join(part for part in (f"{_what(repair)}.", cost(repair.forecast), effect) if part)


def _what(repair: RepairRequest) -> str:
    return repair.action.what(repair)
