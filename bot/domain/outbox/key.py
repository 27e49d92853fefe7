"""Which message one is. Pure."""

from __future__ import annotations


class MessageKey(str):
    """``kind:id``, and more after further colons where one id has several messages: the text the ledger stores.

    Written and taken apart here only. One message has one key for ever: an older version's ledger is continued.
    """

    __slots__ = ()

    @classmethod
    def of(cls, kind: str, id_: str, *more: str) -> MessageKey:
        """The key of a kind's message about ``id_``."""
        return cls(":".join((kind, id_, *more)) if more else f"{kind}:{id_}")

    @staticmethod
    def prefix(kind: str) -> str:
        """How all keys of a kind begin, and no other's."""
        return f"{kind}:"

    @property
    def kind(self) -> str:
        """The name of the message's kind."""
        return self.partition(":")[0]

    @property
    def rest(self) -> str:
        """All that follows the kind: the id where an id may have colons itself, such as a time."""
        return self.partition(":")[2]

    @property
    def id(self) -> str:
        """What the message is about."""
        return self.rest.partition(":")[0]

    @property
    def more(self) -> tuple[str, ...]:
        """What tells apart several messages about one id; empty parts included."""
        return tuple(self.split(":")[2:])
