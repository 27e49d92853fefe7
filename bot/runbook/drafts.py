"""A click never asks for a repair at one tap: it opens the form, filled in with the reason of the button."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bot.domain.core.reply import Form, Reply
from bot.runbook.command import Concerns, Invocation
from bot.runbook.context import Caller

REASON = "reason"


class Drafted(NamedTuple):
    """An invocation without its reason, and the reason that its form begins with; empty for none."""

    invocation: Invocation
    reason: str


def drafted(invocation: Invocation, caller: Caller) -> Drafted:
    """Take the reason out of a clicked line that asks for a repair; any other invocation stays as it is."""
    reason = getattr(invocation.params, REASON, None)
    is_decision = invocation.command.concerns is Concerns.REQUEST
    if caller.surface != "button" or is_decision or invocation.dry_run or not reason:
        return Drafted(invocation, "")
    params = invocation.params.model_copy(update={REASON: None})
    return Drafted(replace(invocation, params=params), reason)


def begun(reply: Reply, reason: str) -> Reply:
    """The reply with its form, where it has one, filled in with that reason."""
    if not reason or reply.form is None:
        return reply
    return replace(reply, form=_filled(reply.form, reason))


def _filled(form: Form, reason: str) -> Form:
    fields = (replace(field, initial=reason) if field.name == REASON else field for field in form.fields)
    return replace(form, fields=tuple(fields))
