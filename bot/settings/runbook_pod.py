"""Fills in what a target's runbook says of the pod: its containers, and what to do about what goes wrong.

Only the section ``pod`` is read here, since the settings need it; the whole file is checked by `bot.runbook.file`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from importlib import resources
from pathlib import Path
from typing import Any

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.settings import regular_file, yaml_file

SHIPPED = "bot.runbook.shipped"
"""The package that holds the shipped runbooks."""
ORIGIN = "runbook "
"""Begins the origin of a value that a runbook gives: ``runbook my-pod.yaml line 3``."""
MAX_EXTENDS = 10
"""Most files in a chain of ``extends``."""
_BLOCK = re.compile(r"^(?:pod|extends):.*\n(?:(?:[ \t#-].*)?\n)*", re.MULTILINE)
"""A section that is needed here, up to the next one."""


def is_path(runbook: str) -> bool:
    """Whether a runbook is named by its path; else by its shipped name."""
    return "/" in runbook or runbook.endswith((".yaml", ".yml"))


@dataclass
class _Pod:
    """What runbooks say of a pod, and where each value stands."""

    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    remedies: dict[str, Any] = field(default_factory=dict)
    crontab: dict[str, Any] | None = None
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)


def fill_in(data: dict[str, Any], origins: dict[str, str]) -> None:
    """Fill in what the settings' targets leave out, as their runbooks say: containers, the crontab, remedies.

    A container of the settings takes what it leaves out from the runbook's container of the same name. What has
    the wrong shape stays as it is: whoever reads the settings, or the runbook, reports it.
    """
    targets = data.setdefault("targets", [{}])
    for number, target in enumerate(targets if isinstance(targets, list) else ()):
        if isinstance(target, dict):
            targets[number] = filled = dict(target)
            _fill_in(filled, f"targets.{number}", origins)


def _fill_in(target: dict[str, Any], place: str, origins: dict[str, str]) -> None:
    names = target.get("runbook", Target.model_fields["runbook"].default)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return
    pod = _Pod()
    for name in names[:MAX_EXTENDS]:
        _read(name, Path(), pod, ())
    if pod.remedies and isinstance(given := target.get("remedies", {}), dict):
        target["remedies"] = pod.remedies | given
        _note(origins, pod, ("remedies",), f"{place}.remedies", set(pod.remedies) - set(given))
    if "crontab" not in target:
        target["crontab"] = pod.crontab
        _note(origins, pod, ("crontab",), f"{place}.crontab", set(pod.crontab or ()))
    elif isinstance(given := target["crontab"], dict) and pod.crontab:
        target["crontab"] = pod.crontab | given
        _note(origins, pod, ("crontab",), f"{place}.crontab", set(pod.crontab) - set(given))
    if not pod.containers:
        return
    listed = target.get("containers")
    if listed is None:
        target["containers"] = list(pod.containers.values())
        for at, (name, known) in enumerate(pod.containers.items()):
            _note(origins, pod, ("containers", name), f"{place}.containers.{at}", set(known))
    elif isinstance(listed, list):
        for at, own in enumerate(listed):
            if isinstance(own, dict) and (known := pod.containers.get(str(own.get("name", "")), {})):
                listed[at] = known | own
                _note(origins, pod, ("containers", own["name"]), f"{place}.containers.{at}", set(known) - set(own))


def _note(origins: dict[str, str], pod: _Pod, path: tuple[str, ...], place: str, keys: set[str]) -> None:
    for key in keys:
        if (path_ := (*path, key)) in pod.origins:
            origins[f"{place}.{key}"] = pod.origins[path_]


def _read(name: str, folder: Path, into: _Pod, around: Sequence[str]) -> None:
    """Lay what a runbook says over what is known, after those that it extends."""
    place = str(folder / name) if is_path(name) else name
    if place in around or len(around) >= MAX_EXTENDS:
        return  # the runbook's own check reports it
    text = _text(name, folder)
    parsed = yaml_file.parse(text if is_path(name) else "".join(_sections(text)), place, "runbook")
    bases = parsed.data.get("extends", [])
    for base in [bases] if isinstance(bases, str) else bases if isinstance(bases, list) else ():
        if isinstance(base, str):
            _read(base, (folder / name).parent if is_path(name) else folder, into, (*around, place))
    found = parsed.data.get("pod")
    if isinstance(found, Mapping):
        _lay(found, parsed.lines, f"{ORIGIN}{Path(name).name}", into)


def _lay(found: Mapping[str, Any], lines: Mapping[str, int], origin: str, into: _Pod) -> None:
    remedies = found.get("remedies")
    for key, text in remedies.items() if isinstance(remedies, Mapping) else ():
        into.remedies[key] = text
        into.origins["remedies", key] = f"{origin} line {lines.get(f'pod.remedies.{key}', 1)}"
    crontab = found.get("crontab")
    if isinstance(crontab, Mapping):
        into.crontab = (into.crontab or {}) | dict(crontab)
        for key in crontab:
            into.origins["crontab", key] = f"{origin} line {lines.get(f'pod.crontab.{key}', 1)}"
    containers = found.get("containers")
    for at, one in enumerate(containers if isinstance(containers, list) else ()):
        if isinstance(one, Mapping) and isinstance(name := one.get("name"), str):
            into.containers[name] = into.containers.get(name, {}) | dict(one)
            for key in one:
                line = lines.get(f"pod.containers.{at}.{key}", 1)
                into.origins["containers", name, key] = f"{origin} line {line}"


def _text(name: str, folder: Path) -> str:
    """The file's text; empty where it can't be read, which the runbook's own check reports."""
    try:
        if not is_path(name):
            return resources.files(SHIPPED).joinpath(f"{name}.yaml").read_text("utf-8")
        return regular_file.read(str(folder / name), yaml_file.MAX_BYTES).decode("utf-8")
    except (OSError, ValueError):
        return ""


def _sections(text: str) -> Iterator[str]:
    """The sections of a shipped file that are needed, each in its line: all would take long to parse."""
    end = 0
    for match in _BLOCK.finditer(text + "\n"):
        yield "\n" * text.count("\n", end, match.start())
        yield match[0]
        end = match.end()
