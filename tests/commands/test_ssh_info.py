"""`ssh info`: how to connect, the host keys, and whether they changed since anybody asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Claim
from bot.errors import Transient
from bot.runbook.context import Caller
from tests.commands.fakes import NOW, FakeClock, World, said, text_of
from tests.people import member
from tests.services.workbench import opened
from tests.times import utc

FOLDER = "/home/claude/.ssh-host-keys"
CAT = f"cat {FOLDER}/ssh_host_ed25519_key.pub"
ONE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHYXxQKfLRpuRdFymgx1hG+wfFkALC4/pqAY39D8Bi/ c@s"
TWO = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDUGRSo1ed2x2eR7GbdfdEiCQuOWtGNwNL7wkhe5dyhE c@s"


@pytest.fixture
def world() -> World:
    made = World()
    names = "ssh_host_ed25519_key\nssh_host_ed25519_key.pub\n"
    made.cluster.programs |= {"ls -1": said(names), CAT: said(f"{ONE}\n")}
    made.cluster.claims_answer = [
        Claim("agent-home", "Bound", created_at=NOW - timedelta(days=61)),
        Claim("somebody-elses", "Bound", created_at=NOW),
    ]
    return made


class Later(FakeClock):
    """A clock that is an hour ahead."""

    def now(self) -> datetime:
        return NOW + timedelta(hours=1)


async def ask(world: World, ledger: Any, surface: str = "slash", clock: FakeClock | None = None) -> Reply:
    caller = Caller(member("U1", "C1"), surface)  # type: ignore[arg-type]  # a known surface
    return await world.run(
        "ssh info", lambda ctx: replace(ctx, ledger=ledger, caller=caller, clock=clock or FakeClock())
    )


async def test_the_command_the_fingerprint_and_the_claim_are_shown(world: World) -> None:
    reply = await world.run("ssh info")
    facts = {f.label: f.value for f in utc(reply, NOW).facts}
    assert facts["Connect"] == "ssh claude@192.168.55.215"
    assert facts["ED25519 host key"] == "SHA256:umM4xtilMAz0e352BPZJ5yxM2SQ3q6u7qJKN39AmdDQ"
    assert facts["Claim agent-home"] == "created Wed 23 Sep, 12:00 UTC (61 d ago)"
    assert "Claim somebody-elses" not in facts
    assert ("cat", f"{FOLDER}/ssh_host_ed25519_key") not in world.cluster.ran, "never a private key"


async def test_it_says_that_ssh_does_not_answer(world: World) -> None:
    world.network.banner_answer = Transient("connection refused")
    reply = await world.run("ssh info")
    assert reply.verdict is Verdict.FAIL
    assert "SSH can't be reached at 192.168.55.215:22: connection refused" in reply.headline
    assert {"SSH", "SSH host keys"} == {finding.title for finding in reply.findings}


async def test_a_change_is_remembered_and_said_to_everybody_who_asks_later(world: World, tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        assert "seen for the first time" in (await ask(world, ledger)).headline
        again = await ask(world, ledger, clock=Later())
        assert utc(again.headline, NOW) == "SSH host keys: unchanged since 12:00 UTC"
        world.cluster.programs[CAT] = said(f"{TWO}\n")
        for _ in range(2):
            reply = await ask(world, ledger, clock=Later())
            assert reply.verdict is Verdict.WARN
            assert "the host keys changed between" in reply.headline
            assert reply.findings[0].run == "ssh-keygen -R 192.168.55.215"


async def test_a_terminal_compares_and_remembers_nothing(world: World, tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        for _ in range(2):
            assert "seen for the first time" in (await ask(world, ledger, "terminal")).headline
        await ask(world, ledger)
        world.cluster.programs[CAT] = said(f"{TWO}\n")
        assert (await ask(world, ledger, "terminal")).verdict is Verdict.WARN
        world.cluster.programs[CAT] = said(f"{ONE}\n")
        assert (await ask(world, ledger)).verdict is Verdict.OK


class Broken:
    """A ledger that can't be written."""

    def writing(self) -> Any:
        raise Transient("The database is away.")


async def test_without_the_ledger_the_keys_are_shown_and_a_change_is_unknown(world: World) -> None:
    reply = await ask(world, Broken())
    assert reply.verdict is Verdict.UNKNOWN
    assert "SHA256:umM4xt" in text_of(reply)
    assert "the database is away" in text_of(reply).lower()


@pytest.mark.parametrize(
    "listed", [said("ssh_host_ed25519_key\n"), said("", "ls: cannot access: No such file", 2)]
)
async def test_without_a_public_key_it_is_unknown(world: World, listed: Any) -> None:
    world.cluster.programs["ls -1"] = listed
    reply = await world.run("ssh info")
    assert (reply.verdict, f"no public host key in {FOLDER}" in reply.headline) == (Verdict.UNKNOWN, True)
    assert "ssh claude@192.168.55.215" in text_of(reply)


async def test_other_settings_are_used(world: World) -> None:
    spec = {"user": "dev", "host_keys": "/etc/ssh/"}
    services = [{"name": "SSH", "ip": "10.0.0.9", "port": 2222, "check": "ssh"}]
    world.target = Target.model_validate({"ssh": spec, "services": services})
    world.cluster.programs["ls -1"] = said("ssh_host_ed25519_key.pub\n")
    world.cluster.programs["cat /etc/ssh/ssh_host_ed25519_key.pub"] = said(f"{ONE}\n")
    assert {f.label: f.value for f in (await world.run("ssh info")).facts}["Connect"] == "ssh -p 2222 dev@10.0.0.9"


async def test_a_target_without_ssh_says_so(world: World) -> None:
    world.target = Target(ssh=None)
    assert (await world.run("ssh info")).headline == "SSH is switched off in the settings"
    world.target = Target(services=())
    assert "no SSH service in the settings" in text_of(await world.run("ssh info"))
