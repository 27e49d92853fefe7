"""Write the reference pages and JSON Schemas in docs/ and parts of the Slack app's manifest from the code.

``--check`` only compares.

The pages can't go stale: a test runs this script with ``--check``.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from handbook_rows import handbook_page
from map_page import map_page
from pydantic import BaseModel, SecretStr, WithJsonSchema
from pydantic_core import PydanticUndefined
from rights_page import rights_page
from runbook_page import START, runbook_reference
from slack_manifest import manifest, with_workflows

from bot import __version__
from bot.adapters.metrics import Metrics
from bot.domain.core import words
from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.target import EgressSpec
from bot.domain.core.workload import Right
from bot.domain.rbac import roles
from bot.domain.rbac.own_roles import CAPABILITIES
from bot.domain.rbac.roles import Role
from bot.runbook.command import Command
from bot.runbook.file.schema import runbook_schema
from bot.runbook.grammar import usage
from bot.settings.loader import CONFIG_VARIABLE, SECRETS_VARIABLE, variables
from bot.settings.model import PREFIX, Settings
from bot.settings.schema import duration_text, field_notes, plain, settings_schema
from bot.wiring.command_line.man_page import page as man_page
from bot.wiring.command_line.tools import builtin
from bot.wiring.runbook_tools import compiled
from commands.registry import BUILTIN
from scripts.pictures.gallery import gallery_page

ROOT = Path(__file__).parents[1]
MADE = "<!-- Made by scripts/reference.py from the code: change it there. -->\n"
PICTURED = "<!-- Made by scripts/reference.py from scripts/pictures: change it there. -->\n"


def settings_page() -> str:
    """The page with every setting's default, environment variable and meaning."""
    lines = [
        "# Settings",
        MADE,
        "A setting comes from one of these places; a later one takes precedence over an earlier one:",
        "",
        f"1. one YAML file: `--config FILE` or `{CONFIG_VARIABLE}`;",
        f"2. secret files, in the folder that `{SECRETS_VARIABLE}` names: each is called like the setting, with "
        "`__` for dots, such as `slack__bot_token`;",
        "3. environment variables;",
        "4. flags.",
        "",
        "`agentpod check` prints what is in force and where it came from. Unknown names are refused with the "
        "nearest known one. [`deploy/settings.example.yaml`](../deploy/settings.example.yaml) is a file to start "
        "from. Editors complete and check it with [its JSON Schema](schemas/settings.schema.json), which "
        "`agentpod check --schema` prints.",
        "",
        "Durations are written `30s`, `10m`, `1h30m`, `2d`. Lists in a variable are written as JSON.",
        "",
    ]
    for name, info in Settings.model_fields.items():
        model = _model(info.annotation)
        lines += [f"## `{name}`", "", _doc(model), "", "| setting | default | meaning |", "|---|---|---|"]
        lines += _list(name, "") if _is_list(info.annotation) else []
        lines += _rows(model, f"{name}[]." if _is_list(info.annotation) else f"{name}.")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple


def _model(annotation: Any) -> type[BaseModel]:
    todo = [annotation]
    while todo:
        kind = todo.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        todo += get_args(kind)
    raise TypeError(f"{annotation} holds no section")


def _inner(annotation: Any) -> type[BaseModel] | None:
    try:
        return _model(annotation)
    except TypeError:
        return None


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """A row per setting, by its accepted name. Raises LookupError for a setting without a description."""
    notes = field_notes(model)
    for field, info in model.model_fields.items():
        inner = _inner(info.annotation)
        shown = f"{prefix}{info.alias or field}"
        if field not in notes:
            raise LookupError(f"{model.__name__}.{field} has no docstring that says what it means")
        if inner is not None and _is_list(info.annotation):
            yield from _list(shown, notes[field])
            yield from _rows(inner, f"{shown}[].")
        elif inner is not None:
            if type(None) in get_args(info.annotation):
                yield f"| `{shown}` | see below | {notes[field]} |"
            yield from _rows(inner, f"{shown}.")
        else:
            yield f"| `{shown}` | {_default(info)} | {_with_variable(notes[field] + _choices(info), shown)} |"


def _choices(info: Any) -> str:
    """A setting's allowed values, if a registry lists them."""
    names = [n for m in info.metadata if isinstance(m, WithJsonSchema) for n in m.json_schema.get("enum", ())]
    return f" One of: {', '.join(f'`{name}`' for name in names)}." if names else ""


def _list(shown: str, note: str) -> Iterator[str]:
    yield f"| `{shown}` | see below | {_with_variable(f'{note} A list; each entry:'.strip(), shown)} |"


def _with_variable(meaning: str, shown: str) -> str:
    """A setting's meaning, and the environment variable that sets it, if there is one."""
    variable = f"{PREFIX}{shown.upper().replace('.', '__')}"
    return f"{meaning} `{variable}`" if variable in variables() else meaning


def _default(info: Any) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "secret, not set" if SecretStr in get_args(info.annotation) else "not set"
    if hasattr(value, "total_seconds"):
        return f"`{duration_text(value)}`"
    if isinstance(value, tuple | dict):
        return ", ".join(f"`{v}`" for v in value) or "none"
    return f"`{value}`" if value != "" else "empty"


def _doc(model: type[BaseModel]) -> str:
    return plain(inspect.getdoc(model) or "")


def metrics_page() -> str:
    """The page with every metric and its labels."""
    lines = [
        "# Metrics",
        MADE,
        "On the port of `ops.port`, at `/metrics`; `/healthz` and `/readyz` are beside it.",
        "",
        "| metric | labels | meaning |",
        "|---|---|---|",
    ]
    registry = Metrics(__version__).registry
    for collector in sorted({id(c): c for c in registry._names_to_collectors.values()}.values(), key=_metric_name):
        labels = ", ".join(f"`{name}`" for name in collector._labelnames)
        kind = collector._type
        name = _metric_name(collector) + ("_total" if kind == "counter" else "")
        lines.append(f"| `{name}` | {labels} | {collector._documentation} ({kind}) |")
    return "\n".join(lines) + "\n"


def _metric_name(collector: Any) -> str:
    return str(collector._name)


def commands_page() -> str:
    """The page with every command's usage and the role it requires."""
    lines = [
        "# Commands",
        MADE,
        "Also by mention (`@agentpod status`), in a direct message, and in a terminal. Each takes "
        "`--target NAME`, and `--dry-run`, which shows the calls that it would make and sends nothing.",
        "",
    ]
    lines += _roles()
    for group in dict.fromkeys(c.group for c in BUILTIN):
        lines += [f"## {group}", ""]
        for command in (c for c in BUILTIN if c.group == group):
            named = words.either([str(role) for role in roles.holders(command.needs)])
            needs = "open to everybody" if command.needs in roles.NONE.may else f"needs the role {named}"
            lines += [f"### `{usage(command)}`", "", f"{command.summary}; {needs}.", ""]
            if command.details:
                lines += [command.details, ""]
            if command.examples:
                lines += ["For example: " + ", ".join(f"`{e}`" for e in command.examples), ""]
            rights = [str(r) for r in _rights(command)]
            if rights:
                lines += ["In Kubernetes it needs: " + ", ".join(f"`{r}`" for r in rights) + ".", ""]
    return "\n".join(lines).rstrip() + "\n"


SWITCHED_ON = {
    "egress": EgressSpec(restart_cilium=True),
    "image_set": ("kali",),
    "configs_rotate": ConfigsRotateSpec(encrypted_file="/configs/secret.yaml", key_file="/age/key.txt"),
}
"""The settings of a target that switch commands on."""


def _rights(command: Command) -> list[Right]:
    """The rights that a command needs for the handbook's pod and runbook, with the setting that switches it on."""
    target = Settings.model_construct().targets[0]
    if not command.rights(target):
        target = target.model_copy(update=SWITCHED_ON)
    book = compiled("secure-agent-pod")
    of_runbook = (*command.runbook_rights(book, target), *command.rights_beside(book, target))
    return list(dict.fromkeys([*command.rights(target), *of_runbook]))


def _roles() -> list[str]:
    """What each role may run, referring to the widest earlier role that it includes."""
    lines = ["## Roles", "", "| `access.rules[].role` | may run |", "|---|---|"]
    before: list[Role] = []
    for role in roles.BUILTIN:
        base = max((one for one in before if role.includes(one)), key=lambda one: len(one.may), default=None)
        new = role.may - (base.may if base else frozenset())
        mine = ", ".join(f"`{c.name or '/agentpod'}`" for c in BUILTIN if c.needs in new)
        named = "whom no rule names" if role == roles.NONE else f"`{role}`"
        also = f"what {'anybody' if base == roles.NONE else f'`{base}`'} may, and " if base else ""
        lines.append(f"| {named} | {also}{mine} |")
        before.append(role)
    lines += ["", "`access.roles` makes others, of these:", "", '<a id="capabilities"></a>', ""]
    lines += ["| capability | lets run |", "|---|---|"]
    for name in CAPABILITIES:
        mine = ", ".join(f"`{c.name or '/agentpod'}`" for c in BUILTIN if c.needs.value == name)
        lines.append(f"| `{name}` | {mine} |")
    return [*lines, ""]


def _runbook_page() -> str:
    """The guide as it is, with the reference behind it made anew."""
    guide = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").partition(START)[0]
    return guide + runbook_reference()


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the pages, or compare them with ``--check``; returns the exit code."""
    pages = {
        "settings.md": settings_page(),
        "metrics.md": metrics_page(),
        "commands.md": commands_page(),
        "rights.md": rights_page(MADE),
        "map.md": map_page(MADE),
        "handbook.md": handbook_page(MADE),
        "gallery.md": gallery_page(PICTURED),
        "runbook.md": _runbook_page(),
        "agentpod.1": man_page(builtin()),
        "schemas/settings.schema.json": _json(settings_schema()),
        "schemas/runbook.schema.json": _json(runbook_schema()),
    }
    app = "../deploy/slack-manifest.yaml"
    pages[app] = manifest((ROOT / "docs" / app).read_text(encoding="utf-8"))
    pages["../deploy/slack-manifest-workflows.yaml"] = with_workflows(pages[app])
    stale = []
    for name, text in pages.items():
        path = ROOT / "docs" / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(("stale, run make docs: " if "--check" in sys.argv else "wrote: ") + ", ".join(stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
