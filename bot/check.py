"""`agentpod check`: tries every connection and permission, and reports all problems with their remedies."""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from bot.domain.approvals.approvable import unable_to_break_glass, unapprovable
from bot.domain.approvals.approval import RequestState
from bot.domain.core import aside, proxies, words
from bot.domain.core.target import Target, canonical_job
from bot.domain.core.workload import Right
from bot.domain.rbac import own_roles, slack_tokens
from bot.domain.rbac.judge_admission import Verdict
from bot.domain.rbac.options import option_of
from bot.errors import AgentpodError
from bot.ports.decryption import Decryption
from bot.settings.loader import Loaded
from bot.settings.model import Settings, hidden
from bot.wiring import admission_check, config_files
from bot.wiring.channels import NAME_A_CHANNEL, missing_channel
from bot.wiring.clusters import ClusterLink
from bot.wiring.outbox import CALLED
from bot.wiring.parts import Parts
from bot.wiring.rights import Beyond, review, rights_needed

_MANIFESTS = "deploy/base and, for Argo CD and Cilium, deploy/options/argocd and deploy/options/egress"


@dataclass(frozen=True)
class Check:
    """One line of the report. ``ok`` is None for a note, which is not a failure."""

    title: str
    ok: bool | None
    detail: str
    remedy: str | None = None


async def check_all(loaded: Loaded) -> list[Check]:
    """Try everything that the bot will need, concurrently. Never raises for what it finds."""
    parts = Parts.build(loaded.settings)
    try:
        groups = await asyncio.gather(_slack(loaded), _kubernetes(parts), _pushgateway(parts), _ledger(parts))
        routes = [*routes_of(loaded.settings, os.environ), *_cluster_route(parts)]
    finally:
        await parts.close()
    return [
        *check_access(loaded.settings),
        *approvals(loaded.settings),
        *health_bridge(loaded.settings),
        *anchor_file(loaded.settings),
        *config_rotation(loaded.settings, parts.decryption),
        *unknown_in_maintenance(loaded.settings),
        *unused_clusters(loaded.settings),
        *routes,
        *(check for group in groups for check in group),
    ]


def addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    """(name, URL) of every server in the settings that the bot connects to, except the API server."""
    yield "Slack", settings.slack.api_url
    if settings.pushgateway.url:
        yield "the Pushgateway", settings.pushgateway.url
    for sink in CALLED:
        if sink.on_network and (url := sink.address(settings)):
            yield sink.called, url


def routes_of(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """The route of each connection: directly or through which proxy, and why."""
    for what, url in addresses(settings):
        try:
            yield Check(f"Route to {what}", True, str(proxies.choose(url, environment)))
        except AgentpodError as error:
            yield _failed(f"Route to {what}", error)


def bad_proxies(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """What is wrong with the proxies of the settings' connections, without duplicates."""
    wrong = [f"{c.detail} {c.remedy or ''}".strip() for c in routes_of(settings, environment) if not c.ok]
    return list(dict.fromkeys(wrong))


def _cluster_route(parts: Parts) -> Iterator[Check]:
    for link in parts.clusters.links:
        if link.route is not None:
            of = f" of {link.name}" if link.name else ""
            yield Check(f"Route to the API server{of}", True, str(link.route))


def _failed(title: str, error: AgentpodError) -> Check:
    return Check(title, False, error.message, error.remedy)


def check_access(settings: Settings) -> list[Check]:
    """Check that there are access rules, and name those for some targets only; then the roles."""
    rules = settings.access.rules
    if not rules:
        return [
            Check(
                "Access",
                False,
                "No access rules: nobody may run anything but help and whoami.",
                "Add access.rules, such as {role: viewer, channels: [C0123456789]}.",
            )
        ]
    return [
        Check("Access", True, f"{words.plural(len(rules), 'rule')}{_narrowed(settings)}"),
        *check_roles(settings),
    ]


def _narrowed(settings: Settings) -> str:
    """Which rules are for some targets only, and for which."""
    found = [
        f"{rule.name or f'access rule {number}'} is for {words.listed(rule.targets)} only"
        for number, rule in enumerate(settings.access.rules, start=1)
        if rule.targets
    ]
    return f": {words.listed(found)}" if found else ""


def check_roles(settings: Settings) -> Iterator[Check]:
    """Find roles of the settings' own that no rule gives, and those whose holders can't see what they act on."""
    given = {rule.role.name for rule in settings.access.rules}
    for name in settings.access.roles:
        if name not in given:
            yield Check("Roles", None, f"No access rule gives the role {name}.", "Give it, or drop it.")
    for name, has, needs in own_roles.lacking(settings.access.roles):
        said = (
            f"The role {name} has {has} without {needs}: whoever has no other role can't see what that is about."
        )
        yield Check("Roles", None, said, f"Add {needs} to access.roles.{name}, unless that is meant.")


def approvals(settings: Settings) -> Iterator[Check]:
    """Check that requests can be approved, also those made by an approver, and that people may break glass."""
    for found, remedy in unapprovable(settings.access, settings.approvals, settings.target_names):
        never = "nothing can be approved" in found
        yield Check("Approvals", False if never else None, found, remedy)
    if refused := unable_to_break_glass(settings.access, settings.approvals):
        yield Check("Break-glass", None, *refused)


def health_bridge(settings: Settings) -> Iterator[Check]:
    """Check that the health-bridge can be used: it takes its URL, its token, and issues at targets or jobs."""
    url, token = settings.bridge.url, settings.bridge.token
    issues = {t.issue for t in settings.targets} | {h.issue for t in settings.targets for h in t.heartbeats}
    named = sorted(issues - {""})
    if named and not url:
        said = (
            f"{words.listed(named)} {'is' if len(named) == 1 else 'are'} named as issue, and bridge.url is empty:"
        )
        yield Check("Health-bridge", None, f"{said} nothing is told there.", "Set bridge.url, or drop the issues.")
    if url and not named:
        said = "bridge.url is set, and neither a target nor a job names an issue: it is told nothing."
        yield Check("Health-bridge", None, said, "Add issue: repository#12 to what it should be told of.")
    if url and named and token is None:
        said = "bridge.token is not set: the health-bridge refuses what comes without its token."
        yield Check("Health-bridge", None, said, "Set AGENTPOD_BRIDGE__TOKEN.")


def anchor_file(settings: Settings) -> Iterator[Check]:
    """Check that anchors can be appended to their file. Doesn't create it: the first daily digest does."""
    if not settings.ledger.anchor.file:
        return
    path = Path(settings.ledger.anchor.file)
    try:
        there = path.exists()
        folder = path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK)
        usable = path.is_file() and os.access(path, os.R_OK | os.W_OK) if there else folder
    except OSError:  # such as a folder that may not be entered
        there = usable = False
    if usable:
        yield Check("Anchor file", True, f"{path}{'' if there else ': will be made by the next daily digest'}")
        return
    wrong = (
        f"{path} can't be read and written"
        if there
        else f"The folder {path.parent} is missing or can't be written"
    )
    yield Check(
        "Anchor file",
        False,
        f"{wrong}, so no anchor of the audit trail is kept there.",
        "Give agentpod's user the right to it, or set AGENTPOD_LEDGER__ANCHOR__FILE to another place.",
    )


def config_rotation(settings: Settings, decryption: Decryption | None) -> Iterator[Check]:
    """Check that each target's config files can be rotated: program, key and encrypted file."""
    for target, found in config_files.problems(settings.targets, decryption):
        title = f"Config files {target.name}"
        yield from (Check(title, False, said, remedy) for said, remedy in found)
        if not found and target.configs_rotate is not None:
            yield Check(
                title, True, f"{target.configs_rotate.encrypted_file} is encrypted, with sops and a key here"
            )


def unused_clusters(settings: Settings) -> Iterator[Check]:
    """Find clusters that no target is in: nothing is read there."""
    used = {target.cluster for target in settings.targets}
    for cluster in settings.kubernetes.clusters:
        if cluster.name not in used:
            yield Check(
                f"Kubernetes {cluster.name}",
                None,
                "kubernetes.clusters names it, and no target is in it: it is not connected.",
                f"Set targets[].cluster: {cluster.name}, or drop it.",
            )


def unknown_in_maintenance(settings: Settings) -> Iterator[Check]:
    """Find maintenance windows that name an unknown target or job, for which they mute nothing."""
    targets = {t.name: [h.canonical for h in t.heartbeats] for t in settings.targets}
    for window in settings.alerts.maintenance:
        for name in sorted(set(window.targets) - set(targets)):
            yield _unknown(f"{window.name} names the target {name!r}", name, list(targets))
        mine = [jobs for name, jobs in targets.items() if name in window.targets] or list(targets.values())
        known = [job for jobs in mine for job in jobs]
        for name in window.jobs:
            if canonical_job(name) not in known:
                yield _unknown(f"{window.name} names the job {name!r}", canonical_job(name), known)


def _unknown(what: str, name: str, known: Sequence[str]) -> Check:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known there: {', '.join(known) or 'none'}."
    return Check("Maintenance", None, f"{what}, which is not there: it mutes nothing.", hint)


async def _slack(loaded: Loaded) -> list[Check]:
    from bot.adapters.slack import check_slack

    unusable = [*_absent_tokens(loaded.settings), *wrong_tokens(loaded.settings)]
    if unusable:
        return unusable
    settings = loaded.settings
    results = await check_slack(settings.slack, settings.access, settings.channels())
    checks = [Check(r.title, r.ok, r.detail, r.remedy) for r in results]
    unset = missing_channel(settings)
    return [*checks, Check("Slack channel", None, unset, NAME_A_CHANNEL)] if unset else checks


def _absent_tokens(settings: Settings) -> Iterator[Check]:
    for name in missing_tokens(settings):
        variable = "AGENTPOD_" + name.upper().replace(".", "__")
        yield Check(
            "Slack", False, f"{name} is not set.", f"Set {variable}; docs/install.md says where to find it."
        )


def wrong_tokens(settings: Settings) -> Iterator[Check]:
    """Find tokens whose format doesn't fit their setting, without asking Slack."""
    for name, value in _tokens(settings).items():
        if value is not None and (found := slack_tokens.wrong(name, value.get_secret_value())):
            yield Check("Slack", False, *found)


def missing_tokens(settings: Settings) -> list[str]:
    """The names of the settings for tokens that the mode needs and that are not set."""
    return [name for name, value in _tokens(settings).items() if value is None]


def _tokens(settings: Settings) -> dict[str, SecretStr | None]:
    """The tokens that the mode needs, by setting name."""
    slack = settings.slack
    if slack.mode == "socket":
        return {"slack.bot_token": slack.bot_token, "slack.app_token": slack.app_token}
    return {"slack.bot_token": slack.bot_token, "slack.signing_secret": slack.signing_secret}


async def _kubernetes(parts: Parts) -> list[Check]:
    found = await asyncio.gather(*(_cluster(parts, link) for link in parts.clusters.links))
    return [check for group in found for check in group]


async def _cluster(parts: Parts, link: ClusterLink) -> list[Check]:
    """One cluster, and the targets in it."""
    title = f"Kubernetes {link.name}".strip()
    error = await link.connect()
    if error is not None:
        return [_failed(title, error)]
    try:
        info = await parts.cluster_of(link.targets[0].name).info()
    except AgentpodError as failure:
        return [_failed(title, failure)]
    first = Check(title, True, f"{info.version} at {info.server}")
    admission = f"Admission {link.name}".strip()
    cluster = parts.cluster_of(link.targets[0].name)
    judged, *rest = await asyncio.gather(
        _judged(admission, admission_check.policies(cluster, link.targets, parts.books, info.user)),
        *(_target(parts, target, link.targets, info.user) for target in link.targets),
    )
    return [first, *(check for group in rest for check in group), *judged]


async def _judged(title: str, verdict: Awaitable[Verdict | None]) -> list[Check]:
    found = await verdict
    return [Check(title, found.ok, found.detail, found.remedy)] if found is not None else []


async def _target(parts: Parts, target: Target, targets: Sequence[Target], user: str | None) -> list[Check]:
    """A target, of those in its cluster, which its account is for."""
    cluster = parts.cluster_of(target.name)
    title = f"Target {target.name}"
    try:
        missing, beyond = await review(cluster, target, targets, parts.commands, parts.books)
        needed = rights_needed(target, parts.commands, book=parts.books.get(target.name))
        checks = [
            *rights_checks(title, len(needed), missing, beyond),
            *describe_beyond(title, beyond, user),
        ]
        checks += await _judged(title, admission_check.reach(cluster, target))
        pods = await cluster.pods(target.selector)
    except AgentpodError as error:
        return [_failed(title, error)]
    count = "1 pod matches" if len(pods) == 1 else f"{len(pods)} pods match"
    found = f"{count} {target.selector} in {target.namespace}"
    hint = None if pods else "Is targets[].selector right? `kubectl get pods --show-labels` shows the labels."
    return [*checks, Check(title, True if pods else None, found, hint)]


def rights_checks(title: str, total: int, missing: Sequence[Right], beyond: Beyond) -> Iterator[Check]:
    """Report the missing rights; as a note those of an option that is off unless somebody applies it."""
    options = {right: option for right in missing if (option := option_of(right)) is not None}
    off = [right for right, option in options.items() if not option.wanted]
    failed = [right for right in missing if right not in off]
    if failed:
        folders = dict.fromkeys(o.folder for right, o in options.items() if right in failed)
        if any(right not in options for right in failed):
            folders = {"deploy/base": None, **folders}
        yield Check(
            title,
            False,
            f"{len(failed)} of {total} rights are missing: {'; '.join(map(str, failed))}",
            f"Apply {words.listed(list(folders))}: what they grant is exactly what is needed.",
        )
    else:
        count = f"all {total}" if not off else f"{total - len(off)} of {total}"
        yield Check(title, True, f"{count} rights are granted{', and no others' if beyond.nothing else ''}")
    for right in off:
        option = options[right]
        said = f"option not applied: {option.gives} can't be read, for {option.used_by} ({right})"
        yield Check(title, None, said, f"Apply {option.folder} if you want that; all else works without it.")


def describe_beyond(title: str, beyond: Beyond, user: str | None) -> Iterator[Check]:
    """Report excess rights of the account, as a note: to try the bot as an administrator is legitimate."""
    if beyond.found:
        detail = f"the account can do more than agentpod needs: {beyond}"
        yield Check(title, None, detail, _narrower(beyond.own, user))
    if beyond.unknown:
        yield Check(title, None, f"unknown what else the account can do: {' '.join(beyond.unknown)}")
    elif beyond.incomplete:
        listed = "this list may be incomplete" if beyond.found else "nothing else was found, but perhaps not all"
        yield Check(title, None, f"{listed}: the API server says {beyond.incomplete}")


def _narrower(own: str, user: str | None) -> str:
    """The remedy: how to find excess rights of a service account, or what to use instead of one's own account."""
    account = (user or "").removeprefix("system:serviceaccount:").replace(":", "/")
    if not (user or "").startswith("system:serviceaccount:"):
        return f"Fine for a try as {user or 'yourself'}; in the cluster, {_MANIFESTS} grant just what is needed."
    return (
        f"Remove what goes beyond {_MANIFESTS}. All it can do: `kubectl auth can-i --list -n {own} "
        f"--as={user}`. Which binding gives it: `kubectl get rolebindings,clusterrolebindings -A -o wide | "
        f"grep {account}`."
    )


async def _pushgateway(parts: Parts) -> list[Check]:
    if parts.heartbeats is None:
        return [Check("Pushgateway", None, "pushgateway.url is empty: heartbeats are switched off.")]
    try:
        snapshot = await parts.heartbeats.read({"push_time_seconds"})
    except AgentpodError as error:
        return [_failed("Pushgateway", error)]
    return [Check("Pushgateway", True, f"{len(snapshot.groups)} groups at {parts.settings.pushgateway.url}")]


async def _ledger(parts: Parts) -> list[Check]:
    """Check that the ledger can be used. Doesn't create the file: the bot does that when it starts."""
    missing = _missing_file(parts.settings.ledger.url)
    if missing is not None:
        return [missing]
    try:
        open_requests = await parts.ledger.requests(
            states={RequestState.OPEN, RequestState.APPROVED, RequestState.EXECUTING}
        )
        pending = await parts.ledger.waiting()
        unread = await parts.ledger.set_aside(parts.clock.now() - aside.LISTED_FOR)
    except AgentpodError as error:
        return [_failed("Ledger", error)]
    detail = f"{hidden(parts.settings.ledger.url)}: {len(open_requests)} open requests, {pending} messages owed"
    return [Check("Ledger", True, detail), *(Check("Ledger", None, line, _UNREAD) for line in aside.lines(unread))]


_UNREAD = "Was it written by another version of agentpod? Run that one, or go on: the rest of the ledger is used."


def _missing_file(url: str) -> Check | None:
    """The result for a SQLite file that doesn't exist yet; None for any other ledger."""
    scheme, _, place = url.partition(":///")
    path = Path(place)
    if not scheme.startswith("sqlite") or path.exists():
        return None
    if os.access(path.parent, os.W_OK):
        return Check("Ledger", True, f"{path}: will be made at the bot's start")
    return Check(
        "Ledger",
        False,
        f"The folder {path.parent} is missing or can't be written, so no request can be kept.",
        "Make it for agentpod's user, or set AGENTPOD_LEDGER__URL to another place.",
    )


def effective(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """Yield every setting as (dotted name, value, origin), with secrets masked."""
    yield from _walk("", loaded.settings, loaded)


def _walk(prefix: str, value: Any, loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, BaseModel):
        for field, info in type(value).model_fields.items():
            name = info.alias or field
            yield from _walk(f"{prefix}.{name}" if prefix else name, getattr(value, field), loaded)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for number, item in enumerate(value):
            yield from _walk(f"{prefix}.{number}", item, loaded)
    else:
        yield prefix, hidden(_masked(value)), loaded.origin(prefix)


def _masked(value: Any) -> str:
    if isinstance(value, SecretStr):
        return f"set ({len(value.get_secret_value())} characters)"
    if value is None:
        return "not set"
    if isinstance(value, timedelta):
        return words.exactly(value)
    if value == "":
        return "empty"
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value)) or "none"
    return _plain(value)


def _plain(value: Any) -> str:
    """A value as YAML would write it in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_plain(one)}" for name, one in value.items()) + "}"
    if isinstance(value, tuple | list | frozenset | set):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "value", value))
