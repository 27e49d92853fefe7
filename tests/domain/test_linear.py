"""Unusual numbers and untrusted texts are parsed without an exception."""

from __future__ import annotations

import pytest

from bot.adapters.slack import typed
from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.target import ServiceTarget, Target
from bot.domain.core.workload import ExecResult, Service, ServicePort
from bot.domain.health.judge_identity import judge_id
from bot.domain.health.judge_services import judge_addresses
from tests import handbook

SPEC = ServiceTarget(name="SSH", ip="10.0.0.1", port=22, target_port=2222)


@pytest.mark.parametrize(
    "said",
    ["uid=" + "9" * 5_000, "uid=²", "uid=٣(x)", "uid=", "uid=-1", "uid=1e3" * 900, "\ud800", "uid=00000000000"],
)
def test_an_invalid_identity_is_unknown_or_unexpected(said: str) -> None:
    found = judge_id(handbook.CONTAINER, ExecResult(said, "", 0))
    assert found.verdict is not Verdict.OK


@pytest.mark.parametrize("port", ["²", "٣", "9" * 5_000, "ssh", "", "2222"])
def test_a_services_target_port_may_be_any_text(port: str) -> None:
    service = Service("ssh", "LoadBalancer", "10.1.1.1", ("10.0.0.1",), (ServicePort(22, port),))
    judge_addresses([service], Target(services=(SPEC,)))


def test_a_different_target_port_is_reported() -> None:
    service = Service("ssh", "LoadBalancer", "10.1.1.1", ("10.0.0.1",), (ServicePort(22, "22"),))
    assert "sends port 22 to 22" in judge_addresses([service], Target(services=(SPEC,))).summary


@pytest.mark.parametrize("piece", [" ", "pod=", "in pod ", "in pod a_b(", "<@U1|", "*", "```", "<http:"])
def test_texts_of_many_pieces_are_parsed_in_linear_time(piece: str) -> None:
    """Searched quadratically, each takes minutes."""
    text = piece * (400_000 // len(piece))
    assert len(words.cut(text, 100)) <= 100
    assert isinstance(typed.command_line(text, "U1", ["/agentpod"]), str)
