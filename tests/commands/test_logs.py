"""`logs`: redacted before it is searched, and clear about what could not be read or found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from bot.domain.core.outside import Outside
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, LogText, Pod, Termination
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, NotAllowed, NotFound, Transient, UsageError
from bot.ports.cluster import Cluster, Network
from bot.runbook.context import About, Caller, Context
from bot.runbook.grammar import parse, usage
from bot.runbook.turns import Turns
from commands.observe import grep, logs
from commands.registry import BUILTIN
from tests.people import member

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)
SECRET = "hunter2-hunter2"


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class FakeCluster:
    """A cluster with one log, returned as by the API: the newest ``tail`` lines, cut to ``limit`` characters."""

    def __init__(self, lines: Sequence[str], pods: Sequence[Pod] | None = None, limit: int = 4_000_000) -> None:
        self.lines = tuple(lines)
        self.found = (pod(),) if pods is None else tuple(pods)
        self.limit = limit
        self.refused: AgentpodError | None = None
        self.missing_secret: AgentpodError | None = None
        self.asked: list[dict[str, Any]] = []

    async def pods(self, selector: str) -> Sequence[Pod]:
        return self.found

    async def logs(
        self,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        since: timedelta | None = None,
        tail: int | None = None,
        limit_bytes: int = 4_000_000,
    ) -> LogText:
        self.asked.append({"pod": pod, "container": container, "previous": previous, "since": since, "tail": tail})
        if self.refused:
            raise self.refused
        if limit_bytes == 1:
            self.asked.pop()  # not a read: whether the log can be read at all
        lines = self.lines[-(tail or len(self.lines)) :]
        text = "\n".join(lines)
        cut = text[: self.limit]
        return LogText(tuple(cut.split("\n")) if cut else (), truncated=len(cut) < len(text))

    async def secret_values(self, names: Collection[str]) -> frozenset[str]:
        if self.missing_secret:
            raise self.missing_secret
        return frozenset({SECRET})


def container(name: str = "kali", ended: Termination | None = None, **more: Any) -> Container:
    return Container(name, "kali:1", ready=True, state="running", last_termination=ended, **more)


def pod(name: str = "pod-1", *containers: Container, **more: Any) -> Pod:
    return Pod(name, "uid", "Running", containers=containers or (container(),), **more)


def context(cluster: FakeCluster, target: Target | None = None, **more: Any) -> Context:
    return Context(
        **more,
        target=target or Target(),
        cluster=cast(Cluster, cluster),
        network=cast(Network, None),
        heartbeats=None,
        clock=FixedClock(),
        caller=Caller(member("U1", "C1"), "slash"),
        access=AccessPolicy(rules=(AccessRule(role=roles.OPERATOR, users=("U1",)),)),
        about=About("1", NOW, "3.11"),
        commands=BUILTIN,
    )


async def ask(line: str, cluster: FakeCluster, target: Target | None = None) -> Reply:
    invocation = parse(line, BUILTIN)
    return await invocation.command.run(context(cluster, target), invocation.params)


def note(reply: Reply, part: str) -> bool:
    return any(part in text for text in reply.notes)


async def test_the_whole_log_is_the_excerpt_and_its_file_is_named_after_the_container() -> None:
    reply = await ask("logs", FakeCluster(["one", "two"]))
    assert reply.headline == "2 lines from kali"
    assert [(e.text, e.filename) for e in reply.excerpts] == [("one\ntwo", "secure-agent-pod-kali.log")]
    assert note(reply, "From pod-1")


async def test_grep_shows_the_matching_lines_and_counts_those_searched() -> None:
    cluster = FakeCluster(["sshd up", "cron up", "sshd down"])
    reply = await ask("logs --grep sshd", cluster)
    assert reply.headline == "2 lines match sshd: 3 lines searched in kali"
    assert reply.excerpts[0].text == "sshd up\nsshd down"


@pytest.mark.parametrize("line", ["logs --grep nowhere", "logs --grep 'no.*where'"])
async def test_no_match_says_how_many_lines_were_searched(line: str) -> None:
    reply = await ask(line, FakeCluster(["one"] * 1234))
    assert reply.headline.startswith("No line matches no")
    assert "1,234 lines searched" in reply.headline
    assert reply.excerpts == ()


async def test_an_empty_log_is_reported_as_empty() -> None:
    assert (await ask("logs", FakeCluster([]))).headline == "Nothing was logged by kali"
    reply = await ask("logs --since 1h --grep x", FakeCluster([]))
    assert reply.headline == "Nothing was logged in the last hour by kali"


@pytest.mark.parametrize("pattern", ["hunter2", "hunter[0-9]", "(hunter)2", "^password=h"])
async def test_a_pattern_can_not_probe_for_a_secret(pattern: str) -> None:
    reply = await ask(f"logs --grep '{pattern}'", FakeCluster([f"login {SECRET}", "password=hunter2"]))
    assert reply.headline.startswith("No line matches")


async def test_the_bot_s_own_secrets_are_redacted_as_well() -> None:
    ctx = context(
        FakeCluster([f"login {SECRET}", "seen harbor-light-nine today"]), outside=Outside(["harbor-light-nine"])
    )
    invocation = parse("logs", BUILTIN)
    reply = await invocation.command.run(ctx, invocation.params)
    assert reply.excerpts[0].text == "login [redacted]\nseen [redacted] today"
    assert note(reply, "2 secrets redacted")


async def test_secrets_are_redacted_and_counted() -> None:
    reply = await ask("logs", FakeCluster([f"login {SECRET}", "password=abc", "fine"]))
    assert reply.excerpts[0].text == "login [redacted]\npassword=[redacted]\nfine"
    assert note(reply, "2 secrets redacted")
    assert reply.data["redacted"] == 2
    assert SECRET not in repr(reply)


@pytest.mark.parametrize(
    "error", [NotAllowed("The bot may not get secrets."), NotFound("There is no such Secret.")]
)
async def test_unreadable_secret_values_are_reported_and_patterns_still_redact(error: AgentpodError) -> None:
    cluster = FakeCluster(["password=abc"])
    cluster.missing_secret = error
    reply = await ask("logs", cluster)
    assert reply.excerpts[0].text == "password=[redacted]"
    assert note(reply, "agent-secrets-tier2 are not known, so only patterns are redacted")
    assert note(reply, error.message)


async def test_escape_codes_are_removed_and_long_lines_truncated() -> None:
    reply = await ask("logs", FakeCluster(["\x1b[31mred\x1b[0m\x07", "x" * 5000]))
    first, second = reply.excerpts[0].text.split("\n")
    assert first == "red"
    assert len(second) == logs.MAX_WIDTH
    assert note(reply, "1 line cut at 2,000 characters")


async def test_the_flags_reach_the_cluster() -> None:
    cluster = FakeCluster(["x"], [pod("pod-1", container(), container("sidecar"))])
    reply = await ask("logs --since 1h30m --previous --container sidecar --tail 5", cluster)
    assert cluster.asked == [
        {"pod": "pod-1", "container": "sidecar", "previous": True, "since": timedelta(minutes=90), "tail": 5}
    ]
    assert reply.headline == "1 line in the last 1 h 30 min from sidecar, the previous container"
    assert reply.excerpts[0].filename == "secure-agent-pod-sidecar-previous.log"


async def test_of_a_log_over_the_limit_the_newest_lines_are_read() -> None:
    lines = [f"line {n:06}" for n in range(1000)]
    reply = await ask("logs", FakeCluster(lines, limit=6_000))
    shown = reply.excerpts[0].text.split("\n")
    assert shown[-1] == "line 000999"
    assert note(reply, f"Only the newest {len(shown)} lines were read")


async def test_a_truncated_log_loses_its_last_line_which_could_hold_half_a_secret() -> None:
    reply = await ask("logs --tail 2", FakeCluster(["short", SECRET + "x" * 90], limit=len(SECRET)))
    assert SECRET[:8] not in repr(reply)
    assert note(reply, "The newest lines are missing")


async def test_a_missing_container_names_those_that_exist() -> None:
    cluster = FakeCluster(["x"], [pod("pod-1", container(), container("sidecar"))])
    with pytest.raises(UsageError, match="pod-1 has no container 'kalli'; it has kali and sidecar") as caught:
        await ask("logs --container kalli", cluster)
    assert caught.value.remedy == "Use --container kali."


async def test_a_pod_without_containers_yet_is_reported() -> None:
    with pytest.raises(NotFound, match="pod-1 is Pending and has no containers yet"):
        await ask("logs", FakeCluster([], [Pod("pod-1", "uid", "Pending")]))


async def test_a_missing_pod_is_reported_with_where_to_look() -> None:
    reply = await ask("logs", FakeCluster([], []))
    assert reply.headline == "There is no pod, so there is no log"
    assert reply.verdict is Verdict.FAIL
    assert "app=secure-agent-pod" in reply.body[0]


async def test_of_several_pods_the_newest_running_one_is_read() -> None:
    waiting = pod("new", Container("kali", "kali:1", state="waiting"))
    cluster = FakeCluster(["x"], [pod("old"), pod("mid"), waiting, pod("gone", deleting=True)])
    reply = await ask("logs", cluster)
    assert cluster.asked[0]["pod"] == "mid"
    assert note(reply, "From mid, the newest that runs; there are 3 pods besides")


async def test_an_ended_pods_log_is_read_when_there_is_no_other() -> None:
    cluster = FakeCluster(["x"], [Pod("evicted", "uid", "Failed", containers=(container(),))])
    assert (await ask("logs", cluster)).data["pod"] == "evicted"


async def test_a_missing_previous_log_has_the_port_s_message() -> None:
    cluster = FakeCluster([])
    cluster.refused = NotFound("kali has not run before.")
    with pytest.raises(NotFound, match="has not run before"):
        await ask("logs --previous", cluster)


async def test_the_previous_log_is_offered_after_a_restart() -> None:
    restarted = FakeCluster(["x"], [pod("pod-1", container(ended=Termination("Error", 1)))])
    assert "logs --previous" in [b.command for b in (await ask("logs", restarted)).buttons]
    assert "logs --previous" not in [b.command for b in (await ask("logs --previous", restarted)).buttons]
    assert "logs --previous" not in [b.command for b in (await ask("logs", FakeCluster(["x"]))).buttons]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("logs --grep 'a[bc'", r"--grep: not a regular expression: missing \] at '\[bc'"),
        ("logs --grep 'a('", r"--grep: not a regular expression: missing \)"),
        ("logs --grep '*a'", r"--grep: not a regular expression: no argument for repetition operator at '\*'"),
        ("logs --grep=''", r"--grep: the pattern is empty"),
        ("logs --grep '" + "a" * 501 + "'", r"--grep: the pattern has 501 characters; at most 500"),
        ("logs --grep 'a{1001}'", r"--grep: not a usable regular expression"),
        ("logs --grep '(?=a)'", r"--grep: look-ahead, .* are not supported"),
        ("logs --grep '(a)\\1'", r"--grep: back-references are not supported"),
        ("logs --since soon", r"--since: 'soon' is not a duration: write 30s"),
        ("logs --since 0s", r"--since: .* is not a usable duration"),
        ("logs --tail 0", r"--tail takes at least 1\."),
        ("logs --tail many", r"--tail takes a whole number\."),
        ("logs --tail 20001", r"--tail takes at most 20,000\."),
        ("logs --follow --previous", r"--previous is the log of a run that has ended"),
        ("logs --for 5m", r"--for says how long to follow, so it needs --follow"),
        ("logs --follow --for 61m", r"--for: a log is followed for 1 h at most"),
        ("logs nonsense", r"logs does not know what to do with 'nonsense'"),
    ],
)
def test_bad_arguments_are_refused_with_the_flag_named(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse(line, BUILTIN)
    assert caught.value.usage == usage(logs.COMMAND)


def test_the_usage_names_all_flags() -> None:
    assert usage(logs.COMMAND) == (
        "/agentpod logs [--grep RE] [--since TIME] [--previous] [--container CONTAINER] [--tail N] [--follow] "
        "[--for TIME]"
    )


def test_logs_needs_rights_to_the_log_and_each_named_secret() -> None:
    target = Target(secrets=("one", "two"))
    assert [str(r) for r in logs.rights(target)] == [
        "list pods",
        "get pods/log",
        'get secrets "one"',
        'get secrets "two"',
    ]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){25}$", "a?" * 40 + "a" * 40 + "$"])
async def test_a_pathological_pattern_is_searched_in_time(pattern: str) -> None:
    assert await grep.matching(pattern, ["a" * 39 + "b"] * 5) in ([], [0, 1, 2, 3, 4])


async def test_a_search_that_takes_too_long_is_aborted() -> None:
    with pytest.raises(UsageError, match=r"--grep: .* took more than 0 s"):
        await grep.matching("(.{0,100}x){9}", ["a" * 16_000] * 5, deadline=0)


async def test_only_the_beginning_of_a_very_long_line_is_searched() -> None:
    line = "x" * grep.MAX_SEARCHED
    assert await grep.matching("y", [line + "y", "y" + line]) == [1]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("error", [0, 1]),
        ("Error", [1]),
        (r"\SRROR", []),
        (r"\Srror", [0, 1]),
        ("e(r)+or", [0, 1]),
        ("E(r)+or", [1]),
        ("ü+", [2]),
        ("^$", [3]),
        ("^()$", [3]),
    ],
)
async def test_case_matters_once_the_pattern_has_a_capital(pattern: str, found: list[int]) -> None:
    assert await grep.matching(pattern, ["an error", "an Error", "über", ""]) == found


async def test_no_lines_match_nothing() -> None:
    assert await grep.matching("a*", []) == []


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - any condition, not one event
            await asyncio.sleep(0)


class SlowCluster(FakeCluster):
    """A cluster that answers only when released, and counts concurrent reads."""

    def __init__(self) -> None:
        super().__init__(["an error"] * 3)
        self.may, self.reading, self.most = asyncio.Event(), 0, 0

    async def logs(self, *args: Any, **how: Any) -> LogText:
        if how["limit_bytes"] == 1:
            return await super().logs(*args, **how)
        self.reading += 1
        self.most = max(self.most, self.reading)
        await self.may.wait()
        self.reading -= 1
        return await super().logs(*args, **how)


async def test_concurrent_reads_are_limited_and_waiting_users_are_told() -> None:
    cluster, heavy, told = SlowCluster(), Turns(2), list[str]()

    async def tell(reply: Reply) -> None:
        told.append(f"{reply.headline}: {reply.body[0]}")

    invocation = parse("logs --grep error", BUILTIN)
    contexts = [context(cluster, heavy=heavy, progress=tell) for _ in range(16)]
    asked = [asyncio.create_task(invocation.command.run(c, invocation.params)) for c in contexts]
    await until(lambda: cluster.reading == 2 and len(told) == 14)
    assert told[0] == "⏳ Waiting for a turn: logs are read two at a time: In the queue: you are next."
    assert told[2].endswith("In the queue: 2 others before you.")
    cluster.may.set()
    assert {r.headline for r in await asyncio.gather(*asked)} == {"3 lines match error: 3 lines searched in kali"}
    assert cluster.most == 2


class HangingCluster(FakeCluster):
    """A cluster whose logs never come."""

    async def logs(self, *args: Any, **how: Any) -> LogText:
        self.asked.append(how)
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_cluster_whose_logs_hang_does_not_delay_those_of_another() -> None:
    hanging, heavy = HangingCluster([]), Turns(2)
    invocation = parse("logs", BUILTIN)
    stuck = [asyncio.create_task(invocation.command.run(context(hanging, heavy=heavy), invocation.params))]
    stuck += [asyncio.create_task(invocation.command.run(context(hanging, heavy=heavy), invocation.params))]
    await until(lambda: len(hanging.asked) == 2)
    async with asyncio.timeout(5):
        reply = await invocation.command.run(context(FakeCluster(["one"]), heavy=heavy), invocation.params)
    assert reply.headline == "1 line from kali"
    for task in stuck:
        task.cancel()


async def test_a_full_queue_refuses_and_a_cancelled_request_leaves_it() -> None:
    turns, told = Turns(1, most_waiting=2), list[int]()

    async def tell(before: int) -> None:
        told.append(before)

    async def one() -> str:
        async with turns.turn(tell):
            return "done"

    async with turns.turn(tell):
        waiting = [asyncio.create_task(one()) for _ in range(2)]
        await until(lambda: len(told) == 2)
        with pytest.raises(Transient, match="2 others wait"):
            await one()
        waiting[0].cancel()
    assert await waiting[1] == "done"
    assert await one() == "done"
    assert waiting[0].cancelled()


def test_operators_may_run_logs() -> None:
    assert logs.COMMAND.needs is Capability.READ_LOGS
