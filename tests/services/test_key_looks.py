"""Changed keys of Secrets and ConfigMaps, and that one was deleted or created again, are recorded once."""

from __future__ import annotations

import asyncio
import copy
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import pytest_asyncio

from bot.domain.core.look import Fingerprints
from bot.domain.core.workload import Right, SecretFacts, SecretKey
from bot.domain.health import secret_memory, stored_keys
from bot.domain.health.secret_memory import Age
from bot.errors import AgentpodError, NotAllowed, NotFound, Transient
from bot.ports.cluster import Cluster
from bot.services.change_log import ChangeLog
from bot.services.health.secret_fingerprints import SecretWatch
from tests.services.watchbench import Watch, watch
from tests.services.workbench import START, opened

pytestmark = pytest.mark.xdist_group("ledger")
MAP, SECRET, SSH = "agent-settings", "agent-secrets-tier2", "agent-ssh-keys"
VALUE = "a-value-that-nobody-may-see"
FACTS = SecretFacts(SECRET, "u1", "1", {"KEY": SecretKey(9, "0a")}, changed_at=START, fingerprint_key="k")


@dataclass
class Stored:
    """A cluster with one ConfigMap and the Secrets, each readable or an error."""

    secrets: dict[str, SecretFacts | AgentpodError] = field(default_factory=lambda: {SECRET: FACTS})
    map: Mapping[str, Any] | AgentpodError = field(default_factory=lambda: config_map(mode=VALUE))

    async def secret(self, name: str) -> SecretFacts:
        found = self.secrets.get(name, NotFound("gone"))
        if isinstance(found, AgentpodError):
            raise found
        return found

    async def objects(self, right: Right, version: str, selector: str | None = None) -> Mapping[str, Any]:
        assert (str(right), version, selector) == (f'get configmaps "{MAP}"', "v1", None)
        if isinstance(self.map, AgentpodError):
            raise self.map
        return copy.deepcopy(self.map)


def config_map(uid: str = "u1", **data: str) -> Mapping[str, Any]:
    return {"metadata": {"name": MAP, "uid": uid, "resourceVersion": "7"}, "data": data}


@dataclass
class Room:
    """Two replicas that watch the same target."""

    of: Watch
    cluster: Stored
    replicas: list[SecretWatch]

    async def look(self, by: int = 0) -> list[str]:
        """The changes, oldest first, after another look five minutes later."""
        self.of.clock.pass_(minutes=5)
        await self.replicas[by].look()
        return await self.lines()

    async def lines(self) -> list[str]:
        found = await self.of.ledger.changes(START - timedelta(days=1), START + timedelta(days=1))
        return [change.text for change in reversed(found)]


def replica(of: Watch, cluster: Stored, prints: Fingerprints | None) -> SecretWatch:
    target = of.target.model_copy(update={"config_maps": (MAP,)})
    return SecretWatch(
        target, lambda _: cast("Cluster", cluster), of.ledger, of.clock, ChangeLog(of.ledger, prints)
    )


@pytest_asyncio.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with opened(tmp_path) as ledger:
        of, cluster = watch(ledger), Stored()
        yield Room(of, cluster, [replica(of, cluster, Fingerprints(b"key")) for _ in range(2)])


async def test_keys_of_a_config_map_are_recorded_by_name_and_no_value_is_kept(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    assert await room.look() == []
    room.cluster.map = config_map(mode=VALUE + "2", new=VALUE)
    with caplog.at_level(logging.DEBUG):
        assert await room.look() == [f"ConfigMap {MAP}: value of mode changed, new new"]
    assert await room.look() == [f"ConfigMap {MAP}: value of mode changed, new new"]
    kept = await room.of.ledger.mark(f"seen:configmap:{room.of.target.name}/{MAP}")
    assert kept is not None
    assert "mode" in kept
    assert VALUE not in kept + caplog.text


async def test_binary_values_of_a_config_map_count_as_well(room: Room) -> None:
    room.cluster.map = {**config_map(), "binaryData": {"blob": "AAAA"}}
    await room.look()
    room.cluster.map = {**config_map(), "binaryData": {"blob": "AAAB"}}
    assert await room.look() == [f"ConfigMap {MAP}: value of blob changed"]


async def test_a_config_map_that_is_deleted_and_comes_back(room: Room) -> None:
    await room.look()
    room.cluster.map = NotFound("gone")
    said = [f"ConfigMap {MAP}: deleted"]
    assert await room.look() == said
    assert await room.look() == said
    room.cluster.map = config_map("u2", mode="other")
    said.append(f"ConfigMap {MAP}: created again: value of mode changed")
    assert await room.look() == said
    room.cluster.map = config_map("u3", mode="other")
    said.append(f"ConfigMap {MAP}: deleted and created again")
    assert await room.look() == said


async def test_a_config_map_that_was_not_there_at_the_first_look_is_created(room: Room) -> None:
    room.cluster.map = NotFound("gone")
    assert await room.look() == []
    room.cluster.map = config_map(mode="x")
    assert await room.look() == [f"ConfigMap {MAP}: created"]


async def test_two_replicas_record_each_change_once(room: Room) -> None:
    await room.look()
    states = [(NotFound("gone"), NotFound("gone")), (config_map("u2", mode="x"), replace(FACTS, uid="u2"))]
    for found, secret in states:
        room.cluster.map, room.cluster.secrets[SECRET] = found, secret
        room.of.clock.pass_(minutes=5)
        await asyncio.gather(*(one.look() for one in room.replicas))
        await room.look(1)
    assert sorted(await room.lines()) == [
        f"ConfigMap {MAP}: created again: value of mode changed",
        f"ConfigMap {MAP}: deleted",
        f"Secret {SECRET}: created again",
        f"Secret {SECRET}: deleted",
    ]


async def test_a_restarted_bot_still_knows_which_keys_a_deleted_secret_had(room: Room) -> None:
    await room.look()
    room.cluster.secrets[SECRET] = NotFound("gone")
    await room.look()
    again = replace(FACTS, uid="u2", keys={"KEY": SecretKey(9, "0a"), "MORE": SecretKey(1, "0b")})
    room.cluster.secrets[SECRET] = again
    room.replicas[0] = replica(room.of, room.cluster, Fingerprints(b"key"))
    assert await room.look() == [f"Secret {SECRET}: deleted", f"Secret {SECRET}: created again: MORE new"]


async def test_what_can_t_be_read_is_no_change_and_keeps_nobody_else_from_being_compared(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.cluster.map = NotAllowed("The bot may not get configmaps.", remedy="deploy/options/configmaps does.")
    with caplog.at_level(logging.INFO):
        await room.look()
        room.cluster.secrets[SECRET] = replace(FACTS, keys={"KEY": SecretKey(9, "ff")})
        assert await room.look() == [f"Secret {SECRET}: value of KEY changed"]
    assert caplog.text.count("The bot may not get configmaps") == 1, "it is said once"
    room.cluster.map, room.cluster.secrets[SECRET] = config_map(mode=VALUE), Transient("no answer")
    assert len(await room.look()) == 1
    room.cluster.map = config_map(mode="x")
    assert (await room.look())[1:] == [f"ConfigMap {MAP}: value of mode changed"]


def many(count: int = 3000, **more: str) -> dict[str, str]:
    """Very many keys of one group, and more."""
    return {f"rule-{at}": VALUE for at in range(count)} | more


async def test_very_many_keys_are_kept_as_few_and_still_compared(room: Room) -> None:
    mark = f"seen:configmap:{room.of.target.name}/{MAP}"
    room.cluster.map = config_map(**many(mode=VALUE))
    assert await room.look() == []
    assert len(await room.of.ledger.mark(mark) or "") < 500
    said = [f"ConfigMap {MAP}: keys that begin with rule changed (too many to name)"]
    room.cluster.map = config_map(**(many(mode=VALUE) | {"rule-7": "x"}))
    assert await room.look() == said
    room.cluster.map = config_map(**(many(2999, mode="x", new="x") | {"rule-7": "x"}))
    said.append(
        f"ConfigMap {MAP}: value of mode changed, new new, keys that begin with rule changed (too many to name)"
    )
    assert await room.look() == said
    room.cluster.map = config_map(mode="x", new="x")
    assert (await room.look())[2:] == [f"ConfigMap {MAP}: {said[0].partition(': ')[2]}"]


async def test_very_many_keys_of_as_many_groups_are_compared_as_a_whole(room: Room) -> None:
    found = {f"{at:x}": VALUE for at in range(3000)}
    room.cluster.map = config_map(**found)
    await room.look()
    assert len(await room.of.ledger.mark(f"seen:configmap:{room.of.target.name}/{MAP}") or "") < 500
    room.cluster.map = config_map(**(found | {"7": "x"}))
    said = [f"ConfigMap {MAP}: keys changed (too many to name)"]
    assert await room.look() == said
    room.cluster.map = config_map("u2", **(found | {"7": "x"}))
    assert (await room.look())[1:] == [f"ConfigMap {MAP}: deleted and created again"]


async def test_a_state_that_was_kept_whole_is_compared_with_one_of_few_names(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade."""
    room.cluster.map = config_map(**many(mode=VALUE))
    with monkeypatch.context() as before:
        before.setattr(stored_keys, "MOST", 10_000)
        await room.look()
    assert len(await room.of.ledger.mark(f"seen:configmap:{room.of.target.name}/{MAP}") or "") > 50_000
    assert await room.look() == []
    room.cluster.map = config_map(**many(mode="x"))
    assert await room.look() == [f"ConfigMap {MAP}: value of mode changed"]


async def test_a_secret_of_very_many_keys_is_remembered_and_compared(room: Room) -> None:
    keys = {f"rule-{at}": SecretKey(9, "0a") for at in range(3000)}
    room.cluster.secrets[SECRET] = replace(FACTS, keys=keys)
    await room.look()
    text = await room.of.ledger.mark(secret_memory.mark(room.of.target.name, SECRET)) or ""
    assert len(text) < 500
    memory = secret_memory.from_json(text)
    assert memory is not None
    same = replace(FACTS, keys=keys, changed_at=memory.until)
    changed = replace(same, keys=keys | {"rule-7": SecretKey(9, "ff")})
    assert secret_memory.age(same, memory.until, memory) is Age.SAME
    assert secret_memory.age(changed, memory.until, memory) is Age.CHANGED
    whole = {name: f"{one.length}:{one.fingerprint}" for name, one in same.keys.items()}
    assert secret_memory.from_json(secret_memory.to_json(replace(memory, fingerprints=whole))) == memory
    room.cluster.secrets[SECRET] = changed
    assert await room.look() == [f"Secret {SECRET}: keys that begin with rule changed (too many to name)"]


class Threads(Fingerprints):
    """Notes in which threads values are fingerprinted."""

    found: ClassVar[set[int]] = set()

    def of(self, value: str) -> str:
        if value != "agentpod key id":
            self.found.add(threading.get_ident())
        return super().of(value)


async def test_values_are_fingerprinted_beside_the_event_loop(room: Room) -> None:
    room.replicas[0] = replica(room.of, room.cluster, Threads(b"key"))
    await room.look()
    assert Threads.found
    assert threading.get_ident() not in Threads.found


async def test_without_a_key_for_fingerprints_only_names_count(room: Room) -> None:
    room.replicas[0] = replica(room.of, room.cluster, None)
    await room.look()
    room.cluster.map = config_map(mode="x", more="y")
    assert await room.look() == [f"ConfigMap {MAP}: more new"]


async def test_the_record_does_not_change_how_old_a_secret_is_judged_to_be(room: Room) -> None:
    """A Secret that is made anew with the same values is as old as it was, also while it was away."""
    bare = SecretWatch(room.of.target, lambda _: cast("Cluster", room.cluster), room.of.ledger, room.of.clock)
    key = secret_memory.mark(room.of.target.name, SECRET)

    async def memory() -> secret_memory.Remembered | None:
        return secret_memory.from_json(await room.of.ledger.mark(key) or "")

    await bare.look()
    started = room.of.clock.now() + timedelta(minutes=1)
    before = await memory()
    room.cluster.secrets[SECRET] = NotFound("gone")
    assert await room.look() == []
    assert await memory() == before
    again = replace(FACTS, uid="u2", changed_at=room.of.clock.now())
    room.cluster.secrets[SECRET] = again
    assert await room.look() == [f"Secret {SECRET}: created"]
    assert secret_memory.age(again, started, await memory()) is Age.SAME
    changed = replace(again, keys={"KEY": SecretKey(9, "ff")})
    room.cluster.secrets[SECRET] = changed
    await room.look()
    assert secret_memory.age(changed, started, await memory()) is Age.CHANGED


async def test_everybody_sees_that_it_was_deleted_but_not_its_keys(room: Room) -> None:
    await room.look()
    for found in (NotFound("gone"), config_map("u2", other="x"), config_map("u2", other="y")):
        room.cluster.map = found
        await room.look()
    found_ = await room.of.ledger.changes(START - timedelta(days=1), START + timedelta(days=1))
    assert [change.public.after for change in reversed(found_)] == [
        "deleted",
        "created again",
        "what it holds changed",
    ]
