"""Keys of outbox messages. Pure."""

from __future__ import annotations


class MessageKey(str):
    """``kind:id``, or ``kind:id:more`` where one id has several messages. The ledger stores it as text.

    Keys are built and parsed only here. The format must not change, since ledgers of older versions are read.
    """

    __slots__ = ()

    @classmethod
    def of(cls, kind: str, id_: str, *more: str) -> MessageKey:
        """Build the key of a message of a kind about ``id_``."""
        return cls(":".join((kind, id_, *more)) if more else f"{kind}:{id_}")

    @staticmethod
    def prefix(kind: str) -> str:
        """The prefix of all keys of a kind, and of no others."""
        return f"{kind}:"

    @property
    def kind(self) -> str:
        """The name of the message's kind."""
        return self.partition(":")[0]

    @property
    def rest(self) -> str:
        """All after the kind: the id of kinds whose ids may contain colons, such as times."""
        return self.partition(":")[2]

    @property
    def id(self) -> str:
        """What the message is about."""
        return self.rest.partition(":")[0]

    @property
    def more(self) -> tuple[str, ...]:
        """The parts after the id, which distinguish several messages about it; empty parts included."""
        return tuple(self.split(":")[2:])
