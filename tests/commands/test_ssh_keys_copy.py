"""``ssh keys copy``: which keys come and go, where the Secret is mounted, and when it is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from bot.domain.approvals.actions.ssh_keys_copy import SSH_KEYS_COPY
from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult
from bot.domain.health.ssh_keys import parse_key
from bot.errors import NotAllowed, Refused, UsageError
from tests.commands.fakes import pod, said
from tests.commands.test_secrets import NEW, ONE, SSH, TIER2, TWO, Cluster, Room

FILE, MOUNT = "/home/claude/.ssh/authorized_keys", "/etc/agent/ssh-keys/authorized_keys"
LINE = "ssh keys copy --reason 'a key was added'"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Mounted(Cluster):
    """A pod whose own file has other keys than its Secret."""

    def __init__(self) -> None:
        super().__init__()
        self.pod_file = said(f"{ONE}\n{NEW}\n")
        self.mounted = f"{ONE}\n{TWO}\n"
        self.part = ""
        self.set_spec()

    def set_spec(self, **mount: Any) -> None:
        """Mount the Secret's volume so."""
        spec = {
            "volumes": [{"name": "keys", "secret": {"secretName": SSH}}],
            "containers": [
                {"name": "kali", "volumeMounts": [{"name": "keys", "mountPath": "/etc/agent/ssh-keys"} | mount]}
            ],
        }
        self.objects_answer = {"items": [{"metadata": {"name": pod().name}, "spec": spec}]}

    async def exec(self, pod: str, container: str, argv: Sequence[str], **more: Any) -> ExecResult:
        if argv[0] == "sha256sum":
            texts = {FILE: self.pod_file.stdout, argv[-1]: self.mounted}
            return said("".join(f"{sha(texts[path])}  {path}\n" for path in argv[1:]))
        return await super().exec(pod, container, argv, **more)


@pytest.fixture
def room() -> Room:
    made = Room()
    made.cluster = Mounted()
    return made


def facts(room: Room) -> list[tuple[str, str]]:
    [asked] = room.approval_service.asked
    return list(asked.facts)


async def test_the_card_says_which_keys_come_and_go(room: Room) -> None:
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert asked.action is SSH_KEYS_COPY
    assert asked.effect == "The pod gets the Secret's keys without a restart; open sessions go on."
    comes, goes = parse_key(TWO), parse_key(NEW)
    assert asked.facts == (
        ("Added", f"ed25519 256 {comes.comment} {comes.fingerprint}"),
        ("Removed", f"ed25519 256 {goes.comment} {goes.fingerprint}"),
        ("File", f"{FILE}, in kali of secure-agent-pod-abc"),
    )
    assert asked.details == {
        "secret": SSH,
        "key": "authorized_keys",
        "container": "kali",
        "file": FILE,
        "mount": MOUNT,
        "sha256": sha(f"{ONE}\n{TWO}\n"),
    }
    assert (asked.snapshot.version, asked.snapshot.pods[0][0]) == ("7", "secure-agent-pod-abc")


async def test_nobody_left_is_said_first(room: Room) -> None:
    room.cluster.file = room.cluster.mounted = "# none\n"
    await room.say(LINE)
    assert room.approval_service.asked[0].effect.endswith("Then NOBODY can sign in.")


async def test_a_mounted_file_that_is_still_old_is_said(room: Room) -> None:
    room.cluster.mounted = f"{ONE}\n{NEW}\n"
    await room.say(LINE)
    [(label, text)] = facts(room)[3:]
    assert (label, text) == (
        "Mounted file",
        f"{MOUNT} still has the old keys; the kubelet refreshes it within about 90 s",
    )


async def test_one_that_never_gets_newer_is_refused(room: Room) -> None:
    room.cluster.mounted = f"{ONE}\n{NEW}\n"
    room.cluster.set_spec(mountPath=MOUNT, subPath="authorized_keys")
    with pytest.raises(Refused, match="never gets others: it is mounted by subPath") as caught:
        await room.say(LINE)
    assert "Restart the pod instead" in str(caught.value.remedy)
    room.cluster.mounted = f"{ONE}\n{TWO}\n"
    await room.say(LINE)
    assert room.approval_service.asked[0].details["mount"] == MOUNT


async def test_the_settings_say_where_it_is_mounted(room: Room) -> None:
    room.target = Target(secrets=[TIER2], ssh={"secret": SSH, "mount": "/run/keys"})
    room.cluster.objects_answer = NotAllowed("not asked for")
    await room.say(LINE)
    assert room.approval_service.asked[0].details["mount"] == "/run/keys"


async def test_a_secret_that_is_not_mounted_is_refused(room: Room) -> None:
    room.cluster.objects_answer = {"items": [{"metadata": {"name": pod().name}, "spec": {}}]}
    with pytest.raises(Refused, match="is not mounted in kali") as caught:
        await room.say(LINE)
    assert "targets[].ssh.mount" in str(caught.value.remedy)


async def test_there_may_be_nothing_to_do(room: Room) -> None:
    room.cluster.pod_file = said(f"{ONE}\n{TWO}\n")
    with pytest.raises(Refused, match="Nothing to do"):
        await room.say(LINE)
    room.cluster.pod_file = said(f"{TWO}\n{ONE}\n")
    await room.say(LINE)
    assert facts(room)[0] == ("Keys", "the same; comments, order or lines that are no keys differ")


async def test_a_file_that_is_not_there_gets_all_keys(room: Room) -> None:
    room.cluster.pod_file = said("", f"cat: {FILE}: No such file or directory", 1)
    await room.say(LINE)
    assert [label for label, _ in facts(room)] == ["Added", "Added", "File"]


async def test_what_can_not_be_done_is_refused(room: Room) -> None:
    room.cluster.pod_file = said("", f"cat: {FILE}: Permission denied", 1)
    with pytest.raises(Refused, match="Permission denied"):
        await room.say(LINE)
    room.cluster.pods_answer = []
    with pytest.raises(Refused, match="No pod is running"):
        await room.say(LINE)
    room.target = Target(secrets=[TIER2], ssh={"secret": SSH, "file": None})
    with pytest.raises(UsageError, match="The pod has no file of its own"):
        await room.say(LINE)
    room.target = Target(secrets=[TIER2], ssh=None)
    with pytest.raises(UsageError, match="SSH keys are not looked after here"):
        await room.say(LINE)


async def test_a_form_asks_for_the_reason(room: Room) -> None:
    reply = await room.say("ssh keys copy")
    assert reply.form.command.startswith("ssh keys copy --target ")


async def test_ssh_keys_offers_a_copy_first_and_a_restart_second(room: Room) -> None:
    reply = await room.say("ssh keys")
    assert [b.command.partition(" --")[0] for b in reply.buttons][:2] == ["ssh keys copy", "restart"]


@pytest.mark.parametrize(("file", "first"), [("~/.ssh/authorized_keys", "ssh keys copy"), (None, "restart")])
async def test_a_change_of_the_keys_ends_in_the_offer(room: Room, file: str | None, first: str) -> None:
    room.target = Target(secrets=[TIER2], ssh={"secret": SSH, "file": file})
    await room.say("ssh keys add", {"key": NEW, "reason": "new laptop"})
    await room.say(f"ssh keys remove {parse_key(ONE).fingerprint} --reason left")
    for asked in room.approval_service.asked:
        wanted: Any = type("Wanted", (), {"details": asked.details, "target": "t", "subject": "s"})
        buttons = [b.command.partition(" --")[0] for b in asked.action.next_steps(wanted)]
        assert buttons == list(dict.fromkeys([first, "restart"]))
