"""Roles of the settings' own: lists of capabilities, and of roles whose capabilities they take over. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from bot.domain.core import invalid, words
from bot.domain.rbac import roles
from bot.domain.rbac.roles import ANYBODY, Capability, Role

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
CAPABILITIES = tuple(one.value for one in Capability if one not in (*ANYBODY, Capability.EXPLAIN))
"""What the settings can list: every role has the others."""
_TAKEN_OVER = tuple(role.name for role in roles.BUILTIN if role != roles.NONE)

_OF_USE_WITH: Mapping[Capability, Capability] = {
    Capability.REQUEST: Capability.VIEW,
    Capability.DECIDE: Capability.VIEW,
    Capability.HANDLE_INCIDENTS: Capability.VIEW,
    Capability.BREAK_GLASS: Capability.VIEW,
}
"""Capability → the one without which its holder can't see what it is about."""


def _name(value: str) -> str:
    """A name for a role. Raises ValueError for one that is taken, or is no name."""
    if value in roles.BUILTIN:
        raise ValueError(f"{value} is a built-in role, which can't be changed: give yours another name")
    if value in {one.value for one in Capability}:
        raise ValueError(f"{value} is a capability: give the role another name")
    if not _NAME.fullmatch(value):
        raise ValueError("a role's name takes small letters, digits and -, and begins with a letter")
    return value


def _entry(value: object) -> str:
    """A capability, or a role to take over. Raises ValueError with those there are, and the nearest one."""
    if isinstance(value, str) and value in (*CAPABILITIES, *_TAKEN_OVER):
        return value
    if value in {one.value for one in (*ANYBODY, Capability.EXPLAIN)}:
        raise ValueError(f"every role has {value!r}: leave it out")
    near = difflib.get_close_matches(str(value).lower(), (*CAPABILITIES, *_TAKEN_OVER), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    known = (
        f"capabilities are {words.listed(CAPABILITIES)}; the capabilities of a role: {words.either(_TAKEN_OVER)}"
    )
    raise ValueError(f"there is no capability {str(value)[:40]!r}: {hint}{known}")


def _entries(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("the role may do nothing: list its capabilities")
    return value


_Entry = Annotated[str, BeforeValidator(_entry), WithJsonSchema({"enum": [*CAPABILITIES, *_TAKEN_OVER]})]
OwnRoles = dict[Annotated[str, AfterValidator(_name)], Annotated[tuple[_Entry, ...], AfterValidator(_entries)]]
"""The field's type in the settings: name → capabilities, and roles to take over."""


def made(name: str, entries: Iterable[str]) -> Role:
    """The role of that name. Entries that are unknown give nothing."""
    listed = list(entries)
    taken = [one.may for one in roles.BUILTIN if one.name in listed and one != roles.NONE]
    may = {one for one in Capability if one.value in listed and one.value in CAPABILITIES}
    return Role(name, frozenset(may | {Capability.EXPLAIN}).union(*taken))


def given_in(policy: object) -> Iterator[Role]:
    """The roles in an access policy that is not validated yet; what is no role is left out."""
    listed = policy.get("roles") if isinstance(policy, dict) else None
    for name, entries in listed.items() if isinstance(listed, dict) else ():
        if isinstance(name, str) and name not in roles.known():
            yield made(name, _texts(entries))


def _texts(entries: Any) -> list[str]:
    return [one for one in entries if isinstance(one, str)] if isinstance(entries, list | tuple) else []


def lacking(own: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """(role, capability that it has, the one that is missing for this to be of use)."""
    for name, entries in own.items():
        may = made(name, entries).may
        for has, needs in _OF_USE_WITH.items():
            if has in may and needs not in may:
                yield name, has.value, needs.value
                break


def _role(value: object) -> Role:
    """The role of that name. Raises ValueError with the names that can be given, and the nearest one."""
    found = value if isinstance(value, Role) else roles.known().get(value) if isinstance(value, str) else None
    if found is None:
        names = [role.name for role in roles.known() if role != roles.NONE]
        raise ValueError(f"it takes {words.either(names)}{invalid.nearest(value, names)}")
    return found


ByName = Annotated[
    Role,
    PlainValidator(_role),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"anyOf": [{"enum": list(_TAKEN_OVER)}, {"type": "string", "pattern": f"^{_NAME.pattern}$"}]}),
]
"""A role in the settings."""
