"""Where checks read from, and what is said when a source gives nothing: unknown, never ok."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.summary import NO_ANSWER, MissingRights, UnknownCause
from bot.domain.heartbeats.judge_heartbeats import SEE
from bot.errors import AgentpodError, MissingRight, NotAllowed, TimedOut


@dataclass(frozen=True)
class Source:
    """Where facts come from, and what is said when nothing comes."""

    key: str
    title: str
    silent: str
    remedy: str | None = None
    run: str | None = None


API = Source(
    "kubernetes",
    "API server",
    "the API server does not answer",
    "Check the API server and the bot's network; the pod itself may be fine.",
    "kubectl cluster-info",
)
EXEC = Source(
    "exec",
    "Commands in the pod",
    "commands in the pod get no answer",
    "The API server, the node or the pod may hold them up; the processes may be fine.",
    "/agentpod pods",
)
GATEWAY = Source(
    "pushgateway",
    "Pushgateway",
    "the Pushgateway does not answer",
    SEE,
    "/agentpod heartbeats",
)


LEDGER = Source("ledger", "Ledger", "the ledger does not answer")


class SourceUnavailable(Exception):
    """A source gave nothing: ``error`` says why, None for no answer within the deadline."""

    def __init__(self, source: Source, waited: float, error: AgentpodError | None = None) -> None:
        """``waited`` is the deadline in seconds."""
        super().__init__(source.key)
        self.source = source
        self.waited = waited
        self.error = error

    @property
    def is_silence(self) -> bool:
        """Whether nothing came at all, as opposed to an error."""
        return self.error is None or isinstance(self.error, TimedOut)


class Blocked(Exception):
    """A check makes no sense because of what another one found; ``reason`` says it in words."""

    def __init__(self, check: str, reason: str) -> None:
        """``check`` is the id of the other one."""
        super().__init__(reason)
        self.check = check
        self.reason = reason


def unread_finding(check: str, title: str, unread: SourceUnavailable) -> Finding:
    """The finding for a source that gave nothing: the error's own sentence and remedy, or "no answer in 3 s"."""
    source, error = unread.source, unread.error
    if error is None:
        summary = f"{NO_ANSWER} {words.seconds(unread.waited)}"
        return Finding(check, title, Verdict.UNKNOWN, summary, (source.silent,), source.remedy, source.run)
    silent = unread.is_silence and not error.message.startswith(NO_ANSWER)
    said = f"{NO_ANSWER} {words.seconds(unread.waited)}" if silent else error.first_line
    summary = words.lower_first(words.cut(said, 140))
    whole = "" if silent else error.below or (error.message if len(error.message) > 140 else "")
    evidence = (words.cut(whole, 1000),) if whole else ()
    return Finding(
        check, title, Verdict.UNKNOWN, summary, evidence, error.remedy or source.remedy, _run_of(unread)
    )


def cause_of(unread: SourceUnavailable) -> UnknownCause:
    """What several checks have in common when one source fails them all alike."""
    source, error = unread.source, unread.error
    if isinstance(error, MissingRight):
        return _missing(source, error)
    if error is None or unread.is_silence:
        summary = f"{NO_ANSWER} {words.seconds(unread.waited)}"
        key: tuple[str, ...] = (source.key, "silent")
    else:
        summary = words.lower_first(words.cut(error.first_line, 140))
        # Where the first line is cut, two reasons that begin alike may still differ behind its request.
        rest = error.message.partition(": ")[2] if error.first_line.endswith("…") else ""
        key = (source.key, type(error).__name__, error.first_line, rest)
    remedy = (error.remedy if error else None) or source.remedy
    return UnknownCause(key, source.key, source.title, source.silent, summary, remedy, _run_of(unread))


def _missing(source: Source, error: MissingRight) -> UnknownCause:
    """A right that the account lacks; several of them are one cause, whatever they keep from being read."""
    return UnknownCause(
        ("rights", error.account, error.roles),
        source.key,
        source.title,
        source.silent,
        words.lower_first(error.message),
        error.remedy,
        right=error.right,
        grant=MissingRights(f"Grant {error.account} these rights: {error.roles} them.", error.apply),
    )


def _run_of(unread: SourceUnavailable) -> str | None:
    """The source's next step; for a missing right the command that grants it, where it is known."""
    if isinstance(unread.error, MissingRight):
        return unread.error.apply
    return None if isinstance(unread.error, NotAllowed) else unread.source.run
