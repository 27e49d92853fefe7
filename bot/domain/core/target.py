"""The watched workload, as configured. What its runbook says of the pod is filled in by the settings' loader."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from bot.domain.core import addresses, words
from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.cron import DIALECTS, Dialect, check_crontab, name_of, next_run
from bot.domain.core.links import JobRunbookUrl, LinkSetting
from bot.domain.core.pattern import pattern

Severity = Literal["critical", "warning"]
IssueReference = Annotated[str, Field(pattern=r"^(|([A-Za-z0-9_.-]+/)?[A-Za-z0-9_.-]+#[1-9][0-9]{0,9})$")]
"""A GitHub issue, or none. Without an owner it is one of the organisation that the health-bridge knows.

In letters that GitHub knows: a pattern of all letters there are holds a MiB.
"""

SHORTEST = timedelta(seconds=1)
"""The shortest ``stale_after``: less could not be distinguished from clock skew."""
MOST_RUNS = 10
"""Most runs that a grace may span."""
POD = "pod"
"""The pod's key in histories that are kept by job; therefore no job may have this name."""
LONGEST = timedelta(days=400)
"""The longest ``stale_after`` or ``grace``: a yearly job, and a month."""


MAX_PATTERN = 500
"""Longest accepted regular expression, in characters."""


def _regex(value: str) -> str:
    if len(value) > MAX_PATTERN:
        raise ValueError(f"the pattern has {len(value):,} characters; at most {MAX_PATTERN} are taken")
    pattern(value)
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone is called {value[:60]!r}; use a name such as Europe/Berlin") from error
    return value


_DURATION = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,9})?)(?P<unit>ms|s|m|h|d|w)")
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_LONGEST_TEXT = 40
"""Longest text of a duration, in characters: searching a hundred thousand digits would take minutes."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_duration(value: object) -> timedelta:
    """Parse ``10m``, ``1h30m`` or ``500ms``. Raises ValueError, also for no unit, and for zero or less."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = max(min(value, 10**12), -1)  # str() refuses integers of thousands of digits
    seconds = value.total_seconds() if isinstance(value, timedelta) else _duration_text(str(value).strip())
    if not 0 < seconds <= 10 * 365 * 86400:
        raise ValueError(f"{value!r} is not a usable duration: use more than nothing and at most ten years")
    return timedelta(seconds=seconds)


def _zero_or_duration(value: object) -> timedelta:
    return timedelta() if value in (0, "0", "0s", timedelta()) else parse_duration(value)


def limited(least: timedelta, most: timedelta) -> Callable[[timedelta], timedelta]:
    """Return a validator that raises ValueError, naming the limits, for a duration outside of them."""

    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise ValueError(f"takes {words.age(least)} to {words.age(most)}, not {words.age(value)}")
        return value

    return check


def _duration_text(text: str) -> float:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"{text[:20] + '…'!r} is not a duration: write 30s, 10m, 3h, 1h30m or 2d")
    if _NUMBER.fullmatch(text):
        if (number := float(text)) <= 0:
            return number
        raise ValueError(f"{text} has no unit, so it is no duration: write {text}s, {text}m, {text}h or {text}d")
    matches = list(_DURATION.finditer(text))
    if not matches or "".join(m.group(0) for m in matches) != text:
        raise ValueError(f"{text!r} is not a duration: write 30s, 10m, 3h, 1h30m or 2d")
    return sum(float(m["number"]) * _UNITS[m["unit"]] for m in matches)


def _one_line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError(f"a job's name is one line without a space at its ends, not {value!r}")
    return value


def _word(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a command's words have no line breaks or control characters")
    return value


_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:{_LABEL}\.){{0,60}}(?![0-9]+$){_LABEL}")
"""A host name. Its last part is not a number: else 999.1.1.1 would be one."""


def _address(value: str) -> str:
    found = addresses.normal(value)
    if not (_is_ip(found) or _HOST.fullmatch(found)):
        raise ValueError(f"{value!r} is no IP address or host name; a port has a setting of its own")
    return found


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _host_port(value: str) -> str:
    host, _ = addresses.split_port(value)
    _address(host)
    return value


def _no_boolean(value: object) -> object:
    """Refuse yes and no, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("this is yes or no, not a number: write a number")
    return value


ContainerName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
ConfigMapName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$", max_length=253)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
DurationOrZero = Annotated[timedelta, BeforeValidator(_zero_or_duration)]
IpAddress = Annotated[str, AfterValidator(_address)]
Number = Annotated[int, BeforeValidator(_no_boolean)]
JobName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Regex = Annotated[str, AfterValidator(_regex)]
Zone = Annotated[str, AfterValidator(_zone)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


Word = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_word)]


class ProcessRule(_Model):
    """A process that must run: ``match`` is searched in its command line (arguments included)."""

    name: str = Field(min_length=1, max_length=60)
    """How messages call it. A bare name in the list stands for a rule: a program that is called so."""
    match: Regex
    """A regular expression (RE2: no look-around) that is searched in the command line, arguments included."""

    @classmethod
    def named(cls, name: str) -> ProcessRule:
        """Make the rule for a bare name: it matches as a whole word at the start or after a slash or space."""
        return cls(name=name, match=_bare(name))

    @cached_property
    def is_bare(self) -> bool:
        """Whether it was given as a bare name, which must be the program itself, not an argument."""
        return self.match == _bare(self.name)


def _bare(name: str) -> str:
    return rf"(?:^|[\s/]){re.escape(name)}(?:$|[\s:])"


def _process(value: object) -> object:
    return ProcessRule.named(value) if isinstance(value, str) else value


def _allow_bare_names(schema: dict[str, Any]) -> None:
    processes = schema["properties"]["processes"]
    processes["items"] = {"anyOf": [{"type": "string"}, processes["items"]]}


class ContainerTarget(_Model):
    """One container of the pod and what must be true inside it."""

    model_config = ConfigDict(json_schema_extra=_allow_bare_names)

    name: str = "kali"
    """The container's name in the pod."""
    user: str | None = None
    """What ``id`` must start with; null: anybody but root. Not set: as the runbook says."""
    processes: tuple[Annotated[ProcessRule, Field()], ...] = ()
    """The processes that must run in it. Not set: those of the runbook."""
    home: str = Field(default="/home/claude", pattern=r"^/[^\x00-\x1f]*$", max_length=4000)
    """The home directory. The bot checks how full its volume is."""
    stop: tuple[Word, ...] = Field(default=("kill", "1"), min_length=1, max_length=20)
    """The command that ends its main process, for `restart --container`; run in the container, without a shell."""

    @model_validator(mode="before")
    @classmethod
    def _bare_process_names(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("processes"), list | tuple):
            data = {**data, "processes": tuple(_process(item) for item in data["processes"])}
        return data


class ServiceTarget(_Model):
    """One address the pod is reached at: the Service that must carry it, and what must answer there."""

    name: str
    """How messages call it: "SSH", "VibeKanban"."""
    ip: IpAddress
    """The LoadBalancer's address that must be assigned: an IPv4 or IPv6 address, or a host name."""
    port: Number | None = Field(default=None, ge=1, le=65535)
    """The port at that address; only an entry with ``check: address`` can do without."""
    protocol: Literal["TCP", "UDP"] = "TCP"
    """The port's protocol. Nothing is connected to over UDP: a server need not answer there."""
    target_port: Number | None = Field(default=None, ge=1, le=65535)
    """The port in the pod, where it is another one."""
    check: Literal["ssh", "http", "tcp", "address"] = "tcp"
    """What must answer there: an SSH server, an HTTP server, or anything (tcp). ``address``, the default for UDP,
    connects to nothing: the address must be assigned, with the port if one is given."""
    path: str = Field(default="/", pattern=r"^/")
    """What an HTTP server is asked for."""
    expect_status: Number = Field(default=200, ge=100, le=599)
    """The status that an HTTP server must answer with."""
    connect: Annotated[str, AfterValidator(_host_port)] | None = Field(
        default=None, pattern=r"^[^\x00-\x20/]+:[0-9]{1,5}$"
    )
    """``host:port`` (``[IPv6]:port``) to check through, where the bot can't reach the address itself."""

    @model_validator(mode="before")
    @classmethod
    def _udp_by_address(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("protocol") == "UDP":
            return {"check": "address", **data}
        return data

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse what would have no effect, or can't be checked."""
        if self.protocol == "UDP" and self.check != "address":
            raise ValueError(f"check: {self.check} connects by TCP: with protocol: UDP, leave check out")
        if self.check != "address" and self.port is None:
            raise ValueError(f"check: {self.check} needs a port; check: address does without one")
        if self.port is None and (self.protocol == "UDP" or self.target_port is not None):
            given = "protocol" if self.protocol == "UDP" else "target_port"
            raise ValueError(f"{given} needs the port that it is about")
        idle = sorted({"path", "expect_status", "connect"} & self.model_fields_set)
        if self.check == "address" and idle:
            raise ValueError(f"{idle[0]} has no effect: with check: address nothing is connected to")
        return self

    @property
    def connects(self) -> bool:
        """Whether its server is asked for an answer."""
        return self.check != "address"


MOST_SENTENCES = 600
Sentences = Annotated[str, Field(min_length=1, max_length=MOST_SENTENCES)]


class Remedy(_Model):
    """What to do; where it often passes by itself, that it does, and after how long the step is due."""

    passes: Sentences | None = None
    """How it passes by itself; not set: it doesn't."""
    within: Duration = timedelta(minutes=1)
    """After how long the step is due all the same."""
    then: Sentences
    """The next step. A bare text stands for this alone."""

    def after(self, lasted: timedelta | None) -> str:
        """What to do now that it has ``lasted`` so long; None where nobody knows."""
        if self.passes is None or (lasted is not None and lasted > self.within):
            return self.then
        return f"{self.passes} If it does not, {self.then[:1].lower()}{self.then[1:]}"


_PROCESS = "Read the log for why it ended. If nothing starts it again, restart the pod."


def _remedy(value: object) -> object:
    """A bare text stands for the step alone. Raises as a text's own type does."""
    if isinstance(value, Mapping | Remedy):
        return value
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    if not value:
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    if len(value) > MOST_SENTENCES:
        raise PydanticKnownError("string_too_long", {"max_length": MOST_SENTENCES})
    return {"then": value}


def _allow_bare_text(schema: dict[str, Any]) -> None:
    process = schema["properties"]["process"]
    about = {"default": _PROCESS} | {key: process.pop(key) for key in ("description", "title") if key in process}
    text = {"type": "string", "minLength": 1, "maxLength": MOST_SENTENCES}
    schema["properties"]["process"] = about | {"anyOf": [text, process]}


class Remedies(_Model):
    """What to do about what goes wrong in this very pod, where its runbook knows more than Kubernetes does."""

    model_config = ConfigDict(json_schema_extra=_allow_bare_text)

    crash: Sentences = "Its log says why it ended."
    """A container in which processes are expected keeps crashing."""
    restarted: Sentences = "Its log says why it ended."
    """Such a container ended not long ago, and runs again."""
    process: Annotated[Remedy, BeforeValidator(_remedy)] = Remedy(then=_PROCESS)
    """An expected process does not run."""
    identity: Sentences = (
        "Check securityContext (runAsUser, runAsNonRoot) in the Deployment, and the image's USER."
    )
    """A container runs as another user than expected, or as root."""
    ssh: Sentences = "See whether sshd runs and the address is assigned; then read the log, filtered for sshd."
    """An SSH server does not answer."""
    http: Sentences = "See whether its process runs and answers inside the pod, then the Service."
    """An HTTP server does not answer."""
    ssh_keys: Sentences | None = None
    """The Secret with the SSH keys is missing, and the pod can't start without it."""
    crontab: Sentences = (
        "If the file was deleted, create it again. If it is elsewhere, set crontab.file in the settings."
    )
    """The crontab is not where it should be."""


class ArgoCD(_Model):
    """The Argo CD Application that owns the manifests."""

    namespace: str = "argocd"
    """The namespace of the Application, which is Argo CD's own as a rule."""
    application: str = "secure-agent-pod"
    """The Application's name."""


class SshSpec(_Model):
    """Where the pod's SSH public keys are: a Secret, and the key in it that holds the file."""

    secret: str = "agent-ssh-keys"  # noqa: S105 - a name
    """The Secret's name."""
    key: str = "authorized_keys"
    """The key in the Secret whose value is the authorized_keys file."""
    file: Annotated[str, Field(pattern=r"^(~|)/[^\x00-\x1f]+$", max_length=4000)] | None = "~/.ssh/authorized_keys"
    """The pod's own copy in the first container (``~`` is its home), which sshd reads; null: not compared."""

    mount: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]+$", max_length=4000)] | None = None
    """The Secret's file as it is mounted in the first container, from where `ssh keys copy` takes it. Not set: as
    the pod's spec says."""
    host_keys: Annotated[str, Field(pattern=r"^(~|)/[^\x00-\x1f]+$", max_length=4000)] = "~/.ssh-host-keys"
    """The folder of sshd's host keys in the first container, whose ``.pub`` files are shown."""
    user: str = Field(default="claude", pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,60}$")
    """The user that people sign in as."""

    def host_key_folder(self, home: str) -> str:
        """The host keys' folder without a slash at its end, with ``~`` replaced by ``home``."""
        return in_home(self.host_keys, home).rstrip("/")

    def path(self, home: str) -> str | None:
        """The path of the pod's copy, with ``~`` replaced by ``home``."""
        return None if self.file is None else in_home(self.file, home)


class CrontabSpec(_Model):
    """The crontab of the pod's cron, and its scripts, in the first container."""

    file: Annotated[str, Field(pattern=r"^(~|)/[^\x00-\x1f]+$", max_length=4000)] = "~/.crontab"
    """The crontab's path; ``~`` is the container's home."""
    scripts: Annotated[str, Field(pattern=r"^(~|)/[^\x00-\x1f]+$", max_length=4000)] = "/opt/scripts"
    """The folder of the scripts."""
    timezone: Zone = "UTC"
    """The zone that the cron runs in, unless the crontab sets CRON_TZ: an IANA name such as Europe/Berlin."""
    run_within: Duration = timedelta(minutes=5)
    """How long the bot waits for a script of `cron run` to end: 1 second to 1 hour. It never stops the script."""

    @field_validator("run_within")
    @classmethod
    def _reasonable(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(hours=1):
            raise ValueError("takes one second to one hour")
        return value

    def path(self, home: str) -> str:
        """The crontab's path, with ``~`` replaced by ``home``."""
        return in_home(self.file, home)

    def folder(self, home: str) -> str:
        """The scripts' folder without a slash at its end, with ``~`` replaced by ``home``."""
        return in_home(self.scripts, home).rstrip("/")


def in_home(path: str, home: str) -> str:
    """Replace a leading ``~`` by ``home``."""
    return home.rstrip("/") + path[1:] if path.startswith("~") else path


class EgressSpec(_Model):
    """The repair of Cilium's egress policy, `egress repair`. It needs deploy/options/cilium-repair."""

    policy: str = Field(default="agent-egress", pattern=r"^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$")
    """The policy's name."""
    restart_cilium: bool = False
    """Whether the Cilium agent on the pod's node is restarted first, which takes rights in kube-system."""


class StorageSpec(_Model):
    """When the volume counts as filling up, in percent used."""

    warn_percent: Number = Field(default=80, ge=1, le=100)
    """From how many percent on it is a warning."""
    fail_percent: Number = Field(default=90, ge=1, le=100)
    """From how many percent on it is a failure; not below ``warn_percent``."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.warn_percent > self.fail_percent:
            raise ValueError("warn_percent is above fail_percent: the warning must come first")
        return self


class HeartbeatPolicy(_Model):
    """When a cron job's heartbeat is due and when it is stale: a fixed age, or its schedule and a grace."""

    job: JobName
    """The job's name, as it pushes itself; ``-`` and ``_`` are the same."""
    severity: Severity = "warning"
    """How bad it is when it is stale or its push failed: critical or warning."""
    stale_after: timedelta | None = None
    """How old its last success may be, 1s to 400d; either this or ``schedule``."""
    schedule: str | None = None
    """When it runs, as in a crontab: it is due at the next run after its last success."""
    timezone: Zone = "UTC"
    """The zone that its cron runs in, which ``schedule`` is in: an IANA name such as Europe/Berlin."""
    cron: Dialect = "supercronic"
    """The cron that runs it, whose reading of ``schedule`` counts. Not set: the target's ``cron``."""
    grace: timedelta = timedelta(minutes=10)
    """How long after the time of ``schedule`` it is stale; ten of its runs at most, or an hour."""
    metric: str = Field(default="push_time_seconds", pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)
    """The gauge that holds the last success, in seconds since the epoch."""
    groups: Literal["newest", "any", "all"] = "newest"
    """Of several groups of one job: the newest decides; or any stale one; or only all of them."""
    required: bool = True
    """Whether a job that was never seen is stale once its first deadline has passed."""
    inside: bool = True
    """Whether it runs in the pod, so that no alert is sent about it while the pod is restarted or not ready."""
    paused: bool = False
    """Whether nothing is expected of it at present: it is shown, and never raises an alert."""
    issue: IssueReference = ""
    """The GitHub issue that the health-bridge keeps for it: ``repository#12`` or ``owner/repository#12``."""
    runbook_url: JobRunbookUrl = ""
    """The page on what to do when it is stale, with https://; ``{job}`` stands for its name. Empty: that of
    ``alerts.runbook_urls``."""
    script: Annotated[str, Field(pattern=r"^[^/\s]+$", max_length=200)] | None = None
    """The script in the crontab that pushes it: exercise-cron.sh. Not set: one that is called as the job is."""

    @cached_property
    def canonical(self) -> str:
        """The job's name in canonical spelling (`canonical_job`)."""
        return canonical_job(self.job)

    @cached_property
    def rule(self) -> str:
        """``stale after 3 h``; ``due daily at 21:00 (UTC), stale 10 min later``."""
        if self.stale_after is not None:
            return f"stale after {words.age(self.stale_after)}"
        from bot.domain.core.cron.in_words import in_words  # not needed at the start

        zone = self.timezone if self.cron == "supercronic" else f"{self.timezone}, {name_of(self.cron)}"
        schedule = self.schedule or ""
        said = in_words(schedule, self.cron)
        return f"due {f'by {said}' if said == schedule else said} ({zone}), stale {words.age(self.grace)} later"

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the policy, which differs for every policy that judges differently."""
        return sha256(self.model_dump_json(exclude={"script", "runbook_url"}).encode()).hexdigest()[:12]

    @model_validator(mode="before")
    @classmethod
    def _durations(cls, data: object) -> object:
        if isinstance(data, dict):
            names = ("stale_after", "grace")
            data = data | {n: parse_duration(data[n]) for n in names if data.get(n) is not None}
        return data

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.stale_after is None) == (self.schedule is None):
            raise ValueError(f"job {self.job!r} needs stale_after or schedule, and only one of them")
        if self.schedule is not None:
            check_crontab(self.schedule, self.cron)
            self._check_grace(self.schedule)
        elif "grace" in self.model_fields_set:
            raise ValueError(f"job {self.job!r} has a grace, which belongs to a schedule: leave it out")
        elif self.stale_after is not None and self.stale_after < SHORTEST:
            raise ValueError(f"job {self.job!r} is stale too soon to be looked at: stale_after takes 1s at least")
        name, longest = ("stale_after", self.stale_after) if self.stale_after else ("grace", self.grace)
        if longest > LONGEST:
            raise ValueError(f"job {self.job!r} could stop for years unnoticed: {name} takes at most 400d")
        return self

    def _check_grace(self, schedule: str) -> None:
        first = next_run(schedule, "UTC", datetime(2026, 1, 1, tzinfo=UTC), self.cron)
        most = max(MOST_RUNS * (next_run(schedule, "UTC", first, self.cron) - first), timedelta(hours=1))
        if "grace" in self.model_fields_set and self.grace > most:
            raise ValueError(
                f"job {self.job!r} has a grace longer than {MOST_RUNS} of its runs: it would stop unnoticed"
            )


def _hours(hours: float) -> timedelta:
    return timedelta(hours=hours)


HANDBOOK_HEARTBEATS = (
    HeartbeatPolicy(
        job="exercise-reminder", severity="critical", stale_after=_hours(3), script="exercise-cron.sh"
    ),
    HeartbeatPolicy(job="audit-digest", severity="warning", stale_after=_hours(26)),
    HeartbeatPolicy(job="session-manager", severity="critical", stale_after=timedelta(minutes=10)),
)

HANDBOOK_SERVICES = (
    ServiceTarget(name="SSH", ip="192.168.55.215", port=22, target_port=2222, check="ssh"),
    ServiceTarget(name="VibeKanban", ip="192.168.55.218", port=8081, check="http"),
)


class Target(_Model):
    """The agent pod: where it is and what healthy means."""

    # The length is not in the pattern: {0,62} of all Unicode letters would take 6 MiB.
    name: str = Field(default="secure-agent-pod", pattern=r"^[A-Za-z0-9][-\w.]*$", max_length=63)
    """What commands (``--target``) and messages call it."""
    namespace: str = Field(default="secure-agent-pod", pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
    """The namespace it is in."""
    cluster: str = ""
    """The cluster that it is in, by its name in ``kubernetes.clusters``; empty: that of ``kubernetes.context``."""
    deployment: str = "secure-agent-pod"
    """The Deployment that makes it."""
    selector: str = "app=secure-agent-pod"
    """The label selector of its pods."""
    node: str | None = "gpu-1"
    """The node that the pod must run on; null: any."""
    platform: str = Field(
        default="linux/amd64", pattern=r"^[a-z0-9]{1,20}/[a-z0-9]{1,20}(/[a-z0-9]{1,20})?$", max_length=63
    )
    """The platform of its images, where its Deployment selects no architecture (kubernetes.io/arch)."""
    containers: tuple[ContainerTarget, ...] = Field(default=(ContainerTarget(),), min_length=1)
    """The containers that are checked; a command that names none means the first one."""
    services: tuple[ServiceTarget, ...] = HANDBOOK_SERVICES
    """The addresses that it is reached at."""
    runbook: tuple[str, ...] = Field(default=("secure-agent-pod",), max_length=10)
    """Its runbook: names of shipped ones, or paths of files beside the settings file. Entries of a later one
    replace those of an earlier one; an empty list: none."""
    remedies: Remedies = Remedies()
    """What to do about what goes wrong. Not set: as the runbook says."""
    argocd: ArgoCD | None = ArgoCD()
    """The Argo CD Application that owns its manifests; null: none does."""
    storage: StorageSpec = StorageSpec()
    """When its volume counts as filling up."""
    cron: Dialect = "supercronic"
    """The cron that runs the jobs in the pod, whose reading of a ``schedule`` counts: supercronic or debian."""
    crontab: CrontabSpec | None = CrontabSpec()
    """Its crontab and scripts; null: it has none. Not set: as the runbook says."""
    egress: EgressSpec | None = None
    """The repair of Cilium's egress policy; null: `egress repair` is off."""
    configs_rotate: ConfigsRotateSpec | None = None
    """The rotation of its config files; null: `configs rotate` only says how to do it by hand."""
    image_set: tuple[ContainerName, ...] = Field(default=(), max_length=20)
    """The containers whose image `image set` may change, within its repository; empty: it is off."""
    heartbeats: tuple[HeartbeatPolicy, ...] = HANDBOOK_HEARTBEATS
    """The jobs whose heartbeats are expected; a heartbeat of any other is shown and not judged."""
    issue: IssueReference = ""
    """The GitHub issue that the health-bridge keeps for the pod, and for "can't be read": ``repository#12``."""
    links: tuple[LinkSetting, ...] = Field(default=(), max_length=8)
    """Pages of other tools about it, such as Argo CD and Grafana: buttons on alerts, answers and the Home tab."""
    secrets: tuple[str, ...] = ("agent-secrets-tier2",)
    """Secrets whose keys `secrets set` changes, and whose values are redacted from logs."""
    config_maps: tuple[ConfigMapName, ...] = Field(default=(), max_length=20)
    """ConfigMaps whose keys `changes` watches, by name; needs deploy/options/configmaps. Empty: none."""
    ssh: SshSpec | None = SshSpec()
    """Where its SSH keys are; null: the bot does nothing about them."""

    @model_validator(mode="before")
    @classmethod
    def _their_cron(cls, data: object) -> object:
        """Default each heartbeat's ``cron`` to the target's."""
        cron = data.get("cron") if isinstance(data, dict) else None
        jobs = data.get("heartbeats") if isinstance(data, dict) else None
        if cron in DIALECTS and isinstance(data, dict) and isinstance(jobs, list | tuple):
            return data | {"heartbeats": [_with_cron(job, str(cron)) for job in jobs]}
        return data

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        no_doubles("container", [c.name for c in self.containers])
        no_doubles("service", [s.name for s in self.services])
        no_doubles("container", list(self.image_set), " in image_set")
        no_doubles("ConfigMap", list(self.config_maps), " in config_maps")
        no_doubles("link", [link.name for link in self.links], " in links")
        jobs = [canonical_job(h.job) for h in self.heartbeats]
        no_doubles("heartbeat job", jobs, ": - and _ are the same in its name")
        if POD in jobs:
            raise ValueError("a heartbeat job can't be called 'pod': the pod itself is remembered under that name")
        return self

    @property
    def every_secret(self) -> tuple[str, ...]:
        """Names of all Secrets of the pod: ``secrets``, and the one with the SSH keys."""
        return tuple(dict.fromkeys((*self.secrets, *((self.ssh.secret,) if self.ssh else ()))))

    @property
    def watched_secrets(self) -> tuple[str, ...]:
        """Names of all Secrets whose changes are recorded: those of the pod, and the one of ``configs_rotate``."""
        spec = self.configs_rotate
        return tuple(dict.fromkeys((*self.every_secret, *((spec.secret,) if spec is not None else ()))))

    def container(self, name: str | None = None) -> ContainerTarget:
        """The container of that name, or the first. Raises KeyError for a name that isn't configured."""
        if name is None:
            return self.containers[0]
        for container in self.containers:
            if container.name == name:
                return container
        raise KeyError(name)


def _with_cron(job: object, cron: str) -> object:
    known = job.model_dump(exclude_unset=True) if isinstance(job, HeartbeatPolicy) else job
    return {"cron": cron, **known} if isinstance(known, dict) else known


def no_doubles(what: str, names: list[str], why: str = "") -> None:
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"{what} {doubles[0]!r} is listed twice{why}")


def canonical_job(name: str) -> str:
    """Normalize a job's name to ``-``: names appear with ``_`` in one place and ``-`` in another."""
    return name.replace("_", "-")
