"""Identity: the handbook's user in each container, and never root."""

from __future__ import annotations

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.target import ContainerTarget
from bot.domain.core.workload import ExecResult
from bot.domain.health.judge_identity import ContainerIdentity, judge_id, judge_identity
from tests import handbook

CLAUDE = "uid=1000(claude) gid=1000(claude) groups=1000(claude)"


@pytest.mark.parametrize(
    ("said", "user", "verdict"),
    [
        (CLAUDE + "\n", "uid=1000(claude) gid=1000(claude)", Verdict.OK),
        (CLAUDE, "uid=1000", Verdict.OK),
        (CLAUDE, None, Verdict.OK),
        ("uid=10001(x) gid=1000(x)", "uid=1000", Verdict.FAIL),
        ("uid=1000(claude) gid=0(root)", "uid=1000(claude) gid=1000(claude)", Verdict.FAIL),
        ("uid=0(root) gid=0(root) groups=0(root)", None, Verdict.FAIL),
        ("uid=0(root) gid=0(root)", "uid=0(root)", Verdict.FAIL),
        ("uid=1000 gid=1000", None, Verdict.OK),
        ("", None, Verdict.UNKNOWN),
        ("sh: id: not found", None, Verdict.UNKNOWN),
        ("the uid=1000 is not at the start", None, Verdict.UNKNOWN),
    ],
)
def test_the_output_of_id_is_compared_with_the_expected_user(
    said: str, user: str | None, verdict: Verdict
) -> None:
    assert judge_id(ContainerTarget(user=user), ExecResult(said, "", 0)).verdict is verdict


def test_the_summary_is_the_identity_without_its_groups() -> None:
    identity = judge_id(handbook.CONTAINER, ExecResult(CLAUDE, "", 0))
    assert identity.summary == "uid=1000(claude) gid=1000(claude)"


def test_an_error_of_id_is_shown() -> None:
    identity = judge_id(handbook.CONTAINER, ExecResult("", "id: cannot find name", 1))
    assert (identity.verdict, identity.said) == (Verdict.UNKNOWN, "id: cannot find name")


def test_the_worst_container_comes_first() -> None:
    fine = ContainerIdentity("kali", Verdict.OK, "uid=1000", "uid=1000")
    root = ContainerIdentity("proxy", Verdict.FAIL, "uid=0(root)", "proxy runs as root")
    finding = judge_identity([fine, root], handbook.TARGET)
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, "proxy runs as root")
    assert finding.evidence == ("proxy: uid=0(root)", "kali: uid=1000")


def test_no_container_is_unknown() -> None:
    assert judge_identity([], handbook.TARGET).verdict is Verdict.UNKNOWN
