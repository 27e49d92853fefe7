"""The registry of repair actions: each action is one module and one line here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.actions.ssh_key_remove import SSH_KEY_REMOVE
from bot.domain.core.registry import Registry

BUILTIN: Registry[RepairAction] = Registry(
    "repair action", (RESTART, FORCE_RESTART, SECRET_SET, SSH_KEY_ADD, SSH_KEY_REMOVE)
)
_known = BUILTIN


def named(name: str) -> RepairAction:
    """The action of that name. Raises KeyError for an unknown one."""
    return _known[name]


@contextmanager
def also(*more: RepairAction) -> Iterator[None]:
    """Register ``more`` actions within a block, so that their requests can be read from the ledger."""
    global _known
    before, _known = _known, _known.with_(more)
    try:
        yield
    finally:
        _known = before
