"""``configs rotate``: when it is refused, what the card says, and the steps by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.domain.approvals.actions.configs_rotate import CONFIGS_ROTATE, USED
from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.probes import Verdict
from bot.domain.core.secret_data import SecretData, SecretDifference, difference
from bot.domain.core.workload import ExternalSecret, Manager, SecretFacts
from bot.errors import AgentpodError, Leaked, NotAllowed, NotFound, Permanent, Refused, Transient, UsageError
from bot.ports.decryption import Decrypted
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests import handbook
from tests.commands.fakes import text_of
from tests.commands.test_egress_repair import NoRequests
from tests.commands.test_secrets import Cluster, Room, facts

SECRET, LINE = "agent-configs", "configs rotate --reason new"
OLD = {"kubeconfig": b"old-hunter2", "omniconfig": b"same-hunter2", "gone": b"old-hunter2"}
NEW = {"kubeconfig": "new-hunter2", "omniconfig": "same-hunter2", "sopsconfig": "new-hunter2"}


class Configs(Cluster):
    """A cluster with the Secret of the config files."""

    data: Mapping[str, bytes] = OLD
    pods_error: AgentpodError | None = None

    def __init__(self) -> None:
        super().__init__()
        self.found[SECRET] = facts(SECRET, *OLD)

    async def compare_secret(self, name: str, data: SecretData) -> tuple[SecretFacts, SecretDifference]:
        return await self.secret(name), difference(self.data, data.values)

    async def objects(self, *given: Any) -> Any:
        if self.pods_error is not None:
            raise self.pods_error
        return await super().objects(*given)

    async def secret_values(self, names: Collection[str], **_: Any) -> frozenset[str]:
        assert tuple(names) == (SECRET,)
        return frozenset(value.decode() for value in self.data.values())


@dataclass
class Sealed:
    """The encrypted file."""

    document: Any = field(default_factory=lambda: dict(NEW))
    error: AgentpodError | None = None

    async def decrypt(self, spec: ConfigsRotateSpec) -> Decrypted:
        assert spec.secret == SECRET
        if self.error is not None:
            raise self.error
        return Decrypted("f1", self.document)


@dataclass
class Rotating(Room):
    """A room with the encrypted file."""

    cluster: Configs = field(default_factory=Configs)
    marks: Any = field(default_factory=NoRequests)
    target: Any = field(
        default_factory=lambda: handbook.target(
            configs_rotate={"encrypted_file": "/configs/c.yaml", "key_file": "/age/key"}
        )
    )
    sealed: Sealed = field(default_factory=Sealed)

    async def say(self, line: str, answers: Mapping[str, str] | None = None) -> Any:
        invocation = parse(line, BUILTIN, answers=answers)
        more = {"repairs": self.approval_service, "ledger": self.marks, "decryption": self.sealed}
        return await invocation.command.run(replace(self.context(), **more), invocation.params)


async def refused(room: Rotating, kind: type[AgentpodError] = Refused) -> str:
    with pytest.raises(kind) as raised:
        await room.say(LINE)
    text = f"{raised.value.message} {raised.value.remedy}"
    assert "hunter2" not in text
    assert room.approval_service.asked == []
    return text


async def test_plain_text_is_red_and_says_first_that_it_leaked() -> None:
    room = Rotating(
        sealed=Sealed(error=Leaked("Treat the values in f as leaked: it is plain.", remedy="Encrypt."))
    )
    reply = await room.say(LINE)
    assert (reply.verdict, reply.headline) == (Verdict.FAIL, "Treat the values in f as leaked: it is plain")
    assert reply.body == ("Encrypt.",)
    assert room.approval_service.asked == []


async def test_the_card_names_keys_and_no_value() -> None:
    room = Rotating()
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert asked.action is CONFIGS_ROTATE
    assert asked.facts[:5] == (
        ("Changed", "kubeconfig"),
        ("Added", "sopsconfig"),
        ("REMOVED", "gone"),
        ("Unchanged", "omniconfig"),
        ("From", "/configs/c.yaml"),
    )
    assert (asked.snapshot.file, asked.snapshot.version, asked.subject) == ("f1", "7", SECRET)
    assert (asked.details["set"], asked.details["removed"]) == ("sopsconfig kubeconfig", "gone")
    assert "hunter2" not in repr(asked)


async def test_many_keys_are_counted() -> None:
    room = Rotating()
    room.sealed.document = {f"key-{number:03}": "x" for number in range(150)}
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert dict(asked.facts)["Added"].endswith("key-009 and 140 more")


@pytest.mark.parametrize(
    ("document", "error", "said"),
    [
        ({key: value.decode() for key, value in OLD.items()}, None, "there is nothing to rotate"),
        ({"a": 1}, None, "The encrypted file can't be used: the value of a is not a text."),
        (None, None, "The encrypted file can't be used: it does not hold names and values."),
        (NEW, Permanent("It is the wrong one.", remedy="Mount another."), "It is the wrong one. Mount another."),
    ],
)
async def test_a_file_that_is_of_no_use_is_refused(document: Any, error: AgentpodError | None, said: str) -> None:
    room = Rotating(sealed=Sealed(document, error))
    assert said in await refused(room, AgentpodError)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (replace(facts(SECRET, *OLD), immutable=True), "is immutable"),
        (
            replace(
                facts(SECRET, *OLD), managers=(Manager("E", "ExternalSecret x", "Change it there.", undoes=True),)
            ),
            "ExternalSecret x writes the Secret agent-configs and would undo the change within minutes. Change it",
        ),
        (NotFound("There is none."), "There is no Secret agent-configs"),
        (NotAllowed("The bot may not get it."), "The bot may not get it. Apply deploy/options/configs-rotate"),
    ],
)
async def test_a_secret_that_can_not_be_changed_is_refused(found: Any, said: str) -> None:
    room = Rotating()
    room.cluster.found[SECRET] = found
    assert said in await refused(room)


async def test_an_external_secret_that_fills_it_is_named() -> None:
    room = Rotating()
    room.cluster.external = [ExternalSecret("configs-from-vault", SECRET)]
    assert "ExternalSecret configs-from-vault writes the Secret" in await refused(room)


async def test_who_may_undo_it_stands_on_the_card() -> None:
    room = Rotating()
    argo = Manager("Argo CD", "Argo CD", "Commit it.", undoes=False)
    room.cluster.found[SECRET] = replace(facts(SECRET, *OLD), managers=(argo,))
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert "Argo CD, which may undo this" in dict(asked.facts)["Also written by"]


async def test_without_a_reason_a_form_asks_for_it_unless_nothing_could_be_done() -> None:
    room = Rotating()
    assert (await room.say("configs rotate")).form is not None
    room.sealed.error = Permanent("It is the wrong one.")
    with pytest.raises(Refused, match="It is the wrong one"):
        await room.say("configs rotate")


async def test_a_pod_that_can_not_be_read_leaves_it_open_whether_it_needs_a_restart() -> None:
    room = Rotating()
    room.cluster.pods_error = Transient("away")
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert asked.details[USED] == ""
    assert dict(asked.facts)["Pod"] == "not read, so it isn't known whether it needs a restart"


async def test_without_the_setting_the_steps_have_the_targets_names() -> None:
    room = Rotating()
    room.target = handbook.target(namespace="pods", deployment="agent")
    told = await room.say("configs rotate")
    assert told.excerpts[0].text.split("\n") == [
        "sops --decrypt secrets/pods/agent-configs.yaml | kubectl apply -n pods -f -",
        "kubectl rollout restart -n pods deployment/agent",
    ]
    assert "targets[].configs_rotate is set and deploy/options/configs-rotate is applied" in text_of(told)
    assert room.approval_service.asked == []


async def test_a_reason_with_a_secret_is_refused() -> None:
    with pytest.raises(UsageError):
        await Rotating().say(f"configs rotate --reason ghp_{'a1B2' * 9}")
