"""The Slack app as its manifest describes it: scopes, events, slash commands, Home, interactivity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.slack.model import Json

EVENT_SCOPES = {
    "function_executed": None,
    "assistant_thread_started": "assistant:write",
    "app_home_opened": None,
    "app_mention": "app_mentions:read",
    "message.im": "im:history",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "member_joined_channel": "channels:read",
    "file_shared": "files:read",
}
"""The events that this workspace can send, with the scope that each needs."""

_COMMAND = re.compile(r"/[a-z0-9_\-]+")
_SCOPE = re.compile(r"[a-z_.]+(:[a-z_.]+)*")


class ManifestError(ValueError):
    """The manifest would be refused by Slack; the text lists every problem."""


@dataclass(frozen=True)
class SlashCommand:
    """One command of the manifest."""

    command: str
    description: str
    usage_hint: str = ""
    should_escape: bool = False

    def page(self) -> Json:
        """The command in the format of PAGE_API.md."""
        return {"command": self.command, "description": self.description, "usage_hint": self.usage_hint}


@dataclass(frozen=True)
class Shortcut:
    """One shortcut of the manifest; ``kind`` is ``global`` or ``message``."""

    callback_id: str
    name: str
    description: str
    kind: str

    def page(self) -> Json:
        """The shortcut in the format of PAGE_API.md."""
        return {
            "callback_id": self.callback_id,
            "name": self.name,
            "description": self.description,
            "kind": self.kind,
        }


@dataclass(frozen=True)
class Function:
    """A custom step for workflows; the parameters as the manifest has them, by name."""

    callback_id: str
    title: str
    description: str
    inputs: Json
    outputs: Json

    def page(self) -> Json:
        """The step in the format of PAGE_API.md: its inputs that a person enters."""
        typed = [{"name": name, **given} for name, given in self.inputs.items() if given.get("type") == "string"]
        return {
            "callback_id": self.callback_id,
            "title": self.title,
            "description": self.description,
            "inputs": typed,
        }


@dataclass(frozen=True)
class Manifest:
    """The app's configuration as Slack knows it."""

    name: str
    bot_name: str
    scopes: frozenset[str]
    events: frozenset[str]
    commands: tuple[SlashCommand, ...]
    home_tab: bool
    messages_tab: bool
    interactivity: bool
    socket_mode: bool
    shortcuts: tuple[Shortcut, ...] = ()
    functions: tuple[Function, ...] = ()
    assistant: bool = False

    def shortcut(self, kind: str, callback_id: str) -> Shortcut | None:
        """The shortcut of that kind and id, if the app has it."""
        return next((s for s in self.shortcuts if (s.kind, s.callback_id) == (kind, callback_id)), None)

    def command(self, name: str) -> SlashCommand | None:
        """The command of that name, if the app has it."""
        return next((c for c in self.commands if c.command == name), None)


def load(path: Path) -> Manifest:
    """Read and check a manifest file. Raises ManifestError listing all that is wrong, OSError if unreadable."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ManifestError(f"{path.name} is not YAML: {error}") from error
    return parse(raw, path.name)


def parse(raw: Any, origin: str = "manifest") -> Manifest:
    """Check a manifest's content. Raises ManifestError listing all that is wrong."""
    if not isinstance(raw, dict):
        raise ManifestError(
            f"{origin} must be a mapping with display_information, features, oauth_config, settings"
        )
    problems: list[str] = []
    manifest = _read(raw, problems)
    if problems:
        raise ManifestError(f"{origin}:\n" + "\n".join(f"- {p}" for p in problems))
    return manifest


def _read(raw: Json, problems: list[str]) -> Manifest:
    info, features = _mapping(raw, "display_information", problems), _mapping(raw, "features", problems)
    settings = _mapping(raw, "settings", problems)
    home = _mapping(features, "app_home", problems)
    name = _text(info, "name", 35, problems, required=True)
    _text(info, "description", 140, problems)
    _text(info, "long_description", 4000, problems)
    bot = _mapping(features, "bot_user", problems)
    scopes = _scopes(raw, problems)
    return Manifest(
        name=name,
        bot_name=_text(bot, "display_name", 80, problems) or name,
        scopes=scopes,
        events=_events(settings, scopes, problems),
        commands=_commands(features, scopes, problems),
        home_tab=home.get("home_tab_enabled") is True,
        messages_tab=home.get("messages_tab_enabled") is not False,
        interactivity=_mapping(settings, "interactivity", problems).get("is_enabled") is True,
        socket_mode=settings.get("socket_mode_enabled") is True,
        shortcuts=_shortcuts(features, scopes, problems),
        functions=_functions(raw, settings, problems),
        assistant=_assistant(features, scopes, problems),
    )


def _mapping(parent: Json, key: str, problems: list[str]) -> Json:
    value = parent.get(key) or {}
    if isinstance(value, dict):
        return value
    problems.append(f"{key} must be a mapping, not {type(value).__name__}")
    return {}


def _text(parent: Json, key: str, maximum: int, problems: list[str], *, required: bool = False) -> str:
    value = parent.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value:
        problems.append(f"{key} must be a text of 1 to {maximum} characters")
        return ""
    if len(value) > maximum:
        problems.append(f"{key} must be at most {maximum} characters, it has {len(value)}")
    return value


def _scopes(raw: Json, problems: list[str]) -> frozenset[str]:
    scopes = _mapping(_mapping(raw, "oauth_config", problems), "scopes", problems).get("bot") or []
    if not isinstance(scopes, list):
        problems.append("oauth_config.scopes.bot must be a list")
        return frozenset()
    bad = [s for s in scopes if not isinstance(s, str) or not _SCOPE.fullmatch(s)]
    problems.extend(f"{s!r} is not a scope" for s in bad)
    return frozenset(s for s in scopes if s not in bad)


def _events(settings: Json, scopes: frozenset[str], problems: list[str]) -> frozenset[str]:
    events = _mapping(settings, "event_subscriptions", problems).get("bot_events") or []
    if "function_executed" in events:
        problems.append("event function_executed is sent without a subscription")
    for event in events:
        needed = EVENT_SCOPES.get(event)
        if event not in EVENT_SCOPES:
            problems.append(f"event {event!r} is not known here: {', '.join(sorted(EVENT_SCOPES))}")
        elif needed and needed not in scopes:
            problems.append(f"event {event} needs the scope {needed}")
    return frozenset(events)


def _commands(features: Json, scopes: frozenset[str], problems: list[str]) -> tuple[SlashCommand, ...]:
    listed = features.get("slash_commands") or []
    if listed and "commands" not in scopes:
        problems.append("slash_commands need the scope commands")
    return tuple(_command(raw, problems) for raw in listed)


MOST_SHORTCUTS = 5
"""Of each kind."""


def _shortcuts(features: Json, scopes: frozenset[str], problems: list[str]) -> tuple[Shortcut, ...]:
    listed = features.get("shortcuts") or []
    if listed and "commands" not in scopes:
        problems.append("shortcuts need the scope commands")
    found = tuple(_shortcut(raw, problems) for raw in listed)
    counts = {kind: sum(s.kind == kind for s in found) for kind in ("global", "message")}
    problems += [
        f"shortcuts must be at most {MOST_SHORTCUTS} of type {kind}, not {count}"
        for kind, count in counts.items()
        if count > MOST_SHORTCUTS
    ]
    if len({s.callback_id for s in found}) < len(found):
        problems.append("shortcuts must each have a callback_id of their own")
    return found


def _shortcut(raw: Json, problems: list[str]) -> Shortcut:
    kind = raw.get("type")
    if kind not in ("global", "message"):
        problems.append(f"a shortcut's type must be global or message, not {kind!r}")
    return Shortcut(
        callback_id=_text(raw, "callback_id", 255, problems, required=True),
        name=_text(raw, "name", 24, problems, required=True),
        description=_text(raw, "description", 150, problems, required=True),
        kind=str(kind),
    )


def _assistant(features: Json, scopes: frozenset[str], problems: list[str]) -> bool:
    view = _mapping(features, "assistant_view", problems)
    if view:
        _text(view, "assistant_description", 300, problems, required=True)
        if "assistant:write" not in scopes:
            problems.append("assistant_view needs the scope assistant:write")
    return bool(view)


PARAMETER_TYPES = frozenset({"string", "boolean", "number", "slack#/types/user_id", "slack#/types/user_context"})


def _functions(raw: Json, settings: Json, problems: list[str]) -> tuple[Function, ...]:
    listed = _mapping(raw, "functions", problems)
    if listed and (settings.get("org_deploy_enabled") is not True or settings.get("function_runtime") != "remote"):
        problems.append("functions need settings.org_deploy_enabled: true and function_runtime: remote")
    return tuple(_function(name, given, problems) for name, given in listed.items())


def _function(name: str, raw: Json, problems: list[str]) -> Function:
    parameters = [_mapping(raw, key, problems) for key in ("input_parameters", "output_parameters")]
    for parameter, given in ((n, p) for each in parameters for n, p in each.items()):
        if given.get("type") not in PARAMETER_TYPES or given.get("name") != parameter:
            problems.append(f"{name}.{parameter} needs a known type, and its name")
        _text(given, "title", 255, problems, required=True)
    return Function(
        name,
        _text(raw, "title", 255, problems, required=True),
        _text(raw, "description", 255, problems, required=True),
        *parameters,
    )


def _command(raw: Json, problems: list[str]) -> SlashCommand:
    name = _text(raw, "command", 32, problems, required=True)
    if name and not _COMMAND.fullmatch(name):
        problems.append(f"command {name!r} must be / and lower-case letters, digits, - or _")
    return SlashCommand(
        command=name,
        description=_text(raw, "description", 2000, problems, required=True),
        usage_hint=_text(raw, "usage_hint", 1000, problems),
        should_escape=raw.get("should_escape") is True,
    )
