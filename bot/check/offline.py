"""What the settings alone show, without a connection: who may do what, files, and names that mean nothing."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.check.report import Check, Impact
from bot.domain.approvals.approvable import unable_to_break_glass, unapprovable
from bot.domain.core import words
from bot.domain.core.target import canonical_job
from bot.domain.rbac import own_roles
from bot.ports.decryption import Decryption
from bot.settings.model import Settings
from bot.wiring import config_files


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
                impact=Impact.WORK,
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
        yield Check(
            "Health-bridge", None, f"{said} nothing is reported there.", "Set bridge.url, or drop the issues."
        )
    if url and not named:
        said = "bridge.url is set, and neither a target nor a job names an issue: nothing is reported there."
        yield Check("Health-bridge", None, said, "Add issue: repository#12 to the targets or jobs to report.")
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
