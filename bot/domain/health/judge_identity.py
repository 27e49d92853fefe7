"""Judge from the output of ``id`` whether each container runs as the expected user, and never as root."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict, worst
from bot.domain.core.target import ContainerTarget, Target
from bot.domain.core.workload import ExecResult

PROBE, TITLE = "identity", "Identity"

_UID = re.compile(r"uid=([0-9]{1,10})(?![0-9])")


@dataclass(frozen=True)
class ContainerIdentity:
    """The output of ``id`` in one container, and its verdict."""

    container: str
    verdict: Verdict
    said: str
    summary: str


def judge_id(spec: ContainerTarget, result: ExecResult) -> ContainerIdentity:
    """Compare the output of ``id`` with its expected beginning; root always fails."""
    said = words.cut(result.stdout or result.stderr, 200)
    uid = _UID.match(result.stdout.strip())
    if uid is None:
        return ContainerIdentity(spec.name, Verdict.UNKNOWN, said, f"id gave no identity in {spec.name}")
    if int(uid[1]) == 0:
        return ContainerIdentity(spec.name, Verdict.FAIL, said, f"{spec.name} runs as root")
    if spec.user is not None and not _begins(said, spec.user):
        summary = f"{spec.name} does not run as {spec.user}"
        return ContainerIdentity(spec.name, Verdict.FAIL, said, summary)
    return ContainerIdentity(spec.name, Verdict.OK, said, said.split(" groups=")[0])


def _begins(said: str, expected: str) -> bool:
    """Whether ``said`` begins with whole words of ``expected``: ``uid=1000`` doesn't match ``uid=10001``."""
    return said == expected or (said.startswith(expected) and not said[len(expected)].isalnum())


def judge_identity(identities: Sequence[ContainerIdentity], target: Target) -> Finding:
    """Combine the containers into one finding, worst first."""
    if not identities:
        return Finding(PROBE, TITLE, Verdict.UNKNOWN, "no container was looked into")
    ordered = sorted(identities, key=lambda i: -i.verdict.badness)
    verdict = worst(i.verdict for i in ordered)
    if verdict is Verdict.OK:
        return Finding(
            PROBE, TITLE, verdict, ordered[0].summary, tuple(f"{i.container}: {i.said}" for i in ordered)
        )
    return Finding(
        PROBE,
        TITLE,
        verdict,
        ordered[0].summary,
        tuple(f"{i.container}: {i.said}" for i in ordered),
        target.remedies.identity,
        "/agentpod identity",
    )
