"""Create and copy frozen dataclasses faster than the generated ``__init__`` does.

That sets each field through a call of its own, which is a good part of the time of a poll in which a hundred
incidents begin. Both functions are only for classes without slots, ``__post_init__``, default factories and cached
properties; mypy checks the fields as usual. A field that is not given is read from the class, where a dataclass
keeps its defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import replace as replace
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

    def make(kind: Callable[P, T], /, *_: P.args, **fields: P.kwargs) -> T:
        """As ``kind(**fields)``."""
else:

    def make(kind, /, **fields):
        """As ``kind(**fields)``."""
        kind.__dataclass_fields__  # noqa: B018 - a `lazy_dataclass` has its methods from here on
        made = object.__new__(kind)
        made.__dict__.update(fields)
        return made

    def replace(thing, /, **changes):
        """As `dataclasses.replace`."""
        made = object.__new__(type(thing))
        values = made.__dict__
        values.update(thing.__dict__)
        values.update(changes)
        return made
