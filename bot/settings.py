"""Typed settings: YAML file < secret files < environment < flags. Frozen; never read at import.

:func:`load` reads all sources, remembers where each value came from, and reports every problem at
once, each with its origin. pydantic-settings lets a missing YAML file and a mistyped variable pass in
silence (PLATFORM.md); both are refused here.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, NestedSecretsSettingsSource, SettingsConfigDict

from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.core.target import (
    Target,
    Zone,
    limited,
    parse_duration,
)
from bot.domain.incidents.alerting import AlertRules
from bot.domain.rbac.access import AccessPolicy
from bot.errors import SettingsError

PREFIX = "AGENTPOD_"
CONFIG_VARIABLE = "AGENTPOD_CONFIG"
SECRETS_VARIABLE = "AGENTPOD_SECRETS_DIR"
"""Folder of secret files, one a setting (`slack__bot_token`), such as a mounted Secret."""
OWN_VARIABLES = frozenset({CONFIG_VARIABLE, SECRETS_VARIABLE})

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Short = Annotated[Duration, AfterValidator(limited(timedelta(milliseconds=1), timedelta(minutes=5)))]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpSettings(_Section):
    """Where Slack's requests arrive in HTTP mode."""

    host: str = "0.0.0.0"  # noqa: S104 - a container's port; the Service and NetworkPolicy decide who reaches it
    """The address to listen on; 0.0.0.0 is all of the machine's."""
    port: int = Field(default=3000, ge=0, le=65535)
    """The port to listen on; 0 is a free one."""
    path: str = Field(default="/slack/events", pattern=r"^/")
    """The path that Slack is told, for commands, events and clicks alike."""


def channel_id(value: str | None) -> str | None:
    """A channel's id as it is. Raises ValueError for anything else, such as a channel's name."""
    if value is not None and not re.fullmatch(r"[CG][A-Z0-9]{6,20}", value):
        raise ValueError(
            f"{value!r} is not a channel's id, such as C0123456789: it is at the end of its About in Slack"
        )
    return value


class SlackSettings(_Section):
    """The Slack app. Socket Mode needs the bot and app tokens, HTTP mode the bot token and signing secret."""

    bot_token: SecretStr | None = None
    """The app's bot token, which begins with xoxb-."""
    app_token: SecretStr | None = None
    """The app-level token for Socket Mode, which begins with xapp-."""
    signing_secret: SecretStr | None = None
    """What Slack signs its requests with in HTTP mode."""
    api_url: str = "https://slack.com/api/"
    """Slack's Web API; another one for tests."""
    mode: Literal["socket", "http"] = "socket"
    """How the bot hears Slack: by a connection of its own (socket), or as a web server that Slack calls (http)."""
    command: str = Field(default="/agentpod", pattern=r"^/[a-z0-9_-]{1,31}$")
    """The slash command, as the app's manifest has it."""
    channel: str | None = None
    """Where alerts, the digest and approval cards go: the id (end of its "About") of a channel with the app in it.

    Not set: alerts and the digest are posted nowhere, cards where they are asked for.
    """
    http: HttpSettings = HttpSettings()
    """Where the bot listens in HTTP mode."""

    @field_validator("api_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError(
                f"{value!r} is not a web address: it must begin with https:// (or http:// for a test)"
            )
        return value.rstrip("/") + "/"

    @field_validator("channel")
    @classmethod
    def _channel_id(cls, value: str | None) -> str | None:
        return channel_id(value)

    @field_validator("bot_token", "app_token", "signing_secret")
    @classmethod
    def _not_blank(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text:
            raise ValueError("is empty")
        if any(c.isspace() or not c.isprintable() for c in text):
            raise ValueError("has blanks or control characters inside: it was probably pasted with something else")
        return SecretStr(text)


class KubernetesSettings(_Section):
    """Which cluster: KUBECONFIG or in-cluster by the client's usual rules; ``context`` picks one by name."""

    context: str | None = None
    """The context of the kubeconfig; not set: its current one, or the cluster that the bot runs in."""


class PushgatewaySettings(_Section):
    """Where heartbeats are read. An empty url switches heartbeats off."""

    url: str = "http://pushgateway.monitoring.svc.cluster.local:9091"
    """Its root, without /metrics or /api. Empty: no heartbeats."""
    username: str = ""
    """The user of its basic authentication; empty: none is sent."""
    password: SecretStr | None = None
    """The password of that user."""

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError(f"{value!r} is not a web address: it must begin with http:// or https://")
        return value.rstrip("/")


_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@/\s]+)@")


def hidden(text: str) -> str:
    """A text with the password of any address in it masked."""
    return _PASSWORD.sub(r"\1:…@", text)


class LedgerSettings(_Section):
    """The database of requests, decisions and incidents: SQLite by default, PostgreSQL for several replicas."""

    url: str = "sqlite+aiosqlite:///agentpod.db"
    """``sqlite+aiosqlite:///PATH`` or ``postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE``."""

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            scheme = value.partition("://")[0][:40]
            raise ValueError(f"takes sqlite+aiosqlite:///PATH or postgresql+asyncpg://…, not {scheme!r}")
        if re.fullmatch(r"sqlite[^:]*:/{0,3}(:memory:.*|\?.*)?", value):
            raise ValueError("the ledger needs a file: write sqlite+aiosqlite:///PATH")
        return value

    def password(self) -> str:
        """The password in the address; empty without one."""
        found = _PASSWORD.search(self.url)
        return found.group(2) if found else ""


class OpsSettings(_Section):
    """Health, readiness and metrics: one port."""

    host: str = "0.0.0.0"  # noqa: S104 - a container's port for probes and Prometheus
    """The address to listen on; 0.0.0.0 is all of the machine's."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port to listen on; 0 is a free one."""


class BridgeSettings(_Section):
    """The health-bridge, which turns incidents into GitHub issues. An empty url switches it off."""

    url: str = ""
    """Its webhook, such as ``http://health-bridge.monitoring.svc:8080/webhook``.

    It is told of the incidents of jobs and targets that name an ``issue``.
    """
    token: SecretStr | None = None
    """The bearer token that it expects."""

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError(f"{value!r} is not a web address: it must begin with http:// or https://")
        return value


class HeartbeatSettings(_Section):
    """The bot's own heartbeat: sent only while it can hear Slack."""

    job: str = "agentpod"
    """The job under which it is pushed to the Pushgateway. Empty: it is not."""
    every: Duration = timedelta(minutes=1)
    """The time between two of them: 1s to 1h."""
    dead_man_url: SecretStr | None = None
    """A URL to GET each time, of a service that raises the alarm when nobody does."""

    @field_validator("every")
    @classmethod
    def _reasonable(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(hours=1):
            raise ValueError("takes one second to one hour")
        return value

    @field_validator("dead_man_url")
    @classmethod
    def _web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("is not a web address: it must begin with http:// or https://")
        return value


def _time_of_day(value: object) -> object:
    """YAML takes 10:30 without quotes for a number to the base of sixty."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02}:{value % 60:02}"
    return value


class DigestSettings(_Section):
    """The daily digest: yesterday, posted once a day."""

    at: Annotated[str, BeforeValidator(_time_of_day)] = Field(
        default="09:00", pattern=r"^(|([01]\d|2[0-3]):[0-5]\d)$"
    )
    """The time of day in ``timezone``. Empty: no digest is posted; ``digest`` shows it all the same."""
    timezone: Zone = "UTC"
    """The zone of its days and of ``at``: an IANA name such as Europe/Berlin."""
    channel: str | None = None
    """Where it is posted: a channel's id. Not set: ``slack.channel``."""
    picture: bool = True
    """Whether the day is drawn as well."""

    @field_validator("channel")
    @classmethod
    def _channel_id(cls, value: str | None) -> str | None:
        return channel_id(value)


class LogSettings(_Section):
    """Logs on stderr: ``console`` for people, ``json`` for machines, ``auto`` by whether it is a terminal."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged: this level and those above it."""
    format: Literal["auto", "console", "json"] = "auto"
    """How: for people (console), for machines (json), or by whether stderr is a terminal (auto)."""


class ProbeSettings(_Section):
    """How long each probe may take."""

    timeout: Annotated[Duration, AfterValidator(limited(timedelta(milliseconds=1), timedelta(minutes=5)))] = (
        timedelta(seconds=3)
    )
    """How long a single probe may take, at most 5m: after that, what it looked at is unknown."""


def _secrets_in(model: BaseModel) -> list[str]:
    found: list[str] = []
    for _, value in model:
        if isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif isinstance(value, BaseModel):
            found += _secrets_in(value)
    return found


class Settings(BaseSettings):
    """All settings; the defaults are the handbook's values."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", hide_input_in_errors=True
    )

    slack: SlackSettings = SlackSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    pushgateway: PushgatewaySettings = PushgatewaySettings()
    access: AccessPolicy = AccessPolicy()
    approvals: ApprovalPolicy = ApprovalPolicy()
    alerts: AlertRules = AlertRules()
    digest: DigestSettings = DigestSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    bridge: BridgeSettings = BridgeSettings()
    targets: tuple[Target, ...] = Field(default=(Target(),), min_length=1)
    probes: ProbeSettings = ProbeSettings()
    ledger: LedgerSettings = LedgerSettings()
    ops: OpsSettings = OpsSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _targets_differ(self) -> Self:
        names = [t.name for t in self.targets]
        doubles = sorted({n for n in names if names.count(n) > 1})
        if doubles:
            raise ValueError(f"target {doubles[0]!r} is listed twice: give each its own name")
        return self

    def secret_values(self) -> list[str]:
        """Every secret in the settings, whatever section it is in: none may be in any output."""
        return [*_secrets_in(self), *filter(None, [self.ledger.password()])]

    def channels(self) -> dict[str, str]:
        """Where the bot posts by itself: channels' ids, each with the settings that name it."""
        found: dict[str, str] = {}
        for name, channel in (("slack.channel", self.slack.channel), ("digest.channel", self._digest_channel())):
            if channel:
                found[channel] = f"{found[channel]} and {name}" if channel in found else name
        return found

    def _digest_channel(self) -> str | None:
        return self.digest.channel if self.digest.at else None

    def target(self, name: str | None) -> Target:
        """The target of that name, or the only (first) one. Raises KeyError for an unknown name."""
        if name is None:
            return self.targets[0]
        return {t.name: t for t in self.targets}[name]


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each value that is not a default came from (dotted name → origin in words)."""

    settings: Settings
    origins: Mapping[str, str]

    def origin(self, name: str) -> str:
        """Where ``slack.bot_token`` came from; "default" where nobody set it.

        A file's origins are per key; a variable may hold a whole list, whose entries have its origin.
        """
        if name in self.origins:
            return self.origins[name]
        whole = _nearest(self.origins, name.split("."))
        return whole if whole and " line " not in whole else "default"


@dataclass(frozen=True)
class _Source:
    data: dict[str, Any]
    origins: dict[str, str]
    problems: tuple[str, ...] = ()


def load(
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """Read all sources. Raises SettingsError with every problem at once.

    ``config`` (a flag) goes before ``AGENTPOD_CONFIG``; ``flags`` maps dotted names to values.
    """
    env = os.environ if environ is None else environ
    path = config or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    sources = [_yaml(path, named_by="--config" if config else CONFIG_VARIABLE), _secrets(env), _environment(env)]
    sources.append(_flags(flags or {}))
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in sources:
        _merge(merged, source.data)
        origins.update(source.origins)
    problems = [p for s in sources for p in s.problems]
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError([*problems, *_sentences(error, origins)]) from None
    if problems:
        raise SettingsError(problems)
    return Loaded(settings, origins)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _yaml(path: Path | None, named_by: str) -> _Source:
    if path is None:
        return _Source({}, {})
    from bot import settings_file

    found = settings_file.read(path, named_by)
    origins = {name: f"{path.name} line {line}" for name, line in found.lines.items()}
    return _Source(found.data, origins, found.problems)


def _environment(env: Mapping[str, str]) -> _Source:
    ours = {k: v for k, v in env.items() if k.upper().startswith(PREFIX) and k.upper() not in OWN_VARIABLES}
    leaves = _leaf_names(Settings)
    problems: list[str] = []
    origins: dict[str, str] = {}
    for name in sorted(ours):
        dotted = name.upper().removeprefix(PREFIX).lower().replace("__", ".")
        if dotted in leaves:
            origins[dotted] = f"environment variable {name}"
        else:
            problems.append(_unknown_variable(name, leaves))
    known = {k: v for k, v in ours.items() if f"environment variable {k}" in origins.values()}
    try:
        data = _EnvFrom(known)()
    except Exception as error:
        problems.append(
            f"An environment variable holds no valid JSON where a list or mapping is expected: {error}."
        )
        data = {}
    return _Source(data, origins, tuple(problems))


class _EnvFrom(EnvSettingsSource):
    """pydantic-settings' environment source over a given mapping."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._given = {k.lower(): v for k, v in env.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def _unknown_variable(name: str, leaves: Sequence[str]) -> str:
    known = [PREFIX + leaf.upper().replace(".", "__") for leaf in leaves] + sorted(OWN_VARIABLES)
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]}?" if near else " See docs/settings.md for all of them."
    return f"The environment variable {name} is not a setting.{hint}"


def variables() -> frozenset[str]:
    """Every environment variable that is taken."""
    return frozenset(PREFIX + name.upper().replace(".", "__") for name in _leaf_names(Settings)) | OWN_VARIABLES


def _leaf_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every dotted name that a variable may set: sections, leaves, and whole lists as JSON."""
    names: list[str] = []
    for field, info in model.model_fields.items():
        name = info.alias or field
        names.append(prefix + name)
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += _leaf_names(kind, f"{prefix}{name}.")
    return names


def _secrets(env: Mapping[str, str]) -> _Source:
    folder = env.get(SECRETS_VARIABLE)
    if not folder:
        return _Source({}, {})
    path = Path(folder)
    if not path.is_dir():
        return _Source({}, {}, (f"{SECRETS_VARIABLE} names {folder}, which is not a folder.",))
    leaves = _leaf_names(Settings)
    origins: dict[str, str] = {}
    problems: list[str] = []
    for file in sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")):
        dotted = file.name.lower().removeprefix(PREFIX.lower()).replace("__", ".")
        if dotted in leaves:
            origins[dotted] = f"secret file {file}"
        else:
            near = difflib.get_close_matches(dotted, leaves, n=1, cutoff=0.6)
            hint = f" Did you mean {near[0].replace('.', '__')}?" if near else ""
            problems.append(f"The secret file {file} is not a setting.{hint}")
    if problems:
        return _Source({}, origins, tuple(problems))
    source = NestedSecretsSettingsSource(
        EnvSettingsSource(Settings),
        secrets_dir=path,
        secrets_prefix="",
        secrets_nested_delimiter="__",
    )
    return _Source(source(), origins)


def _flags(flags: Mapping[str, Any]) -> _Source:
    data: dict[str, Any] = {}
    for dotted, value in flags.items():
        *sections, leaf = dotted.split(".")
        inner = data
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[leaf] = value
    return _Source(data, dict.fromkeys(flags, "command-line flag"))


def _sentences(error: ValidationError, origins: Mapping[str, str]) -> list[str]:
    found = error.errors(include_input=False, include_url=False)
    return [_sentence(item, origins) for item in found if not _follows(item["loc"], item["type"], found)]


def _follows(path: tuple[int | str, ...], kind: str, found: Sequence[Any]) -> bool:
    """Whether a list is called too short for nothing but what is wrong in it."""
    inside = (item["loc"][: len(path)] == path and len(item["loc"]) > len(path) for item in found)
    return kind == "too_short" and any(inside)


_SHAPES = {
    "at": "this is no time of day: write it as 09:00, or leave it empty for no digest",
    "command": "this is no slash command: write a slash and then small letters, digits, - or _",
    "connect": "this is no address: write it as host:port",
    "issue": "this is no GitHub issue: write it as repository#12 or owner/repository#12",
    "name": "this is no name: write letters, digits, - . or _, and begin with a letter or a digit",
    "namespace": "this is no namespace: write small letters, digits or -",
    "path": "this is no path: begin it with /",
}
"""What to write instead, by the setting's name, where a pattern says what it takes."""


def _message(item: Any, path: Sequence[str]) -> str:
    """What is wrong with a value. A pattern is nothing that people read."""
    if item["type"] == "string_pattern_mismatch" and path[-1] in _SHAPES:
        return _SHAPES[path[-1]]
    if item["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "it takes settings of its own below it: write one, or leave it out"
    if item["type"].startswith("datetime"):
        return "this is no time: write it as 2026-12-01T08:00:00Z"
    return str(item["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _sentence(item: Any, origins: Mapping[str, str]) -> str:
    path = [str(part) for part in item["loc"]]
    name = ".".join(path)
    origin = _nearest(origins, path)
    where = f" ({origin})" if origin else ""
    if item["type"] == "extra_forbidden":
        return f"{name} is not a setting{where}.{_suggest(path)}"
    return f"{name or 'The settings'}{where}: {_message(item, path)}."


def _nearest(origins: Mapping[str, str], path: Sequence[str]) -> str | None:
    for length in range(len(path), 0, -1):
        if origin := origins.get(".".join(path[:length])):
            return origin
    return None


def _suggest(path: Sequence[str]) -> str:
    """A setting of the same section that is spelt nearly so."""
    model: Any = Settings
    for part in path[:-1]:
        if not part.isdigit():
            model = _inner_model(model, part)
        if model is None:
            return ""
    known = [info.alias or name for name, info in model.model_fields.items()]
    near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else f" Known there: {', '.join(known)}."


def _inner_model(model: Any, field: str) -> Any:
    info = model.model_fields.get(field)
    todo = [info.annotation] if info else []
    while todo:
        kind = todo.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        todo += list(getattr(kind, "__args__", ()))
    return None
