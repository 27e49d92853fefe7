"""All settings as types: frozen, closed, with the handbook's values as defaults."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.core.target import Duration, Number, Target, Zone, limited
from bot.domain.incidents.alerting import AlertRules
from bot.domain.rbac.access import AccessPolicy
from bot.settings.problem import problem_at

PREFIX = "AGENTPOD_"

Short = Annotated[Duration, AfterValidator(limited(timedelta(milliseconds=1), timedelta(minutes=5)))]

Retention = Annotated[Duration, AfterValidator(limited(timedelta(days=30), timedelta(days=36500)))]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@/\s]+)@")


def hidden(text: str) -> str:
    """A text with the passwords in its URLs masked."""
    return _PASSWORD.sub(r"\1:…@", text)


_CREDENTIALS = re.compile(r"^([\w+.-]*://)?([^:/@\s]*:)?.*@", re.DOTALL)


def _without_credentials(text: str) -> str:
    """A text that is no usable URL, without what may be its credentials: they need not follow ``://``."""
    return _CREDENTIALS.sub(lambda found: "".join(part or "" for part in found.groups()) + "…@", text)


def _web_address(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError(
            f"{_without_credentials(value)!r} is not a web address: it must begin with http:// or https://"
        )
    if value:
        _require_host_and_port(value)
    return value


def _require_host_and_port(url: str) -> None:
    """Raise ValueError for a web address without a host, with a port that is none, or with blanks in it."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its message may quote a password
        parts = urlsplit("")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("its port has to be a number from 1 to 65535")
    if not parts.hostname or " " in url or not url.isprintable():
        raise ValueError("is not a web address: write it as https://HOST/PATH, with %20 for a blank")


WebAddress = Annotated[str, AfterValidator(_web_address)]
"""A URL of HTTP, or empty."""


class HttpSettings(_Section):
    """Where Slack's requests arrive in HTTP mode."""

    host: str = "0.0.0.0"  # noqa: S104 - a container's port; the Service and NetworkPolicy decide who reaches it
    """The address to listen on; 0.0.0.0 is all of the machine's."""
    port: Number = Field(default=3000, ge=0, le=65535)
    """The port to listen on; 0 is a free one."""
    path: str = Field(default="/slack/events", pattern=r"^/")
    """The path of the request URL in the app's settings, for commands, events and interactivity."""


def channel_id(value: str | None) -> str | None:
    """Check that a value is a channel's id; an empty one is none. Raises ValueError for others, such as names."""
    if not value:
        return None
    if not re.fullmatch(r"[CG][A-Z0-9]{6,20}", value):
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
    """The secret that Slack signs its requests with in HTTP mode."""
    api_url: str = "https://slack.com/api/"
    """Slack's Web API; another one for tests."""
    mode: Literal["socket", "http"] = "socket"
    """How the bot receives requests: over a WebSocket that it opens (socket), or as a web server (http)."""
    command: str = Field(default="/agentpod", pattern=r"^/[a-z0-9_-]{1,31}$")
    """The slash command, as the app's manifest has it."""
    channel: str | None = None
    """Where alerts, the digest and approval cards go: the id (end of its "About") of a channel with the app in it.

    Not set or empty: alerts and the digest are posted nowhere, cards where they are asked for.
    """
    welcome: bool = True
    """Greet people at their first message to the bot or first Home tab, and channels that it joins, each once."""
    http: HttpSettings = HttpSettings()
    """Where the bot listens in HTTP mode."""

    @field_validator("api_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError(
                f"{_without_credentials(value)!r} is not a web address: "
                "it must begin with https:// (or http:// for a test)"
            )
        _require_host_and_port(value)
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


class ClusterSettings(_Section):
    """A cluster besides that of ``kubernetes.context``, for the targets that name it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][-\w.]*$", max_length=63)
    """What targets, errors and `agentpod check` call it."""
    kubeconfig: str = Field(min_length=1)
    """The file that says where its API server is and which account the bot uses there."""
    context: str | None = None
    """The context in that file; not set: its current one."""


class KubernetesSettings(_Section):
    """Which cluster: KUBECONFIG or in-cluster by the client's usual rules; ``context`` picks one by name.

    Targets may be in other ``clusters``, each with a kubeconfig, and so an account, of its own.
    """

    context: str | None = None
    """The context of the kubeconfig; not set: its current one, or the cluster that the bot runs in."""
    clusters: tuple[ClusterSettings, ...] = ()
    """Further clusters."""

    @model_validator(mode="after")
    def _clusters_differ(self) -> Self:
        names = [c.name for c in self.clusters]
        if doubles := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"cluster {doubles[0]!r} is listed twice: give each its own name")
        return self


class PushgatewaySettings(_Section):
    """Where heartbeats are read. An empty url switches heartbeats off."""

    url: Annotated[WebAddress, AfterValidator(lambda url: url.rstrip("/"))] = (
        "http://pushgateway.monitoring.svc.cluster.local:9091"
    )
    """Its root, without /metrics or /api. Empty: no heartbeats."""
    username: str = ""
    """The user of its basic authentication; empty: none is sent."""
    password: SecretStr | None = None
    """The password of that user."""


class AnchorSettings(_Section):
    """Where the audit trail's anchors go besides the ledger and Slack; each daily digest takes one."""

    file: str = ""
    """The absolute path of a file on other storage than the ledger's; each anchor is a line in it. Empty: none."""
    url: WebAddress = ""
    """A URL that each anchor is sent to with POST, as JSON. Empty: none."""
    token: SecretStr | None = None
    """The bearer token that the URL's server expects."""

    @field_validator("file")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value and not (value.startswith("/") and value.isprintable() and not value.endswith("/")):
            raise ValueError(
                f"{value!r} is not a file's absolute path: it must begin with /, such as /anchors/anchors.jsonl"
            )
        return value


def _require_host(address: str) -> None:
    """Raise ValueError for an address that would be split elsewhere than meant. No part of it is quoted."""
    first, at, rest = address.partition("@")
    if at and _UP_TO_QUERY.match(first):
        raise ValueError("after the ?, write @ as %40")
    if (at and "/" in first) or "@" in rest.partition("?")[0]:
        raise ValueError("in the user and the password, write @ as %40, : as %3A and / as %2F")
    host, colon, port = re.split(r"[/?]", rest if at else first, maxsplit=1)[0].rpartition(":")
    if colon and not host.startswith("[") and ":" in host:
        raise ValueError("an IPv6 address takes brackets: [::1]")
    if colon and not port.endswith("]") and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("the port after the host is a number from 1 to 65535")


_UP_TO_QUERY = re.compile(r"[^:/?]*(:[0-9]*)?/[^?]*\?")
"""Host, port and database, without a user and a password."""


class LedgerSettings(_Section):
    """The database of requests, decisions and incidents: SQLite by default, PostgreSQL for several replicas."""

    url: str = "sqlite+aiosqlite:///agentpod.db"
    """``sqlite+aiosqlite:///PATH`` or ``postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE``."""
    keep: Retention = timedelta(days=400)
    """How long closed requests, resolved incidents and messages stay: 30d to 36500d. The audit trail is kept."""
    anchor: AnchorSettings = AnchorSettings()
    """Where anchors of the audit trail go besides the ledger."""

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            scheme = re.match(r"([a-z]+(?:\+[a-z]+)?)://", value)
            other = f", not {scheme[1][:40]!r}" if scheme else ""
            raise ValueError(f"takes sqlite+aiosqlite:///PATH or postgresql+asyncpg://…{other}")
        if re.fullmatch(r"sqlite[^:]*:/{0,3}(:memory:.*|\?.*)?", value):
            raise ValueError("the ledger needs a file: write sqlite+aiosqlite:///PATH")
        if value.startswith("postgresql"):
            _require_host(value.partition("://")[2])
        return value

    def password(self) -> str:
        """The password in the address; empty without one."""
        found = _PASSWORD.search(self.url)
        return found.group(2) if found else ""


class RegistrySettings(_Section):
    """How the registries of images are asked what a tag points to: over HTTPS, nothing is pulled."""

    enabled: bool = True
    """Whether they are asked. If not, the bot can't tell whether a restart starts another image."""
    credentials: str = ""
    """A file as `docker login` writes it (config.json). Empty: they are asked anonymously."""
    addresses: dict[str, str] = Field(default={}, max_length=100)
    """Registries that are reached elsewhere than at https://HOST: host → address, such as a mirror's.

    Only a registry whose address here begins with http:// is asked without TLS, and never with credentials.
    """

    @field_validator("addresses")
    @classmethod
    def _web_addresses(cls, value: dict[str, str]) -> dict[str, str]:
        for host, address in value.items():
            if not re.fullmatch(r"https?://[^\s/?#@]+/?", address):
                raise ValueError(f"{host}: {_without_credentials(address)!r} is not http://HOST or https://HOST")
        return {host: address.rstrip("/") for host, address in value.items()}


class OpsSettings(_Section):
    """Health, readiness and metrics: one port."""

    host: str = "0.0.0.0"  # noqa: S104 - a container's port for probes and Prometheus
    """The address to listen on; 0.0.0.0 is all of the machine's."""
    port: Number = Field(default=8080, ge=0, le=65535)
    """The port to listen on; 0 is a free one."""


class BridgeSettings(_Section):
    """The health-bridge, which turns incidents into GitHub issues. An empty url switches it off."""

    url: WebAddress = ""
    """Its webhook, such as ``http://health-bridge.monitoring.svc:8080/webhook``.

    It is sent the incidents of jobs and targets that have an ``issue``.
    """
    token: SecretStr | None = None
    """The bearer token that it expects."""


class HeartbeatSettings(_Section):
    """The bot's own heartbeat: sent only while it is connected to Slack."""

    job: str = "agentpod"
    """The job under which it is pushed to the Pushgateway. Empty: not pushed."""
    every: Duration = timedelta(minutes=1)
    """The time between two heartbeats: 1s to 1h."""
    dead_man_url: SecretStr | None = None
    """The URL of a dead man's switch, fetched with GET at each heartbeat. Not set or empty: none is."""

    @field_validator("every")
    @classmethod
    def _reasonable(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(hours=1):
            raise ValueError("takes one second to one hour")
        return value

    @field_validator("dead_man_url")
    @classmethod
    def _web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("is not a web address: it must begin with http:// or https://")
        _require_host_and_port(value.get_secret_value())
        return value


def _time_of_day(value: object) -> object:
    """Turn minutes back into a time of day: YAML reads an unquoted 10:30 as a base-60 number."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02}:{value % 60:02}"
    return value


class DigestSettings(_Section):
    """The daily digest: yesterday, posted once a day."""

    at: Annotated[str, BeforeValidator(_time_of_day)] = Field(
        default="09:00", pattern=r"^(|([01][0-9]|2[0-3]):[0-5][0-9])$"
    )
    """The time of day in ``timezone``. Empty: no digest is posted; ``digest`` shows it all the same."""
    timezone: Zone = "UTC"
    """The zone of its days and of ``at``: an IANA name such as Europe/Berlin."""
    channel: str | None = None
    """Where it is posted: a channel's id. Not set or empty: ``slack.channel``."""
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


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known there: {', '.join(known)}"


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
    registry: RegistrySettings = RegistrySettings()
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes it first
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only the values given: `bot.settings.loader` has read the environment and the files already."""
        return (init_settings,)

    @model_validator(mode="after")
    def _targets_differ(self) -> Self:
        names = [t.name for t in self.targets]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise problem_at(
                    ("targets", number, "name"), f"target {name!r} is listed twice: give each its own name"
                )
        return self

    @model_validator(mode="after")
    def _their_clusters_are_known(self) -> Self:
        known = ["", *(c.name for c in self.kubernetes.clusters)]
        for number, target in enumerate(self.targets):
            if target.cluster not in known:
                listed = ", ".join(known[1:]) or "none"
                where = f"target {target.name!r} is in the cluster {target.cluster!r}"
                raise problem_at(
                    ("targets", number, "cluster"),
                    f"{where}, which kubernetes.clusters does not name; known there: {listed}",
                )
        return self

    @model_validator(mode="after")
    def _targets_of_rules_are_known(self) -> Self:
        for number, rule in enumerate(self.access.rules):
            for place, name in enumerate(rule.targets or ()):
                if name not in self.target_names:
                    raise problem_at(
                        ("access", "rules", number, "targets", place),
                        f"there is no target {name!r} in targets{_near(name, self.target_names)}",
                    )
        return self

    @model_validator(mode="after")
    def _anchors_are_taken(self) -> Self:
        anchor = self.ledger.anchor
        if (anchor.file or anchor.url) and not (self.digest.at and (self.digest.channel or self.slack.channel)):
            missing = "digest.at" if not self.digest.at else "slack.channel or digest.channel"
            raise problem_at(
                ("ledger", "anchor", "file" if anchor.file else "url"),
                f"no anchor would ever be taken: each daily digest takes one, and none is posted. Set {missing}",
            )
        return self

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)
    """Dotted name → where its value came from, of those that are not defaults."""

    @classmethod
    def from_sources(cls, merged: Mapping[str, Any], origins: Mapping[str, str]) -> Self:
        """Validate what the sources say together. Raises pydantic's ValidationError."""
        settings = cls.model_validate(merged)
        settings._origins = dict(origins)
        return settings

    def named(self, name: str) -> str:
        """A setting for people, with where its value came from: ``pushgateway.url (agentpod.yaml line 32)``."""
        origin = self._origins.get(name)
        return f"{name} ({origin})" if origin else name

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the targets, the default one first."""
        return tuple(target.name for target in self.targets)

    def secret_values(self) -> list[str]:
        """All secrets in the settings, to be redacted from any output."""
        return [*_secrets_in(self), *filter(None, [self.ledger.password()])]

    def channels(self) -> dict[str, str]:
        """Channel id → the settings that name it, for all channels that the bot posts in by itself."""
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
