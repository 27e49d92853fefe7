"""The container's log: what sshd, supercronic and VibeKanban have written so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sandbox.cluster import cronlog

KEPT = 20_000
"""Lines kept; the kubelet rotates logs as well."""
_CRON = 300
_SYNC = 900


@dataclass(frozen=True)
class Line:
    """One line and when it was written."""

    at: datetime
    text: str

    @property
    def stamp(self) -> str:
        """The time as ``--timestamps`` shows it."""
        return self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


@dataclass
class ContainerLog:
    """One run of the container. Lines appear as time passes: :meth:`advance` writes those that are due."""

    started: datetime
    lines: list[Line] = field(default_factory=list)
    written: datetime | None = None
    crontab: str | None = None
    """The crontab that supercronic has read; None: the image's."""
    refused: str = ""
    """What supercronic said of that crontab when it ended at it, as it started; empty where it did not."""
    coming: list[Line] = field(default_factory=list)
    """Lines of runs that have begun whose time has not come: a log has no line from the future."""

    def write(self, text: str, at: datetime) -> None:
        """Add a line."""
        self.lines.append(Line(at, text))
        del self.lines[:-KEPT]

    def advance(self, now: datetime) -> None:
        """Write the three services' lines up to ``now``."""
        if self.written is None:
            self._boot()
            self.written = self.started + timedelta(seconds=7)
        due = self.coming
        if self.crontab is None:
            for moment in _ticks(self.written, now, _CRON):
                due += _cron_lines(moment)
        else:
            due += [Line(at, text) for at, text in cronlog.runs(self.crontab, self.written, now)]
        for moment in _ticks(self.written, now, _SYNC):
            due += _kanban_lines(moment)
        for line in sorted(due, key=lambda one: one.at):
            if line.at <= now:
                self.write(line.text, line.at)
        self.coming = [line for line in due if line.at > now]
        self.written = max(self.written, now)

    def end(self, service: str, now: datetime) -> None:
        """Write the last lines of a run that ended because ``service`` died."""
        self.advance(now)
        for text in LAST_WORDS.get(service, (f"[entrypoint] {service} exited",)):
            self.write(text, now)
        self.write(_STOPPING, now)

    def _boot(self) -> None:
        for seconds, text in _BOOT:
            at = self.started + timedelta(seconds=seconds)
            self.write(text.replace("@TIME@", _log_time(at)), at)
            if self.refused and "read crontab" in text:
                self.write(cronlog.fatal(self.refused, at), at)
                self.write(_STOPPING, at)
                return


_STOPPING = "[entrypoint] a required process exited, stopping the container"
_BOOT = (
    (0.1, "[entrypoint] seeding /home/claude/.ssh/authorized_keys from the Secret mount"),
    (0.2, "[entrypoint] host keys present in /home/claude/.ssh-host-keys"),
    (0.3, "Server listening on 0.0.0.0 port 2222."),
    (0.3, "Server listening on :: port 2222."),
    (0.4, 'time="@TIME@" level=info msg="read crontab: /home/claude/.crontab"'),
    (2.1, "📦 Downloading vibe-kanban... cached v0.1.37-20260918"),
    (4.9, "\x1b[2m@TIME@\x1b[0m \x1b[32m INFO\x1b[0m server: Running database migrations"),
    (5.4, "\x1b[2m@TIME@\x1b[0m \x1b[32m INFO\x1b[0m server: Main server on 0.0.0.0:8081"),
    (5.6, "@TIME@  WARN services::analytics: no analytics key configured, analytics disabled"),
)
LAST_WORDS = {
    "sshd": (
        "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
        "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @",
        "Permissions 0644 for '/home/claude/.ssh-host-keys/ssh_host_ed25519_key' are too open.",
        "sshd: no hostkeys available -- exiting.",
    ),
    "supercronic": ("panic: runtime error: invalid memory address or nil pointer dereference",),
    "vibe-kanban": (
        "📦 Downloading vibe-kanban v0.1.37-20260918...",
        "Download failed: getaddrinfo EAI_AGAIN npm-cdn.vibekanban.com",
    ),
}
NOISY = (
    "<!channel> <!here> <@U000000> everybody look at this",
    "```` ``` *bold* _italics_ ~struck~ `code` &lt;not escaped&gt; & <https://example.invalid|click me>",
    "\u202egnirts desrever\u202c שלום עולם مرحبا بالعالم \u200b\u2066isolated\u2069",
    "👩‍👩‍👧‍👦🏴‍☠️🇩🇪 e\u0301 ﷽ \x1b[31mred\x1b[0m \x07bell",
    "GITHUB_TOKEN=ghp_sandboxFakeToken000000000000000000 retrying",
    "Authorization: Bearer sandbox-fake.bearer.token",
    "postgres://agent:sandbox-fake-password@db.invalid/agent",
    "x" * 100_000,
)
"""Hostile lines: escape codes, markup, tokens. The tokens are made up."""


def _ticks(after: datetime, until: datetime, every: int) -> list[datetime]:
    first = int(after.timestamp()) // every + 1
    last = int(until.timestamp()) // every
    return [datetime.fromtimestamp(number * every, tz=UTC) for number in range(first, last + 1)]


def _log_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cron_lines(moment: datetime) -> list[Line]:
    job = 'job.command=/opt/scripts/session-manager.sh job.position=0 job.schedule="*/5 * * * *"'
    number = int(moment.timestamp()) // _CRON % 100_000
    said = ("starting", "[session-manager] 1 session alive: willikins", "job succeeded")
    found = []
    for index, text in enumerate(said):
        at = moment + timedelta(milliseconds=4 + 610 * index)
        channel = "channel=stdout " if index == 1 else ""
        line = f'time="{_log_time(at)}" level=info msg="{text}" {channel}iteration={number} {job}'
        found.append(Line(at, line))
    return found


def _kanban_lines(moment: datetime) -> list[Line]:
    at = moment + timedelta(seconds=17)
    lines = [Line(at, f"{_log_time(at)}  INFO services::pr_monitor: Checking 0 open PRs")]
    if int(moment.timestamp()) // _SYNC % 8 == 0:
        later = at + timedelta(seconds=1)
        text = "WARN services::container: worktree cleanup skipped, 1 workspace in use"
        lines.append(Line(later, f"{_log_time(later)}  {text}"))
        peer = at + timedelta(seconds=90)
        lines.append(Line(peer, "Connection closed by 192.168.55.40 port 51822 [preauth]"))
    return lines
