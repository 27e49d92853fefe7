"""The checks of a digest: made once when it is claimed, kept with it, within their deadline, and redacted."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from bot.adapters.cel import CelExpressions
from bot.domain.core.outside import Outside
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply, plain
from bot.domain.digest.checks import ChecksRead
from bot.errors import Transient
from bot.runbook.context import Context
from bot.runbook.file.compiled import compile_runbook
from bot.runbook.file.loader import read
from bot.services.digest.post_digest import DigestPost
from bot.services.digest.read_checks import read_checks
from tests.commands.fakes import HANG, said
from tests.commands.test_secrets import Room
from tests.services.test_digest import WHEN, look, news
from tests.services.watchbench import Watch, watch
from tests.services.workbench import OPS, START, opened
from tests.times import utc

FILE = """
runbook: try
checks:
  pool:
    title: Executor pool
    status: true
    facts: {exec: {exec: {command: [pool, --free], timeout: 60s}}}
    expect: exec.exit_code == 0
    fails: {says: "exec.stdout"}
"""


def context(answer: Any) -> Context:
    """A healthy pod whose executor pool gives that answer."""
    room = Room()
    room.cluster.programs |= {"pool": answer}
    made, problems = compile_runbook(read(FILE, "try.yaml"), CelExpressions())
    assert made is not None, problems
    return replace(room.context(), book=made)


async def found(ctx: Context, outside: Outside | None = None, longest: float = 10.0) -> ChecksRead:
    return await read_checks([ctx], outside or Outside(), START, longest)


async def test_a_declared_check_that_fails_is_found_without_an_alert() -> None:
    bad = (await found(context(said("no executor is free", code=1)))).not_ok
    assert ("pool", Verdict.FAIL, "no executor is free") in [(o.check, o.verdict, o.summary) for o in bad]
    fine = (await found(context(said("2")))).not_ok
    assert "pool" not in [one.check for one in fine]


async def test_a_check_that_hangs_is_unknown_and_delays_the_digest_no_longer_than_it_may() -> None:
    began = time.monotonic()
    bad = (await found(context(HANG), longest=0.2)).not_ok
    assert time.monotonic() - began < 5, "its own deadline is a minute"
    assert [one.verdict for one in bad if one.check == "pool"] == [Verdict.UNKNOWN]


async def test_what_is_kept_is_redacted() -> None:
    ctx = context(said("denied for hunter2-hunter2", code=1))
    bad = (await found(ctx, Outside(["hunter2-hunter2"]))).not_ok
    assert not [one for one in bad if "hunter2" in one.summary]
    assert [one for one in bad if one.check == "pool"]


async def test_a_target_whose_checks_can_t_be_made_is_unknown() -> None:
    ctx = replace(context(said("2")), book=cast("Any", object()))
    [one] = (await found(ctx)).not_ok
    assert one.verdict is Verdict.UNKNOWN
    assert "AttributeError" in one.summary


@dataclass
class Checks:
    """The pool's check, which fails until it is mended; counts how often it is made."""

    answer: str = "no executor is free"
    made: int = 0

    async def __call__(self) -> ChecksRead:
        self.made += 1
        bad = (await found(context(said(self.answer, code=int(bool(self.answer)))))).not_ok
        return ChecksRead(START, tuple(one for one in bad if one.check == "pool"))


def post(one: Watch, checks: Checks) -> DigestPost:
    return DigestPost(one.ledger, one.clock, WHEN, OPS, checks=checks)


def text(reply: Reply) -> str:
    reply = utc(reply, START)
    return "\n".join([reply.headline, *(f"{f.label}: {plain(f.value)}" for f in reply.facts)])


async def test_they_are_made_once_when_the_digest_is_claimed_and_shown_however_often_it_is_rendered(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as ledger:
        one, checks = watch(ledger), Checks()
        one.outbox_worker.kinds = one.outbox_worker.kinds.with_(news(one).kinds(OPS))
        await look(one)
        assert not await post(one, checks).post()
        assert checks.made == 0, "the first start posts none"
        one.clock.pass_(days=1)
        await look(one)
        assert await post(one, checks).post()
        assert not await post(one, checks).post()
        assert checks.made == 1
        checks.answer = ""
        one.chat.errors = [Transient("Slack is away.")]
        await one.deliver()
        one.clock.pass_(minutes=2)
        await one.deliver()
        assert "Not ok at Tue 24 Nov, 09:00 UTC: Executor pool: no executor is free" in text(one.chat.said[-1][2])
        one.clock.pass_(days=1)
        await look(one)
        await post(one, checks).post()
        await one.deliver()
        assert "Executor pool" not in text(one.chat.said[-1][2])
