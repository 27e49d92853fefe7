"""Which roles there are: a role is a set of capabilities, and one line here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.registry import Registry


class Capability(Enum):
    """What a command needs of whoever runs it; each command names one."""

    HELP = "help"
    """To find out what one may run, and why."""
    EXPLAIN = "explain"
    """To ask what the bot is and what it can do, which says nothing of the pod."""
    VIEW = "view"
    """To see how the pod, its jobs, incidents and requests are."""
    READ_LOGS = "read-logs"
    READ_AUDIT = "read-audit"
    """To read, export and verify the audit trail."""
    HANDLE_INCIDENTS = "handle-incidents"
    """To acknowledge and mute incidents."""
    VIEW_CREDENTIALS = "view-credentials"
    """To see which Secrets and SSH keys there are; no command shows a value."""
    REQUEST = "request"
    """To ask for repairs, and to withdraw what one asked for."""
    DECIDE = "decide"
    """To approve and deny requests."""
    BREAK_GLASS = "break-glass"
    """To skip the approval, for those on approvals.break_glass."""
    PUSH_HEARTBEATS = "push-heartbeats"

    @property
    def private(self) -> bool:
        """Whether answers are for whoever asked alone, and roles are looked up anew before each."""
        return self not in _PUBLIC


ANYBODY = frozenset({Capability.HELP})
"""What anybody may, so every role includes it."""
_PUBLIC = frozenset({Capability.HELP, Capability.EXPLAIN, Capability.VIEW, Capability.BREAK_GLASS})


@dataclass(frozen=True)
class Role:
    """What an access rule gives: a name, as the settings have it, and what its holders may do."""

    name: str
    may: frozenset[Capability]
    """Its capabilities; :data:`ANYBODY` is added."""

    def __post_init__(self) -> None:
        """Add what anybody may."""
        object.__setattr__(self, "may", self.may | ANYBODY)

    def __str__(self) -> str:
        """Its name."""
        return self.name

    def includes(self, other: Role) -> bool:
        """Whether whoever has this role may do all that ``other`` allows."""
        return other.may <= self.may


NONE = Role("none", frozenset())
"""Of whom no rule names: what it has is open to everybody."""
VIEWER = Role("viewer", frozenset({Capability.EXPLAIN, Capability.VIEW, Capability.BREAK_GLASS}))
OPERATOR = Role(
    "operator",
    VIEWER.may
    | {
        Capability.READ_LOGS,
        Capability.READ_AUDIT,
        Capability.HANDLE_INCIDENTS,
        Capability.VIEW_CREDENTIALS,
        Capability.REQUEST,
    },
)
APPROVER = Role("approver", OPERATOR.may | {Capability.DECIDE, Capability.PUSH_HEARTBEATS})
AUDITOR = Role("auditor", frozenset({Capability.EXPLAIN, Capability.READ_AUDIT}))
"""Reads the audit trail, and runs nothing that reads the pod.

The trail's records of repairs have the pod's name, images and generation; `version` has the API server's address.
"""

BUILTIN: Registry[Role] = Registry("role", (NONE, VIEWER, OPERATOR, APPROVER, AUDITOR))
"""The built-in roles. A refusal names the first of them that has the capability."""
_known = BUILTIN


def known() -> Registry[Role]:
    """The roles that access rules can give, and `NONE` for people whom no rule names."""
    return _known


def holders(capability: Capability, among: Iterable[Role] | None = None) -> tuple[Role, ...]:
    """The first role with a capability, and those with it that don't include that one.

    For "operator or higher" that is the operator alone. ``among`` are the roles to choose from, by default all
    known ones. Raises LookupError where no role has it.
    """
    having = [role for role in (_known if among is None else among) if capability in role.may]
    if not having:
        raise LookupError(f"no role may {capability.value}")
    first, *others = having
    return first, *(role for role in others if not role.includes(first))


@contextmanager
def also(*more: Role) -> Iterator[None]:
    """Within the block, access rules can give ``more`` as well."""
    global _known
    before, _known = _known, _known.with_(more)
    try:
        yield
    finally:
        _known = before
