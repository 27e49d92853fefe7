"""Generates docs/rights.md: the account's rights, the commands and manifests behind each, and those refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from bot.domain.core.target import Target
from bot.domain.core.workload import PolicyRule, Right
from bot.domain.rbac.forbidden import FORBIDDEN, OTHER_NAMESPACES, Where
from bot.domain.rbac.rights import EVERYBODY, EVERYWHERE, VERBS, Permission, grants, resource_text
from bot.runbook.command import Command
from bot.wiring.rights import READERS, rights_needed
from bot.wiring.runbook_tools import compiled
from commands.registry import BUILTIN

ROOT = Path(__file__).parents[1]
OWN = "its own namespace"
TARGET = Target()
BOOK = compiled("secure-agent-pod")
"""The handbook's pod; with other names in the settings, the page's names differ as well."""

Place = tuple[str, Permission]
"""A namespace, and one permission that is granted in it."""


def rights_page(made: str) -> str:
    """The page; ``made`` is the sentence that says how it was generated."""
    needed = rights_needed(TARGET, BUILTIN, book=BOOK)
    granted = dict(_granted())
    parts = [
        ["# Rights", made, *_flow(ABOUT)],
        ["## Granted", "", *_granted_table(needed, granted), ""],
        ["## The whole matrix", "", *_matrix(needed), ""],
        ["## What RBAC can't narrow", "", *_flow(LIMITS), "", *_flow(NARROWER)],
        ["## Refused, and why it matters", "", *_refused_table(needed), ""],
        ["## Only where you switch it on", "", *_options_table(needed, granted), ""],
        ["## What every account has", "", *_everybody()],
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


ABOUT = f"""
The bot speaks to the API server as the ServiceAccount `agentpod` in the agent pod's namespace
(`{TARGET.namespace}`). This page is what that account may do; all else is refused. The names are the handbook's:
with other ones in the settings, give the Roles those.

`agentpod check` compares it with the cluster it runs on, and so does the bot at each start: it names what is
missing, and what the account can do beyond this page. The project's tests apply `deploy/` to a real API server.
They ask its authoriser for every resource with every verb, in the own namespace, in another one and in the whole
cluster. Any difference fails them.
"""
MATRIX = """
`yes` is granted, `–` is refused. Not in the columns, and refused everywhere: `impersonate`, `bind`, `escalate`,
`approve`, `sign`, `attest`, `use` and any other verb.
"""
LIMITS = """
- A pod's name is new after each restart, and RBAC knows no labels. So `pods/exec` and `pods/log` hold for every
  pod of the namespace, the bot's own included; that the bot uses only those that match `target.selector` is its
  code. Keep nothing else in that namespace.

- To list pods shows their whole specification, and with it values in `env` that are not taken from a Secret.

- To run commands in the agent pod is to read what the programs in it can read: also the token of the pod's own
  ServiceAccount, where one is mounted. `agentpod check` says whose it is, and how to list what it may do.

- A patch is granted whole: that of the Deployment is any image and any mount, that of a Secret any key.
"""
NARROWER = """
The option [`admission`](../deploy/options/admission/policies.yaml) narrows all of this at the API server, by
ValidatingAdmissionPolicies for the bot's account: only the commands that the bot runs, in the containers that it
runs them in; only what each repair changes; only the agent pod's deletion. They are made from the settings and the
runbooks ([install.md](install.md#least-privilege-at-the-api-server)). On a real API server the tests try all that
the bot does under them, and hundreds of neighbours of it, which are refused. Of a pod that a command is run in
they see the name alone, not the labels: that it is one which the Deployment's ReplicaSet gives.
"""
_OTHERS = " and ".join(f"`{name}`" for name in OTHER_NAMESPACES)
REFUSED = f"""
All that is not granted above is refused. These are asked for one by one, by `agentpod check` and at each start,
since they would do the most harm. {_OTHERS} stand for any other namespace, unless a target is there.
"""
OPTIONAL = """
Rights that the bot does not need to look at the pod, each in a folder of `deploy/options` and off until applied.
Then `agentpod check` names those in the namespaces that it looks at, for as long as nothing needs them. It reads
the admission policies itself.
"""
EVERY_ACCOUNT = """
Kubernetes itself lets every account ask what it may do, and read public certificates. Every account may also read
paths such as `/version`, `/healthz` and the list of kinds. Nobody needs to grant this:
"""


def _flow(text: str) -> list[str]:
    """One line per paragraph, as in the other pages; list items stay together."""
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    return [line for p in paragraphs for line in ([p] if p.startswith("- ") else [p, ""])]


def _granted_table(needed: Collection[Right], granted: dict[Place, str]) -> Iterator[str]:
    yield "| right | where | needed by | granted by |"
    yield "|---|---|---|---|"
    for right in needed:
        file = granted.get(_place(right))
        if file is None:
            raise LookupError(f"no manifest in deploy/ grants {right}")
        yield f"| `{replace(right, namespace=None)}` | {_where(right)} | {_users(right)} | [`{file}`](../{file}) |"


def _users(right: Right) -> str:
    """The commands that need a right, and the background tasks."""
    commands = ", ".join(f"`{c.name}`" for c in BUILTIN if c.name and right in _of(c))
    tasks = ", ".join(f"`{name}`" for name, reader in READERS.items() if right in reader.rights(TARGET))
    return "; ".join([*([commands] if commands else []), *([f"in the background: {tasks}"] if tasks else [])])


def _of(command: Command) -> Collection[Right]:
    """The rights of a command, with those that the shipped runbook adds."""
    of_runbook = (*command.runbook_rights(BOOK, TARGET), *command.rights_beside(BOOK, TARGET))
    return {*command.rights(TARGET), *of_runbook}


def _place(right: Right) -> Place:
    return (TARGET.namespace if right.namespace is None else right.namespace), Permission.of(right)


def _where(right: Right) -> str:
    return OWN if right.namespace is None else f"`{right.namespace}`"


def _matrix(needed: Collection[Right]) -> Iterator[str]:
    yield from _flow(MATRIX)
    yield f"| where | resource | {' | '.join(VERBS)} |"
    yield "|---" * (2 + len(VERBS)) + "|"
    rows: dict[tuple[str, str], set[str]] = {}
    for right in needed:
        rows.setdefault((_where(right), _resource(right)), set()).add(right.verb)
    for place in dict.fromkeys(where for where, _ in rows):
        for (where, resource), verbs in rows.items():
            if where == place:
                yield _row(where, resource, verbs)
        yield _row(place, "every other resource or name", ())
    yield _row("any other namespace", "every resource", ())
    yield _row("the whole cluster", "every resource", ())


def _resource(right: Right) -> str:
    named = f", only `{right.name}`" if right.name else ""
    return f"`{resource_text(right.group, Permission.of(right).resource)}`{named}"


def _row(where: str, resource: str, verbs: Collection[str]) -> str:
    return f"| {where} | {resource} | {' | '.join('yes' if verb in verbs else '–' for verb in VERBS)} |"


def _refused_table(needed: Collection[Right]) -> Iterator[str]:
    yield from _flow(REFUSED)
    yield "| right | refused in | it would open |"
    yield "|---|---|---|"
    for entry in FORBIDDEN:
        here = {Permission.of(right) for right in needed if right.namespace is None}
        where = [
            w for w in entry.where if w is not Where.OWN or here.isdisjoint(Permission.of(entry.right).wider())
        ]
        right = "every verb on everything" if entry.right.resource == "*" else f"`{entry.right}`"
        yield f"| {right} | {', '.join(w.value for w in where)} | {entry.reason} |"


def _options_table(needed: Collection[Right], granted: dict[Place, str]) -> Iterator[str]:
    yield from _flow(OPTIONAL)
    yield "| right | where | granted by |"
    yield "|---|---|---|"
    exact = {_place(right) for right in needed}
    for (namespace, grant), file in granted.items():
        if (namespace, grant) not in exact:
            right = replace(grant.right(""), namespace=None)
            elsewhere = f"`{namespace}`" if namespace else "the whole cluster"
            where = OWN if namespace == TARGET.namespace else elsewhere
            yield f"| `{right}` | {where} | [`{file}`](../{file}) |"


def _everybody() -> Iterator[str]:
    yield from _flow(EVERY_ACCOUNT)
    for grant in EVERYBODY:
        yield f"- `{replace(grant.right(''), namespace=None)}`"


def _granted() -> Iterator[tuple[Place, str]]:
    """Every permission that a Role or ClusterRole in deploy/ grants, with its file."""
    for file in sorted((ROOT / "deploy").glob("**/*.yaml")):
        for role in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if isinstance(role, dict) and role.get("kind") in ("Role", "ClusterRole"):
                own = TARGET.namespace if role["kind"] == "Role" else EVERYWHERE
                where = role["metadata"].get("namespace", own)
                for grant in grants(_rule(rule) for rule in role["rules"]):
                    yield (where, grant), str(file.relative_to(ROOT))


def _rule(rule: dict[str, Any]) -> PolicyRule:
    parts = (rule.get(key, ()) for key in ("apiGroups", "resources", "verbs", "resourceNames"))
    return PolicyRule(*(tuple(part) for part in parts))
