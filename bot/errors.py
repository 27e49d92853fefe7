"""The bot's exceptions, classified by what the reader should do about them.

::

    AgentpodError                 message (a sentence), remedy (what to do) or None
    ├── Refused                   a rule said no; nothing was tried
    │   ├── UsageError            the command line was wrong; carries the usage of that one command
    │   ├── AccessDenied          the caller lacks the role; carries the rule and whom to ask
    │   ├── SwitchedOff           the settings have it switched off, for as long as the bot runs
    │   ├── Unfit                 the settings or the runbook don't fit the target
    │   └── SettingsError         the configuration is wrong; carries every problem at once
    ├── Transient                 may work when tried again; carries retry_after (seconds or None)
    │   ├── TimedOut              no answer within the deadline
    │   └── Uncertain             a change was sent, and no answer says whether it took effect
    └── Permanent                 will not work until somebody changes something
        ├── NotAllowed            the other side refused our credentials or rights (401, 403)
        │   └── MissingRight      the bot's account lacks a right of Kubernetes
        ├── Denied                the other side's own rules refused it: a quota, an admission policy (403)
        ├── Leaked                secret values lie in plain text where only encrypted ones should
        ├── Conflict              the object has changed since it was read (409)
        ├── NotServed             the API server answers 404 for a kind of object that each one has
        └── NotFound              the thing does not exist (404)
            └── NoSuchKind        the API server knows no such kind of object

Adapters translate their vendor's exceptions into these; nothing else in the bot catches a vendor's exception. No
message contains a secret's value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class AgentpodError(Exception):
    """Base of all errors that a user may see: ``message`` is one sentence, ``remedy`` the next step."""

    short = ""
    """The cause in short, for the first line of an answer, where ``message`` quotes another side at length."""
    rest = ""
    """What ``short`` leaves out; empty: it may leave out any part of ``message``."""
    perhaps_asked = False
    """Of a command that asks for a repair: whether the request may have been stored all the same."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        """Keep the sentence and the remedy."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    @property
    def first_line(self) -> str:
        """The first line of an answer."""
        return self.short or self.message

    @property
    def below(self) -> str:
        """What stands below the first line, which is not said again; empty where that says all."""
        return (self.rest or self.message) if self.short else ""

    def in_short(self, short: str, rest: str) -> Self:
        """Set ``short`` and ``rest``; gives the error itself."""
        self.short, self.rest = short, rest
        return self

    def within(self, place: str) -> Self:
        """Have the message begin with where it happened, unless ``place`` is empty; gives the error itself.

        With "In" before the place: after a Secret's name, as in ``agent-secrets: Cluster west: …``, the word would
        be redacted as a value.
        """
        begins = f"In {place}: "
        if place and not self.message.startswith(begins):
            self.message = begins + self.message
            self.short = self.short and begins + self.short
            self.args = (self.message,)
        return self


class Refused(AgentpodError):
    """A rule said no, and nothing was tried."""


class UsageError(Refused):
    """The command line was wrong; ``usage`` is the usage of the one command meant, or None."""

    def __init__(
        self,
        message: str,
        *,
        usage: str | None = None,
        suggestion: str | None = None,
        remedy: str | None = None,
    ) -> None:
        """``suggestion`` is a command line that would be right, if one is near."""
        super().__init__(message, remedy=remedy)
        self.usage = usage
        self.suggestion = suggestion


class AccessDenied(Refused):
    """The caller may not do this; ``rule`` names what refused."""

    def __init__(
        self,
        message: str,
        *,
        rule: str,
        remedy: str | None = None,
        channels: tuple[str, ...] = (),
        others: tuple[str, ...] = (),
    ) -> None:
        """Keep the rule that refused, the ``channels`` in which none would, and the ``others`` who may."""
        super().__init__(message, remedy=remedy)
        self.rule = rule
        self.channels = channels
        self.others = others


class SwitchedOff(Refused):
    """The settings have it switched off: until the bot starts with others, it is refused each time."""


class Unfit(Refused):
    """The settings or the runbook don't fit the target: it is refused each time until somebody corrects that."""


class SettingsError(Refused):
    """The configuration is wrong; ``problems`` lists every problem found, each a full sentence."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Join the problems into one message."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Transient(AgentpodError):
    """May work when tried again, after ``retry_after`` seconds where the other side said so."""

    def __init__(self, message: str, *, remedy: str | None = None, retry_after: float | None = None) -> None:
        """``retry_after`` is the pause that the other side asked for, in seconds."""
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class Unreachable(Transient):
    """No connection can be made."""


class TimedOut(Transient):
    """No answer within the deadline."""


class Uncertain(Transient):
    """A change was sent, and it isn't known whether it took effect: check before sending it again."""


class Permanent(AgentpodError):
    """Will not work until somebody changes something."""


class NotAllowed(Permanent):
    """The other side refused our credentials or our rights."""


class MissingRight(NotAllowed):
    """The bot's account in the cluster lacks a right."""

    def __init__(self, right: str, account: str, *, roles: str, apply: str) -> None:
        """``roles grant it``: such as "the Roles in deploy/ grant"; ``apply`` is a command that does."""
        super().__init__(f"The bot may not {right}.", remedy=f"Grant {account} the right to {right}: {roles} it.")
        self.right, self.account, self.roles, self.apply = right, account, roles, apply


class Denied(Permanent):
    """The other side's own rules refused it, whatever our rights: a quota, an admission policy, Pod Security."""

    def __init__(self, message: str, *, remedy: str | None = None, short: str = "", rest: str = "") -> None:
        """``short`` says who refused it, and why; ``rest`` what else the other side says."""
        super().__init__(message, remedy=remedy)
        self.short, self.rest = short, rest


class Leaked(Permanent):
    """Secret values lie in plain text where only encrypted ones should: whoever could read them has them."""


class Conflict(Permanent):
    """The object has changed since it was read, so nothing was changed: read it again and decide anew."""


class NotServed(Permanent):
    """The API server answers 404 for a kind of object that each one has: the address may be another server's."""


class NotFound(Permanent):
    """The thing does not exist."""


class NoSuchKind(NotFound):
    """The API server knows no such kind of object: what provides it is not installed."""


def unexpected(what: str, error: Exception) -> Permanent:
    """Wrap an unexpected exception, from a defect or strange input, so that it is reported like any other error.

    ``what`` says what failed, such as "The heartbeats could not be judged"; the exception's type and text follow.
    """
    said = " ".join(str(error).split())
    cause = f"{type(error).__name__}: {said[:200]}" if said else type(error).__name__
    return Permanent(f"{what}: {cause}.", remedy="The bot's log has the details: report them as a defect.")
