"""A pretend Prometheus Pushgateway whose simulated cron jobs push their heartbeats on schedule.

Shapes and words follow Pushgateway 1.5.1; a test compares them with the real binary.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from sandbox.breaks import Break, Option
from sandbox.cluster.faults import choice, toggle
from sandbox.cluster.listener import Listener
from sandbox.cluster.store import Clock, utc_now

Object = dict[str, Any]
Labels = dict[str, str]
SUCCESS_HELP = "Last Unix time when changing this group in the Pushgateway succeeded."
FAILURE_HELP = "Last Unix time when changing this group in the Pushgateway failed."
HEARTBEAT = "agent_heartbeat_last_success_timestamp"
"""The gauge that ``push-heartbeat.sh`` pushes: the job's own clock."""
READ_IN = 0.5
"""Seconds in which a client that has read the groups has finished its other reads and judged them."""
METRICS = "/api/v1/metrics"


@dataclass(frozen=True)
class Schedule:
    """When a simulated job runs: every ``period`` seconds, ``offset`` seconds after midnight UTC."""

    job: str
    period: int
    offset: int = 0

    def last(self, now: datetime) -> float:
        """The Unix time of the latest run up to ``now``."""
        return (now.timestamp() - self.offset) // self.period * self.period + self.offset


PULSE = Schedule("agent_pulse", 60)
"""A job that runs often enough for a person to watch an alert fire and resolve."""
SCHEDULES = (
    Schedule("exercise_reminder", 3600, 900),
    Schedule("audit_digest", 86_400, 21 * 3600),
    Schedule("session_manager", 300),
    Schedule("self_update", 86_400, 4 * 3600),
)


@dataclass
class Family:
    """One metric of a group: its type, help text and samples, and when it was pushed."""

    type: str
    help: str
    samples: list[tuple[Labels, float]]
    pushed: datetime


@dataclass
class Group:
    """Everything pushed under one grouping key. Times are Unix seconds, 0 for never."""

    labels: Labels
    success: float = 0.0
    failure: float = 0.0
    families: dict[str, Family] = field(default_factory=dict)

    @property
    def last_push_successful(self) -> bool:
        """Whether the newest push was accepted."""
        return self.success > self.failure


@dataclass
class JobFaults:
    """What is wrong with one simulated job."""

    stopped: bool = False
    aged: str = ""
    failing: bool = False


class ExpositionError(ValueError):
    """A pushed body that is not in the text format; the message is the real gateway's."""


class PretendPushgateway:
    """The gateway on 127.0.0.1. Use it as ``async with PretendPushgateway() as gateway``.

    ``latency`` is the seconds before each answer, or a function of the path that gives them.
    """

    def __init__(self, *, clock: Clock = utc_now, port: int = 0, jobs: bool = True, pulse: bool = False) -> None:
        """Prepare a gateway; without ``jobs`` it starts empty, with ``pulse`` the job `PULSE` runs as well."""
        self.clock = clock
        self.schedules = (PULSE, *SCHEDULES) if pulse else SCHEDULES
        self._forgot = 0.0
        self.started = clock()
        self.latency: float | Callable[[str], float] = 0.0
        self.groups: dict[tuple[tuple[str, str], ...], Group] = {}
        self.faults = {s.job: JobFaults() for s in self.schedules}
        self.by_hand: list[Labels] = []
        """The group of each push that was marked as manual, in order."""
        self.pod_clock = 0.0
        """Seconds by which the pod's clock, and so the time that its jobs push, is ahead of the gateway's."""
        self.hanging = False
        self._answers = asyncio.Event()
        self._answers.set()
        self.empty = False
        self._jobs = jobs
        self._body: bytes | None = None
        self._many: list[Group] = []
        self._many_json: list[bytes] = []
        self.listener = Listener(self._app(), port)
        self.breaks: list[Break] = _breaks(self)

    @property
    def url(self) -> str:
        """The base address."""
        return self.listener.url

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        await self.listener.start()

    async def stop(self) -> None:
        """Close everything."""
        await self.listener.stop()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        """Hold back answers to reads of the groups, once clients have had time to judge earlier answers."""
        self._answers.clear()
        try:
            await asyncio.sleep(READ_IN)
            yield
        finally:
            self._answers.set()

    def set_body(self, body: bytes | None) -> None:
        """Answer ``/api/v1/metrics`` with exactly these bytes; None restores the normal answer."""
        self._body = body

    def set_groups(self, count: int | None) -> None:
        """Show ``count`` additional groups with recent pushes; None removes them."""
        self._many = [self._example(number) for number in range(count or 0)]
        # Encoded once: the sandbox must not be slower than the gateway it stands for.
        self._many_json = [json.dumps(group_as_json(group)).encode() for group in self._many]

    def set_start_time(self, moment: datetime) -> None:
        """Claim to have been started at ``moment``, and forget every group as a restart does."""
        self.started = moment
        self.groups.clear()

    def restart(self) -> None:
        """Restart without a persistence file: all groups are lost, and each returns with its job's next run."""
        now = self.clock()
        self._forgot = now.timestamp()
        self.set_start_time(now)

    def push(self, labels: Labels, at: datetime, value: float | None = None) -> Group:
        """Accept a push under the grouping key ``labels``, with the heartbeat gauge if ``value`` is given."""
        group = self._group(labels)
        group.success = at.timestamp()
        if value is not None:
            group.families[HEARTBEAT] = Family("GAUGE", "", [({}, value)], at)
        return group

    def fail(self, labels: Labels, at: datetime) -> None:
        """Refuse a push."""
        self._group(labels).failure = at.timestamp()

    def advance(self) -> None:
        """Make the simulated jobs' due pushes."""
        now = self.clock()
        for schedule in self.schedules if self._jobs else ():
            faults = self.faults[schedule.job]
            labels = {"job": schedule.job}
            due = schedule.last(now)
            if faults.failing:
                group = self._group(labels)
                group.failure = max(group.failure, due)
            elif not faults.stopped and not faults.aged and due > max(self._pushed(labels), self._forgot):
                self.push(labels, datetime.fromtimestamp(due, tz=UTC), due + self.pod_clock)

    def move_pod_clock(self, seconds: float) -> None:
        """Set how far the pod's clock is ahead; running jobs push at once, so that it shows."""
        self.advance()
        self.pod_clock, now = seconds, self.clock()
        for schedule in self.schedules if self._jobs else ():
            faults = self.faults[schedule.job]
            if not (faults.stopped or faults.aged or faults.failing):
                self.push({"job": schedule.job}, now, now.timestamp() + seconds)

    def age(self, job: str, seconds: float) -> None:
        """Make the last success of ``job`` ``seconds`` old."""
        moment = self.clock() - timedelta(seconds=seconds)
        self.push({"job": job}, moment, moment.timestamp())

    def _group(self, labels: Labels) -> Group:
        return self.groups.setdefault(tuple(sorted(labels.items())), Group(dict(labels)))

    def _pushed(self, labels: Labels) -> float:
        """When a push was last accepted (0: never). Unlike :meth:`_group`, this creates no group."""
        group = self.groups.get(tuple(sorted(labels.items())))
        return group.success if group is not None else 0.0

    def _example(self, number: int) -> Group:
        at = self.clock() - timedelta(seconds=number % 240)
        gauge = Family("GAUGE", "", [({}, at.timestamp())], at)
        return Group({"job": f"job_{number:05}"}, at.timestamp(), 0.0, {HEARTBEAT: gauge})

    def _shown(self) -> list[Group]:
        return [] if self.empty else [*self._pushed_groups(), *self._many]

    def _pushed_groups(self) -> list[Group]:
        """The simulated jobs' groups and all others that were pushed, up to now."""
        self.advance()
        return sorted(self.groups.values(), key=_sort_key)

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._with_faults], client_max_size=16 * 1024 * 1024)
        app.router.add_get(METRICS, self._metrics)
        app.router.add_get("/api/v1/status", self._status)
        app.router.add_get("/metrics", self._exposition)
        for path in ("/-/healthy", "/-/ready"):
            app.router.add_get(path, self._healthy)
        for method in ("POST", "PUT", "DELETE"):
            app.router.add_route(method, "/metrics/{key:job.*}", self._change)
        return app

    @web.middleware
    async def _with_faults(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        if self.hanging:
            await asyncio.Event().wait()
        if request.path == METRICS:
            await self._answers.wait()
        wait = self.latency(request.path) if callable(self.latency) else self.latency
        if wait:
            await asyncio.sleep(wait)
        response: web.StreamResponse = await handler(request)
        return response

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _metrics(self, _request: web.Request) -> web.Response:
        if self._body is not None:
            return web.Response(body=self._body, content_type="application/json")
        own = [json.dumps(group_as_json(group)).encode() for group in self._pushed_groups()]
        data = b"[" + b", ".join([*own, *self._many_json] if not self.empty else []) + b"]"
        return web.Response(body=b'{"status": "success", "data": ' + data + b"}", content_type="application/json")

    async def _status(self, _request: web.Request) -> web.Response:
        build = {"version": "1.5.1", "revision": "sandbox", "branch": "sandbox", "goVersion": "go1.19.8"}
        build |= {"buildDate": "20230409-10:14:32", "buildUser": "sandbox"}
        flags = {"web.listen-address": f"127.0.0.1:{self.listener.port}", "persistence.file": ""}
        data = {"build_information": build, "flags": flags, "start_time": rfc3339(self.started)}
        return _json({"status": "success", "data": data})

    async def _exposition(self, _request: web.Request) -> web.Response:
        lines = []
        for group in self._shown():
            for name, family in _all_families(group).items():
                for labels, value in family.samples:
                    inner = ",".join(f'{k}="{v}"' for k, v in sorted((_labels(group) | labels).items()))
                    lines.append(f"{name}{{{inner}}} {go_float(value)}\n")
        return web.Response(text="".join(sorted(lines)))

    async def _change(self, request: web.Request) -> web.Response:
        try:
            labels = grouping_key(request.raw_path.partition("/metrics/")[2])
            now = self.clock()
            if request.method == "DELETE":
                self.groups.pop(tuple(sorted(labels.items())), None)
                return web.Response(status=202)
            families = parse_exposition((await request.read()).decode("utf-8"), now)
        except (ExpositionError, UnicodeDecodeError) as error:
            return web.Response(status=400, text=f"{error}\n")
        return self._accept(labels, families, now, replace=request.method == "PUT")

    def _accept(
        self, labels: Labels, families: dict[str, Family], now: datetime, *, replace: bool
    ) -> web.Response:
        group = self._group(labels)
        known = {n: f.type for other in self.groups.values() for n, f in other.families.items()}
        clash = [n for n, f in families.items() if known.get(n, f.type) != f.type]
        if clash:
            group.failure = now.timestamp()
            text = f'pushed metrics are invalid or inconsistent: metric "{clash[0]}" is not a {known[clash[0]]}\n'
            return web.Response(status=400, text=text)
        if BY_HAND in families:
            self.by_hand.append(labels)
        group.families = families if replace else group.families | families
        group.success = now.timestamp()
        return web.Response(status=200)


BY_HAND = "agentpod_manual_push_time_seconds"
"""The mark of a push by hand."""


def grouping_key(path: str) -> Labels:
    """The labels in ``job/<job>{/label/value…}`` with base64 forms. Raises ExpositionError."""
    parts = path.partition("?")[0].rstrip("/").split("/")
    if len(parts) % 2:
        raise ExpositionError(f'odd number of components in label string "/{"/".join(parts)}"')
    labels: Labels = {}
    for name, raw in zip(parts[::2], parts[1::2], strict=True):
        if name.endswith("@base64"):
            text = raw.rstrip("=")
            padded = text + "=" * (-len(text) % 4)
            labels[name.removesuffix("@base64")] = base64.urlsafe_b64decode(padded).decode()
        else:
            labels[name] = _unquote(raw)
    if not labels.get("job"):
        raise ExpositionError("job name is required")
    return labels


def _unquote(text: str) -> str:
    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", lambda m: bytes.fromhex(m[0].replace("%", "")).decode(), text)


_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*$")
_LABEL = re.compile(r'\s*([a-zA-Z_]\w*)\s*=\s*"((?:\\.|[^"\\])*)"\s*,?')


def parse_exposition(text: str, now: datetime) -> dict[str, Family]:
    """The metrics of a text-format body: counters, gauges and untyped metrics. Raises ExpositionError."""
    types: dict[str, str] = {}
    helps: dict[str, str] = {}
    families: dict[str, Family] = {}
    if text and not text.endswith("\n"):
        number = text.count("\n") + 1
        raise ExpositionError(f"text format parsing error in line {number}: unexpected end of input stream")
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split(None, 3)
        if line.startswith("#") and len(words) >= 3 and words[1] in ("TYPE", "HELP"):
            (types if words[1] == "TYPE" else helps)[words[2]] = words[3] if len(words) > 3 else ""
        elif line.strip() and not line.startswith("#"):
            name, labels, value = _sample(line, number)
            kind = types.get(name, "untyped").upper()
            family = families.setdefault(name, Family(kind, helps.get(name, ""), [], now))
            family.samples.append((labels, value))
    return families


def _sample(line: str, number: int) -> tuple[str, Labels, float]:
    found = _SAMPLE.match(line)
    try:
        if found is None:
            raise ValueError(line)
        return found[1], dict(_LABEL.findall(found[2] or "")), float(found[3])
    except ValueError as error:
        raise ExpositionError(f"text format parsing error in line {number}: invalid sample") from error


def group_as_json(group: Group) -> Object:
    """One entry of ``/api/v1/metrics``."""
    entry: Object = {"labels": group.labels, "last_push_successful": group.last_push_successful}
    for name, family in _all_families(group).items():
        shown: Object = {"time_stamp": rfc3339(family.pushed), "type": family.type}
        if family.help:
            shown["help"] = family.help
        base = _labels(group)
        shown["metrics"] = [{"labels": base | lab, "value": go_float(v)} for lab, v in family.samples]
        entry[name] = shown
    return entry


def _all_families(group: Group) -> dict[str, Family]:
    pushed = datetime.fromtimestamp(max(group.success, group.failure), tz=UTC)
    own = {
        "push_time_seconds": Family("GAUGE", SUCCESS_HELP, [({}, group.success)], pushed),
        "push_failure_time_seconds": Family("GAUGE", FAILURE_HELP, [({}, group.failure)], pushed),
    }
    return group.families | own


def _labels(group: Group) -> Labels:
    return {"instance": "", **group.labels}


def go_float(value: float) -> str:
    """A number as Go's ``strconv.FormatFloat(v, 'g', -1, 64)`` writes it: ``1.79e+09``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, power = "".join(map(str, digits)), len(digits) + int(exponent) - 1
    minus = "-" if sign else ""
    if power < -4 or power >= 21:
        return f"{minus}{_scientific(text, power)}"
    if power >= max(len(text), 6) or power >= 6:
        return f"{minus}{_scientific(text, power)}"
    return f"{minus}{Decimal(repr(abs(value))).normalize():f}"


def _scientific(digits: str, power: int) -> str:
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02}"


def rfc3339(moment: datetime) -> str:
    """A time as Go's ``time.RFC3339Nano`` writes it."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"


def _sort_key(group: Group) -> tuple[str, list[tuple[str, str]]]:
    """The gateway's order: by job, then by the other labels."""
    return group.labels["job"], sorted(group.labels.items() - {("job", group.labels["job"])})


def _json(body: Object) -> web.Response:
    headers = {"Cache-Control": "no-cache, no-store, must-revalidate"}
    return web.Response(body=json.dumps(body).encode(), content_type="application/json", headers=headers)


_CLOCKS = (Option("-3600", "1 h behind"), Option("3600", "1 h ahead"), Option("172800", "2 days ahead"))
_AGES = (Option("1200", "20 min"), Option("14400", "4 h"), Option("108000", "30 h"))


def _breaks(gateway: PretendPushgateway) -> list[Break]:
    found = [b for schedule in gateway.schedules for b in _job_breaks(gateway, schedule.job)]

    async def refuse(on: bool) -> None:
        await (gateway.listener.refuse() if on else gateway.listener.accept())

    def hang(on: bool) -> None:
        gateway.hanging = on

    def garbage(on: bool) -> None:
        gateway.set_body(b"<html>\x00\xff not json" if on else None)

    def empty(on: bool) -> None:
        gateway.empty = on

    def many(on: bool) -> None:
        gateway.set_groups(10_000 if on else None)

    rows: tuple[tuple[str, str, str, Callable[[], bool], Callable[[bool], Any]], ...] = (
        ("down", "Pushgateway is down", "connections are refused", lambda: gateway.listener.refusing, refuse),
        ("hangs", "Pushgateway hangs", "requests get no answer", lambda: gateway.hanging, hang),
        ("garbage", "Garbage", "the answer is not JSON", lambda: gateway._body is not None, garbage),
        ("empty", "No groups", "as after a restart without persistence", lambda: gateway.empty, empty),
        ("10k", "10,000 groups", "many other jobs push as well", lambda: gateway._many != [], many),
    )
    restart = Break(
        "pushgateway-restart",
        "Heartbeats",
        "Pushgateway restarts empty",
        "it kept no file: each job is back with its next run",
        "button",
        lambda: None,
        lambda _: gateway.restart(),
    )
    clock = choice(
        "heartbeat-clock",
        "Heartbeats",
        ("The pod's clock is wrong", "the times that its jobs push themselves are off; the gateway's are right"),
        _CLOCKS,
        lambda: f"{gateway.pod_clock:.0f}" if gateway.pod_clock else "",
        lambda value: gateway.move_pod_clock(float(value or 0)),
    )
    toggles = [toggle(f"pushgateway-{i}", "Heartbeats", (lb, h), r, a) for i, lb, h, r, a in rows]
    return [*found, clock, *toggles, restart]


def _job_breaks(gateway: PretendPushgateway, job: str) -> list[Break]:
    faults, dashed = gateway.faults[job], job.replace("_", "-")

    def stop(on: bool) -> None:
        gateway.advance()
        faults.stopped = on

    def age(value: str) -> None:
        faults.aged = value
        if value:
            gateway.age(job, float(value))

    def fail(on: bool) -> None:
        gateway.advance()
        faults.failing = on
        now = gateway.clock()
        if on:
            gateway.fail({"job": job}, now)
        else:
            gateway.push({"job": job}, now, now.timestamp())

    shown = job.replace("_", "-")  # as the bot calls it
    stopped = (f"{shown} stops", "it pushes no more; its last success grows older")
    aged = (f"{shown}: clock set back", "its last success is this old at once; who saw a newer one keeps that")
    failing = (f"{shown} fails", "its newest push was refused")
    return [
        toggle(f"heartbeat-{dashed}-stopped", "Heartbeats", stopped, lambda: faults.stopped, stop),
        choice(f"heartbeat-{dashed}-aged", "Heartbeats", aged, _AGES, lambda: faults.aged, age),
        toggle(f"heartbeat-{dashed}-failing", "Heartbeats", failing, lambda: faults.failing, fail),
    ]
