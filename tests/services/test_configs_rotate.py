"""Rotations of the config files: the Secret gets what was approved, once, and no message has a value."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.actions.configs_rotate import CONFIGS_ROTATE, USED, snapshot
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.repair import Proposal, RepairRequest, to_json
from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.secret_data import SecretData, SecretDifference, difference
from bot.domain.core.workload import SecretFacts, SecretKey
from bot.errors import Conflict, NotAllowed, NotFound, Permanent, TimedOut, Transient, Uncertain
from bot.ports.decryption import Decrypted
from tests import handbook
from tests.services.succession import succession
from tests.services.workbench import JONAS, MAYA, TARGET, Bench, FakeCluster, bench, opened, said

SECRET = "agent-configs"
OLD = {"kubeconfig": b"old-value-hunter2", "gone": b"old-value-hunter2", "same": b"same-value-hunter2"}
NEW = {"kubeconfig": b"new-value-hunter2", "omniconfig": b"new-value-hunter2", "same": b"same-value-hunter2"}
SPEC = {"encrypted_file": "/configs/configs.yaml", "key_file": "/age/key"}
WITH = handbook.target(configs_rotate=SPEC)
DONE = "3 keys as in the file"


@dataclass
class Configs(FakeCluster):
    """A cluster with the Secret of the config files."""

    data: dict[str, bytes] = field(default_factory=lambda: dict(OLD))
    marks: dict[str, str] = field(default_factory=dict)
    version: int = 1
    patches: list[dict[str, bytes | None]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    lost: list[Exception] = field(default_factory=list)
    """Raised by the next patches after they took effect."""
    uid: str = "s1"

    def change(self, **data: bytes) -> None:
        """Somebody else changes the Secret."""
        self.data |= data
        self.version += 1

    async def secret(self, name: str) -> SecretFacts:
        assert name == SECRET
        if self.reads and (error := self.reads.pop(0)) is not None:
            raise error
        keys = {key: SecretKey(len(value)) for key, value in self.data.items()}
        return SecretFacts(name, self.uid, str(self.version), keys, annotations=dict(self.marks))

    async def compare_secret(self, name: str, data: SecretData) -> tuple[SecretFacts, SecretDifference]:
        return await self.secret(name), difference(self.data, data.values)

    async def secret_values(self, names: Collection[str], *, files: bool = False) -> frozenset[str]:
        assert (tuple(names), files) == ((SECRET,), True)
        return frozenset(value.decode() for value in self.data.values())

    async def set_secret_data(
        self, seen: SecretFacts, values: Mapping[str, bytes | None], annotations: Mapping[str, str]
    ) -> SecretFacts:
        if self.errors:
            raise self.errors.pop(0)
        if (seen.uid, seen.resource_version) != (self.uid, str(self.version)):
            raise Conflict("changed")
        self.patches.append(dict(values))
        self.marks |= annotations
        self.data = {key: value for key, value in (self.data | values).items() if value is not None}
        self.version += 1
        if self.lost:
            raise self.lost.pop(0)
        return await self.secret(SECRET)


@dataclass
class Sealed:
    """The encrypted file, and who decrypts it."""

    values: dict[str, Any] = field(default_factory=lambda: {key: value.decode() for key, value in NEW.items()})
    sha256: str = "f1"
    errors: list[Exception] = field(default_factory=list)

    async def digest(self, spec: ConfigsRotateSpec) -> str:
        assert spec.encrypted_file == SPEC["encrypted_file"]
        if self.sha256 == "":
            raise NotFound("There is no file.")
        return self.sha256

    async def decrypt(self, spec: ConfigsRotateSpec) -> Decrypted:
        if self.errors:
            raise self.errors.pop(0)
        return Decrypted(await self.digest(spec), self.values)

    def problems(self, spec: ConfigsRotateSpec) -> list[tuple[str, str]]:
        return []


@pytest.fixture
def sealed() -> Sealed:
    return Sealed()


@pytest.fixture
async def one(tmp_path: Path, sealed: Sealed) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger, cluster=Configs(), target=WITH, decryption=sealed)
        yield made
        await made.executor.stop(1)


def configs(one: Bench) -> Configs:
    assert isinstance(one.cluster, Configs)
    return one.cluster


def proposed(seen: SecretFacts, used: str = "files") -> Proposal:
    details = {"secret": SECRET, "file": SPEC["encrypted_file"], "sha256": "f1", USED: used}
    details |= {"set": "kubeconfig omniconfig", "removed": "gone"}
    return Proposal(CONFIGS_ROTATE, snapshot(seen, "f1"), "why", "", subject=SECRET, details=details)


async def asked(one: Bench, used: str = "files") -> RepairRequest:
    proposal = proposed(await one.cluster.secret(SECRET), used)
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)


async def test_the_secret_gets_what_is_in_the_file_by_one_patch(one: Bench) -> None:
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, DONE)
    assert configs(one).data == NEW
    assert configs(one).patches == [{**NEW, "gone": None}]
    await one.deliver()
    everything = to_json(ended) + repr(one.chat.shown) + repr(await one.trail()) + repr(one.chat.said)
    assert "hunter2" not in everything


@pytest.mark.parametrize(
    ("used", "text", "buttons"),
    [
        ("files", "refreshes its files within about 90 s", ["Config files"]),
        (
            "env files",
            "after a restart: environment variables are set when it starts",
            ["Ask for a restart", "Config files"],
        ),
        ("frozen", "after a restart: a subPath mount is never refreshed", ["Ask for a restart", "Config files"]),
        ("unused", "none uses this Secret now", ["Config files"]),
        ("", "not read", ["Config files"]),
    ],
)
async def test_what_the_pod_still_needs_is_said(one: Bench, used: str, text: str, buttons: list[str]) -> None:
    ended = await approved(one, await asked(one, used))
    shown = card.card(ended, ApprovalPolicy())
    assert text in {fact.label: str(fact.value) for fact in shown.facts}["Pod"]
    assert [button.label for button in CONFIGS_ROTATE.next_steps(ended)] == buttons


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("secret", "the Secret agent-configs was changed"),
        ("anew", "the Secret agent-configs was deleted and created again"),
        ("file", "the encrypted file was changed"),
        ("no file", "the encrypted file is gone or can't be read"),
        ("settings", "the settings of the rotation were changed"),
    ],
)
async def test_what_changed_since_the_request_voids_it(one: Bench, sealed: Sealed, change: str, why: str) -> None:
    repair = await asked(one)
    if change == "secret":
        configs(one).change(other=b"1")
    elif change == "anew":
        configs(one).uid = "s2"
    elif change == "settings":
        spec = ConfigsRotateSpec.model_validate({**SPEC, "encrypted_file": "/other.yaml"})
        one.executor.targets = {TARGET.name: WITH.model_copy(update={"configs_rotate": spec})}
    else:
        sealed.sha256 = "f2" if change == "file" else ""
    ended = await approved(one, repair)
    assert (ended.state, said(ended), configs(one).patches) == (RequestState.VOID, why, [])


async def test_a_file_that_changes_while_it_is_decrypted_is_not_used(one: Bench, sealed: Sealed) -> None:
    repair, digest = await asked(one), sealed.digest

    async def changes_afterwards(spec: ConfigsRotateSpec) -> str:
        found = await digest(spec)
        sealed.sha256 = "f2"
        return found

    sealed.digest = changes_afterwards  # type: ignore[method-assign]
    ended = await approved(one, repair)
    assert (ended.state, configs(one).patches) == (RequestState.VOID, [])


@pytest.mark.parametrize("error", [Uncertain("no answer"), Transient("away"), Conflict("changed")])
@pytest.mark.parametrize("after", [True, False])
async def test_a_patch_whose_answer_was_lost_or_that_failed_is_made_once(
    one: Bench, error: Exception, after: bool
) -> None:
    (configs(one).lost if after else configs(one).errors).append(error)
    ended = await approved(one, await asked(one))
    assert (ended.state, len(configs(one).patches)) == (RequestState.SUCCEEDED, 1)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Permanent("It is the wrong one."), "nothing was changed: it is the wrong one"),
        (NotFound("There is no program /sops."), "nothing was changed: there is no program /sops"),
    ],
)
async def test_a_file_that_can_not_be_decrypted_any_more_changes_nothing(
    one: Bench, sealed: Sealed, error: Exception, why: str
) -> None:
    repair = await asked(one)
    sealed.errors = [error] * 500
    ended = await approved(one, repair)
    assert (ended.state, said(ended), configs(one).patches) == (RequestState.FAILED, why, [])


async def test_sops_that_is_slow_is_tried_again(one: Bench, sealed: Sealed) -> None:
    repair = await asked(one)
    sealed.errors = [TimedOut("slow"), TimedOut("slow")]
    assert (await approved(one, repair)).state is RequestState.SUCCEEDED


async def test_a_missing_right_changes_nothing(one: Bench) -> None:
    configs(one).errors = [NotAllowed("The bot may not patch it.")] * 500
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.FAILED, "nothing was changed: the bot may not patch it")


async def test_a_secret_that_somebody_changes_right_afterwards_is_said(one: Bench) -> None:
    store = configs(one).set_secret_data

    async def changed_afterwards(*given: Any) -> SecretFacts:
        found = await store(*given)
        configs(one).change(kubeconfig=b"other-value-hunter2")
        return found

    configs(one).set_secret_data = changed_afterwards  # type: ignore[method-assign]
    ended = await approved(one, await asked(one))
    text = "the values were stored, and then somebody changed the Secret: kubeconfig"
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)


async def test_a_file_that_changes_after_the_patch_leaves_it_done(one: Bench, sealed: Sealed) -> None:
    store = configs(one).set_secret_data

    async def then_changes(*given: Any) -> SecretFacts:
        sealed.sha256 = "f2"
        return await store(*given)

    configs(one).set_secret_data = then_changes  # type: ignore[method-assign]
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.SUCCEEDED
    assert said(ended) == "stored; not compared, since the encrypted file has changed since"


def after_the_patch(one: Bench, happens: Callable[[], object]) -> None:
    """Have something happen as soon as the Secret was changed."""
    store = configs(one).set_secret_data

    async def then(*given: Any) -> SecretFacts:
        found = await store(*given)
        happens()
        return found

    configs(one).set_secret_data = then  # type: ignore[method-assign]


WRONG_KEY = Permanent("The key in /age/key does not decrypt configs.yaml: it is the wrong one.")
KEY_GONE = "the key in /age/key does not decrypt configs.yaml: it is the wrong one"


@pytest.mark.parametrize("somebody", [True, False])
async def test_a_key_that_is_lost_after_the_patch_is_not_taken_for_a_changed_file(
    one: Bench, sealed: Sealed, somebody: bool
) -> None:
    def lost() -> None:
        sealed.errors = [WRONG_KEY] * 100
        if somebody:
            configs(one).change(kubeconfig=b"other")
            configs(one).marks = {}

    after_the_patch(one, lost)
    ended = await approved(one, await asked(one))
    if somebody:
        text = f"the values were stored, and then somebody changed the Secret; {KEY_GONE}"
        assert (ended.state, said(ended)) == (RequestState.FAILED, text)
    else:
        text = f"stored; not compared, since {KEY_GONE}"
        assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, text)


async def test_settings_that_change_after_the_patch_are_not_taken_for_a_changed_file(one: Bench) -> None:
    none = {TARGET.name: WITH.model_copy(update={"configs_rotate": None})}
    after_the_patch(one, lambda: setattr(one.executor, "targets", none))
    ended = await approved(one, await asked(one))
    text = "stored; not compared, since the settings of the rotation were changed after the request"
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, text)


async def test_an_unexpected_error_before_the_patch_changes_nothing_and_is_not_quoted(
    one: Bench, sealed: Sealed, caplog: pytest.LogCaptureFixture
) -> None:
    repair = await asked(one)
    sealed.errors = [KeyError("hunter2")] * 50
    with caplog.at_level(logging.DEBUG):
        ended = await approved(one, repair)
    text = "nothing was changed: the values could not be prepared: unexpected KeyError, see the bot's log"
    assert (ended.state, said(ended), configs(one).patches) == (RequestState.FAILED, text, [])
    assert "an unexpected KeyError while config files were prepared, at configs_rotate.py:" in caplog.text
    await one.deliver()
    assert "hunter2" not in to_json(ended) + repr(one.chat.shown) + repr(await one.trail()) + caplog.text


async def test_a_preview_sends_no_value(one: Bench) -> None:
    seen = await one.cluster.secret(SECRET)
    repair = one.approval_service.proposed(proposed(seen), TARGET.name, one.caller(MAYA))
    assert await one.executor.preview(repair)
    placeholder = b"<the value in the file>"
    assert configs(one).patches == [{"kubeconfig": placeholder, "omniconfig": placeholder, "gone": None}]


async def test_old_and_new_values_are_redacted_from_then_on(one: Bench) -> None:
    contexts = []
    make = one.executor.check_context
    assert make is not None

    def kept(target: Any) -> Any:
        contexts.append(make(target) if not contexts else contexts[0])
        return contexts[0]

    one.executor.check_context = kept
    await approved(one, await asked(one))
    text = contexts[0].outside.text("old-value-hunter2 new-value-hunter2")
    assert "hunter2" not in text


@pytest.mark.parametrize("steps", range(2, 40))
async def test_killed_between_any_two_steps_nothing_is_doubled_or_lost(tmp_path: Path, steps: int) -> None:
    """The first process dies after ``steps`` calls of the ledger and the cluster; the next one takes over."""
    async with succession(tmp_path, cluster=Configs(), target=WITH, decryption=Sealed()) as both:
        one = both.one
        repair = await asked(one)
        await both.dies(repair, steps)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, DONE)
        assert (configs(one).data, len(configs(one).patches)) == (NEW, 1)
        await two.trail()


async def test_without_a_taker_over_the_last_step_is_reached(tmp_path: Path) -> None:
    """The number of steps above is enough: the first process ends the request before it would die."""
    async with succession(tmp_path, cluster=Configs(), target=WITH, decryption=Sealed()) as both:
        repair = await asked(both.one)
        await both.dies(repair, 40)
        assert (await both.one.now(repair)).state is RequestState.SUCCEEDED
