"""Loads the settings: YAML file < secret files < environment < flags. Never at import.

:func:`load` reads all sources, remembers where each value came from, and reports all problems at once, each with
its origin. pydantic-settings would silently ignore a missing YAML file and a mistyped variable; both are errors
here.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource, NestedSecretsSettingsSource

from bot.domain.core import words
from bot.errors import AgentpodError, SettingsError
from bot.settings import runbook_pod
from bot.settings.explain import nearest, sentences
from bot.settings.model import PREFIX, Settings

CONFIG_VARIABLE = "AGENTPOD_CONFIG"
SECRETS_VARIABLE = "AGENTPOD_SECRETS_DIR"
"""Folder of secret files, one per setting (`slack__bot_token`), such as a mounted Secret."""
OWN_VARIABLES = frozenset({CONFIG_VARIABLE, SECRETS_VARIABLE})

NONE_GIVEN = f"No settings: give --config FILE or set {CONFIG_VARIABLE}."
EXAMPLE = (
    "deploy/settings.example.yaml is a file to start from; docs/settings.md explains each setting. "
    "To try agentpod without a cluster, run make sandbox in a clone of the repository."
)


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each value that is not a default came from (dotted name → origin in words)."""

    settings: Settings
    origins: Mapping[str, str]

    def origin(self, name: str) -> str:
        """Where the value of a setting, such as ``slack.bot_token``, came from; "default" if it isn't set.

        Files have an origin per key. A variable may hold a whole list, whose entries then have its origin.
        """
        if name in self.origins:
            return self.origins[name]
        whole = nearest(self.origins, name.split("."))
        return whole if whole and " line " not in whole else "default"


@dataclass(frozen=True)
class _MergedSettings:
    data: dict[str, Any]
    origins: dict[str, str]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """What all sources say together, not yet validated."""

    merged: dict[str, Any]
    origins: dict[str, str]
    problems: tuple[str, ...]
    unread: tuple[str, ...]
    """The sections that a source may hold which could not be read: all of them, or none."""


def load(
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """Read all sources. Raises `SettingsError` with all problems.

    ``config`` (a flag) takes precedence over ``AGENTPOD_CONFIG``; ``flags`` maps dotted names to values.
    """
    sources = read(config=config, environ=environ, flags=flags)
    try:
        settings = Settings.from_sources(sources.merged, sources.origins)
    except ValidationError as error:
        found = sentences(error, sources.origins, sources.merged)
        raise SettingsError([*sources.problems, *found]) from None
    if sources.problems:
        raise SettingsError(sources.problems)
    return Loaded(settings, sources.origins)


def require(config: Path | None = None, environ: Mapping[str, str] | None = None) -> None:
    """Raise AgentpodError where neither a file nor a variable gives a setting. ``config`` is the flag's file."""
    env = os.environ if environ is None else environ
    if config or any(_gives(name.upper(), value) for name, value in env.items()):
        return
    raise AgentpodError(NONE_GIVEN, remedy=EXAMPLE)


def _gives(variable: str, value: str) -> bool:
    """Whether a variable is a setting, or names where settings are; an empty setting is one."""
    return variable.startswith(PREFIX) and (bool(value) or variable not in OWN_VARIABLES)


def read(
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Sources:
    """Read all sources, and lay the later ones over the earlier."""
    env = os.environ if environ is None else environ
    path = config or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    sources = [_yaml(path, named_by="--config" if config else CONFIG_VARIABLE), _secrets(env), _environment(env)]
    sources.append(_flags(flags or {}))
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in sources:
        _merge(merged, source.data)
        origins.update(source.origins)
    problems = tuple(p for s in sources for p in s.problems)
    runbook_pod.fill_in(merged, origins)
    return Sources(merged, origins, problems, tuple(Settings.model_fields) if problems else ())


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _yaml(path: Path | None, named_by: str) -> _MergedSettings:
    if path is None:
        return _MergedSettings({}, {})
    from bot.settings import yaml_file

    found = yaml_file.read(path, named_by)
    origins = {name: f"{path.name} line {line}" for name, line in found.lines.items()}
    place_runbooks(found.data, path.parent)
    return _MergedSettings(found.data, origins, found.problems)


def place_runbooks(data: Mapping[str, Any], folder: Path) -> None:
    """Look for runbook files beside the settings file that names them."""
    targets = data.get("targets")
    for target in targets if isinstance(targets, list) else ():
        names = target.get("runbook") if isinstance(target, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            target["runbook"] = [str(folder / name) if runbook_pod.is_path(name) else name for name in names]


def _environment(env: Mapping[str, str]) -> _MergedSettings:
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
    return _MergedSettings(data, origins, tuple(problems))


class _EnvFrom(EnvSettingsSource):
    """pydantic-settings' environment source, reading a given mapping instead of `os.environ`."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._given = {k.lower(): v for k, v in env.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def _unknown_variable(name: str, leaves: Sequence[str]) -> str:
    known = [PREFIX + leaf.upper().replace(".", "__") for leaf in leaves] + sorted(OWN_VARIABLES)
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]}?" if near else " See docs/settings.md for all of them."
    return f"The environment variable {words.visible(name)} is not a setting.{hint}"


def variables() -> frozenset[str]:
    """All environment variables that are settings."""
    return frozenset(PREFIX + name.upper().replace(".", "__") for name in _leaf_names(Settings)) | OWN_VARIABLES


def _leaf_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """All dotted names that a variable may set: single settings, and sections and lists as JSON."""
    names: list[str] = []
    for field, info in model.model_fields.items():
        name = info.alias or field
        names.append(prefix + name)
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += _leaf_names(kind, f"{prefix}{name}.")
    return names


def _secrets(env: Mapping[str, str]) -> _MergedSettings:
    folder = env.get(SECRETS_VARIABLE)
    if not folder:
        return _MergedSettings({}, {})
    path = Path(folder)
    if not path.is_dir():
        return _MergedSettings({}, {}, (f"{SECRETS_VARIABLE} names {folder}, which is not a folder.",))
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
            problems.append(f"The secret file {words.visible(str(file))} is not a setting.{hint}")
    if problems:
        return _MergedSettings({}, origins, tuple(problems))
    source = NestedSecretsSettingsSource(
        EnvSettingsSource(Settings),
        secrets_dir=path,
        secrets_prefix="",
        secrets_nested_delimiter="__",
    )
    return _MergedSettings(source(), origins)


def _flags(flags: Mapping[str, Any]) -> _MergedSettings:
    data: dict[str, Any] = {}
    for dotted, value in flags.items():
        *sections, leaf = dotted.split(".")
        inner = data
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[leaf] = value
    return _MergedSettings(data, dict.fromkeys(flags, "command-line flag"))
