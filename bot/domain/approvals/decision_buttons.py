"""The buttons that decide on a request.

On a phone a wrong tap is easily made. So an approval asks for confirmation, and others but Withdraw open a form.
"""

from __future__ import annotations

from bot.domain.approvals.forecast import cost
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import labels, words
from bot.domain.core.reply import Button


def approve(repair: RepairRequest) -> Button:
    """Approve the request, after a dialog that says what will happen."""
    return Button("Approve", f"approve {repair.id}", "primary", what_happens(repair))


def deny(repair: RepairRequest) -> Button:
    """Open the form for a denial's reason."""
    return Button("Deny", f"deny {repair.id}", "danger")


def break_glass(repair: RepairRequest) -> Button:
    """Open the form for the reason to go ahead without a second person."""
    return Button("Break glass", f"break-glass {repair.id}", style="danger")


def ask_again(repair: RepairRequest) -> Button | None:
    """Open the form for the same request, with its reason; the command's own form where that asks for all.

    None for a repair that this version of the runbook no longer declares, or whose steps can't be read.
    """
    if line := repair.action.again_line(repair):
        return Button("Ask again", line)
    if not repair.action.by_form:
        return None
    line = f"{repair.action.name} --target {words.quoted(repair.target)}"
    return Button(labels.of(line), line)


def what_happens(repair: RepairRequest) -> str:
    """What it ends comes before the effect: the end of a long text is cut in Slack's dialog."""
    effect = repair.action.consequences(repair.effect)
    return " ".join(part for part in (f"{repair.action.what(repair)}.", cost(repair.forecast), effect) if part)
