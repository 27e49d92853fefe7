"""``secrets`` and ``ssh keys``: what is shown and requested, and that no mistyped secret is repeated."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.actions.ssh_key_remove import LAST, SSH_KEY_REMOVE
from bot.domain.approvals.approval import ApprovalPolicy, Request, RequestState
from bot.domain.approvals.repair import Asked, Proposal, RepairRequest, secret_snapshot
from bot.domain.core.probes import Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult, ExternalSecret, Manager, SecretFacts, SecretKey
from bot.domain.health import secret_memory, ssh_keys
from bot.errors import NotAllowed, NotFound, Refused, Transient, UsageError
from bot.runbook.context import Caller
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.commands.fakes import NOW, FakeCluster, World, give, said, text_of

TIER2, SSH = "agent-secrets-tier2", "agent-ssh-keys"
HOUR = timedelta(hours=1)


def public(comment: str) -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"


ONE, TWO, NEW = public("maya"), public("jonas"), public("new")


def facts(name: str, *keys: str, ago: timedelta = 100 * HOUR) -> SecretFacts:
    return SecretFacts(
        name,
        f"uid-{name}",
        "7",
        {k: SecretKey(40, "0a1b2c3d") for k in keys},
        changed_at=NOW - ago,
        changed_surely=True,
        fingerprint_key="k",
    )


@dataclass
class FakeApprovalService:
    """An approval service that records requests."""

    asked: list[Proposal] = field(default_factory=list)
    policy: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    known: RequestState | None = None
    """The state of another user's request for the same change, if there is one."""

    async def tried(self, proposal: Proposal, target: str, caller: Caller, read: Any = None) -> None:
        """Nothing is known of a dry run."""

    async def ask(self, proposal: Proposal, target: str, caller: Caller) -> Asked:
        self.asked.append(proposal)
        request = Request("r-22222222", caller.identity.user, NOW, NOW + HOUR, proposal.snapshot)
        if self.known is not None:
            request = replace(request, requester="UOTHER", state=self.known)
        repair = RepairRequest(request, target, proposal.action, reason=proposal.reason, channel="C1")
        return Asked(repair, joined=self.known is not None)


class Cluster(FakeCluster):
    """A cluster with two Secrets, one of which holds the key file."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Any] = {
            TIER2: facts(TIER2, "GITHUB_TOKEN", "OTHER"),
            SSH: facts(SSH, "authorized_keys"),
        }
        self.file: Any = f"{ONE}\n{TWO}\n"
        self.external: Any = NotFound("no such kind")
        self.pod_file: Any = None
        """The pod's own key file; None: the same as in the Secret."""

    async def secret(self, name: str) -> SecretFacts:
        if isinstance(answer := self.found[name], Exception):
            raise answer
        return answer

    async def authorized_keys(self, name: str, key: str) -> str:
        assert (name, key) == (SSH, "authorized_keys")
        if isinstance(self.file, Exception):
            raise self.file
        return self.file

    async def exec(self, pod: str, container: str, argv: Sequence[str], **more: Any) -> ExecResult:
        if tuple(argv) != ("cat", "/home/claude/.ssh/authorized_keys"):
            return await super().exec(pod, container, argv, **more)
        return await give(said(self.file) if self.pod_file is None else self.pod_file)

    async def external_secrets(self) -> list[ExternalSecret]:
        if isinstance(self.external, Exception):
            raise self.external
        return self.external


@dataclass
class Marks:
    """A ledger with named marks, or one that fails to read."""

    kept: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None

    async def mark(self, name: str) -> str | None:
        if self.error is not None:
            raise self.error
        return self.kept.get(name)


@dataclass
class Room(World):
    """A world with an approval service."""

    cluster: Cluster = field(default_factory=Cluster)
    target: Target = field(default_factory=lambda: Target(secrets=[TIER2], ssh={"secret": SSH}))
    approval_service: FakeApprovalService = field(default_factory=FakeApprovalService)
    marks: Marks = field(default_factory=Marks)

    async def say(self, line: str, answers: Mapping[str, str] | None = None) -> Any:
        """Run a command line, with the values of a form."""
        invocation = parse(line, BUILTIN, answers=answers)
        ctx = replace(self.context(), repairs=self.approval_service, ledger=self.marks)
        return await invocation.command.run(ctx, invocation.params)


@pytest.fixture
def room() -> Room:
    return Room()


# secrets


async def test_all_secrets_of_the_pod_are_shown_including_the_key_secret(room: Room) -> None:
    reply = await room.say("secrets")
    assert reply.verdict is Verdict.OK
    assert "GITHUB_TOKEN | 40 bytes | 0a1b2c3d" in text_of(reply)
    assert "authorized_keys | 40 bytes" in text_of(reply)
    assert not reply.buttons
    assert "External Secrets" not in [f.title for f in reply.findings], "what is not configured is not ok"
    assert any(note.startswith("External Secrets: none configured") for note in reply.notes)


async def test_a_secret_that_an_external_secret_wrote_does_not_belie_that_there_is_none(room: Room) -> None:
    wrote = Manager("External Secrets", "ExternalSecret agent-tokens", "Change it there.", undoes=True)
    room.cluster.found[TIER2] = replace(room.cluster.found[TIER2], managers=(wrote,))
    reply = await room.say("secrets")
    note = "External Secrets: no ExternalSecret is here now (the operator is not installed); one wrote"
    assert f"{note} {TIER2} before" in reply.notes


@pytest.mark.parametrize("changed", [None, NOW])
async def test_when_a_secret_changed_is_said_once(room: Room, changed: datetime | None) -> None:
    before = room.cluster.found[TIER2]
    if changed is not None:
        room.cluster.found[TIER2] = replace(before, changed_at=changed, changed_surely=True)
    reply = await room.say("secrets")
    said = [f.summary for f in reply.findings if f.title == TIER2]
    said += [t.title for t in reply.tables if t.title.startswith(TIER2)]
    assert sum("changed" in one for one in said) == 1


@pytest.mark.parametrize("name", [TIER2, SSH])
async def test_a_secret_changed_after_the_start_needs_a_restart(room: Room, name: str) -> None:
    room.cluster.found[name] = facts(name, "A", ago=HOUR)
    reply = await room.say("secrets")
    assert reply.verdict is Verdict.WARN
    assert "still has the old values" in reply.headline
    assert [b.command.split()[0] for b in reply.buttons] == ["restart"]


async def test_an_unreadable_secret_is_unknown_and_the_others_are_shown(room: Room) -> None:
    room.cluster.found[TIER2] = Transient("The API server is away.")
    room.cluster.external = Transient("The API server is away.")
    reply = await room.say("secrets")
    assert reply.verdict is Verdict.UNKNOWN
    assert "authorized_keys" in text_of(reply)


async def test_each_external_secret_is_shown_with_its_store_and_secret(room: Room) -> None:
    synced = ExternalSecret(
        "one", "tokens", "True", "SecretSynced", refreshed_at=NOW - HOUR, store="SecretStore a"
    )
    late = ExternalSecret(
        "two", TIER2, "False", "SecretSyncedError", "sealed", policy="Merge", others=("Deleted",)
    )
    room.cluster.external = [synced, late]
    shown = next(t for t in (await room.say("secrets")).tables if t.title == "External Secrets")
    assert shown.rows == (
        ("two", "SecretSyncedError, Deleted", "never refreshed", "-", f"adds keys to Secret {TIER2}"),
        ("one", "SecretSynced", "refreshed 1 h ago", "from SecretStore a", "owns Secret tokens"),
    )
    assert shown.verdicts == (Verdict.FAIL, Verdict.OK)


async def test_an_external_secret_that_does_not_fill_its_secret_hinders_no_change(room: Room) -> None:
    room.cluster.external = [ExternalSecret("two", TIER2, "True", policy="None")]
    await room.say("secrets set GITHUB_TOKEN --reason rotated")
    assert room.approval_service.asked


async def test_external_secrets_that_are_not_synced_are_reported(room: Room) -> None:
    room.cluster.external = [ExternalSecret("agent", TIER2, "False", "SecretSyncedError", "vault is sealed")]
    reply = await room.say("secrets")
    assert reply.verdict is Verdict.FAIL
    assert "vault is sealed" in text_of(reply)


async def test_a_change_is_requested_without_the_value(room: Room) -> None:
    await room.say("secrets set GITHUB_TOKEN --reason rotated")
    [asked] = room.approval_service.asked
    assert (asked.action, asked.subject, asked.reason) == (SECRET_SET, f"{TIER2}/GITHUB_TOKEN", "rotated")
    assert asked.snapshot == secret_snapshot(room.cluster.found[TIER2])
    assert dict(asked.facts)["Now"] == "40 bytes, fingerprint 0a1b2c3d"


async def test_a_form_asks_for_a_missing_reason_but_not_for_the_value(room: Room) -> None:
    reply = await room.say("secrets set GITHUB_TOKEN")
    assert [f.name for f in reply.form.fields] == ["reason"]
    await room.say(reply.form.command, {"reason": "rotated"})
    assert room.approval_service.asked[0].details == {"secret": TIER2, "key": "GITHUB_TOKEN"}


async def test_a_missing_key_is_created_only_with_the_flag(room: Room) -> None:
    with pytest.raises(UsageError, match="It has GITHUB_TOKEN, OTHER") as caught:
        await room.say("secrets set ghp_typed_as_key --reason x")
    assert "ghp_typed" not in f"{caught.value.message} {caught.value.remedy}"
    await room.say("secrets set NEW --new --reason x")
    assert dict(room.approval_service.asked[0].facts)["Now"] == "not there yet"


@pytest.mark.parametrize(
    "line",
    [
        "secrets set GITHUB_TOKEN hunter2222",
        "secrets set GITHUB_TOKEN --value hunter2222",
        "secrets set GITHUB_TOKEN --hunter2222",
        "secrets set GITHUB_TOKEN --secret hunter2222 --reason x",
        "secrets set GITHUB_TOKEN=hunter2222",
        "secrets set hunter2222 --reason x",
        "secrets set hunter2222",
        "secrets hunter2222",
        "secrets GITHUB_TOKEN=hunter2222",
        "secrets set=hunter2222",
        "secrets=hunter2222",
        "secret:hunter2222",
        "secrets enter r-7k2m9xwq hunter2222",
        "secrets enter r-7k2m9xwq --hunter2222",
        "secrets set GITHUB_TOKEN pa'hunter2222",
        'secrets set GITHUB_TOKEN "hunter2222',
        "ssh keys hunter2222",
        "ssh keys add hunter2222",
        "ssh keys add --key hunter2222 --reason x",
        "ssh keys remove hunter2222",
    ],
)
async def test_a_value_typed_in_the_wrong_place_is_not_repeated(room: Room, line: str) -> None:
    with pytest.raises(Refused) as caught:
        await room.say(line)
    error = caught.value
    said = f"{error.message} {error.remedy} {getattr(error, 'usage', '')} {getattr(error, 'suggestion', '')}"
    assert "hunter" not in said
    assert not room.approval_service.asked


DISCREET = sorted({name for c in BUILTIN if c.sensitive_args for name in (c.name, c.name.split()[0])})
WORD = st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=6, max_size=20)


@given(st.sampled_from(DISCREET), st.lists(st.sampled_from(["GITHUB_TOKEN", "--reason", "x", "--new"])), WORD)
def test_no_line_that_begins_like_a_sensitive_command_is_repeated(
    name: str, words: list[str], secret: str
) -> None:
    for line in (" ".join([name, *words, secret]), f"{name}={secret}", " ".join([name, secret, *words])):
        said = ""
        try:
            parse(line, BUILTIN)
        except UsageError as error:
            said = f"{error.message} {error.remedy} {error.suggestion}"
        assert secret not in said


def test_commands_with_the_same_first_word_are_all_sensitive() -> None:
    first = {name.split()[0] for name in DISCREET}
    assert [
        c.name for c in BUILTIN if c.name.split()[:1] and c.name.split()[0] in first and not c.sensitive_args
    ] == []


async def test_a_stray_value_is_reported_as_leaked(room: Room) -> None:
    with pytest.raises(UsageError, match="not repeated") as caught:
        await room.say("secrets set GITHUB_TOKEN hunter2222")
    assert "treat it as leaked" in (caught.value.remedy or "")


async def test_without_a_lasting_key_no_fingerprint_is_shown(room: Room) -> None:
    [table, *_] = (await room.say("secrets")).tables
    assert "Fingerprint" in table.columns
    keyless = {
        name: replace(one, keys={key: SecretKey(40) for key in one.keys}, fingerprint_key="")
        for name, one in room.cluster.found.items()
    }
    room.cluster.found.update(keyless)
    reply = await room.say("secrets")
    assert {table.columns for table in reply.tables} == {("Key", "Length")}
    assert "No fingerprints: their key comes from slack.bot_token, which is not set here" in reply.notes
    await room.say("secrets set GITHUB_TOKEN --reason rotated")
    assert dict(room.approval_service.asked[0].facts)["Now"] == "40 bytes"


async def test_a_label_set_by_the_values_manager_is_no_change_of_the_values(room: Room) -> None:
    before = room.cluster.found[TIER2]
    memory = secret_memory.noted(None, before, NOW - HOUR)
    room.marks.kept[secret_memory.mark(room.target.name, TIER2)] = secret_memory.to_json(memory)
    room.cluster.found[TIER2] = replace(before, changed_at=NOW, changed_surely=False, resource_version="8")
    reply = await room.say("secrets")
    assert (reply.verdict, list(reply.buttons)) == (Verdict.OK, [])
    room.marks.error = Transient("The ledger is away.")
    reply = await room.say("secrets")
    assert reply.verdict is Verdict.UNKNOWN
    assert "whether a value changed is not known" in text_of(reply)
    assert not reply.buttons


ESO = Manager("External Secrets", "ExternalSecret tokens", "Change it in the store.", undoes=True)
HELM = Manager("Helm", "Helm (agent)", "Change the chart's values.", undoes=False)
SET = "secrets set GITHUB_TOKEN --reason rotated"
CHANGES = [(TIER2, SET), (SSH, "ssh keys add"), (SSH, "ssh keys remove {} --reason left")]


async def change(room: Room, line: str) -> None:
    print_ = ssh_keys.keys(room.cluster.file)[0].fingerprint
    answers = {"key": NEW, "reason": "new laptop"} if "add" in line else None
    await room.say(line.format(print_), answers)


@pytest.mark.parametrize(("name", "line"), CHANGES)
async def test_a_change_that_would_be_undone_is_refused_at_the_request(room: Room, name: str, line: str) -> None:
    room.cluster.found[name] = replace(room.cluster.found[name], managers=(HELM, ESO))
    with pytest.raises(Refused) as caught:
        await change(room, line)
    assert "ExternalSecret tokens" in caught.value.message
    assert "undo the change" in caught.value.message
    assert "Change it in the store." in (caught.value.remedy or "")
    assert not room.approval_service.asked


@pytest.mark.parametrize(("name", "line"), CHANGES)
async def test_a_change_that_may_be_undone_later_has_a_warning_on_the_card(
    room: Room, name: str, line: str
) -> None:
    room.cluster.found[name] = replace(room.cluster.found[name], managers=(HELM,))
    await change(room, line)
    said = dict(room.approval_service.asked[0].facts)["Also written by"]
    assert said == "Helm (agent), which may undo this at its next turn. Change the chart's values."


@pytest.mark.parametrize(("name", "line"), CHANGES)
async def test_a_merging_external_secret_is_found_without_an_owner_reference(
    room: Room, name: str, line: str
) -> None:
    room.cluster.external = [ExternalSecret("merging", name, "True")]
    with pytest.raises(Refused, match="ExternalSecret merging writes the Secret"):
        await change(room, line)


@pytest.mark.parametrize(("name", "line"), CHANGES)
async def test_an_unknown_external_secret_is_reported_as_unknown(room: Room, name: str, line: str) -> None:
    room.cluster.external = NotAllowed("The bot may not list externalsecrets.external-secrets.io.")
    await change(room, line)
    assert (
        "not known whether an ExternalSecret does" in dict(room.approval_service.asked[0].facts)["Also written by"]
    )


@pytest.mark.parametrize(("name", "line"), CHANGES)
async def test_an_immutable_secret_is_refused_at_the_request(room: Room, name: str, line: str) -> None:
    room.cluster.found[name] = replace(room.cluster.found[name], immutable=True)
    with pytest.raises(Refused, match="is immutable"):
        await change(room, line)


async def test_other_keys_of_a_secret_that_is_merged_into_may_be_changed(room: Room) -> None:
    room.cluster.found[TIER2] = replace(
        room.cluster.found[TIER2], managers=(replace(ESO, keys=frozenset({"OTHER"})),)
    )
    await room.say(SET)
    assert (
        dict(room.approval_service.asked[0].facts)["Also written by"] == "ExternalSecret tokens, other keys only"
    )


async def test_other_writers_of_a_secret_are_shown(room: Room) -> None:
    room.cluster.found[TIER2] = replace(room.cluster.found[TIER2], managers=(ESO, HELM))
    [title] = [t.title for t in (await room.say("secrets")).tables if TIER2 in t.title]
    assert title.endswith("written by ExternalSecret tokens and Helm (agent)")


# ssh keys


async def test_keys_are_listed_by_fingerprint_and_bad_lines_by_number(room: Room) -> None:
    room.cluster.file = f"{ONE}\nrubbish\n"
    reply = await room.say("ssh keys")
    assert reply.headline == "One key can sign in; 1 line is no key"
    assert "Line 2: " in text_of(reply)
    assert "maya | ed25519 256 | yes | SHA256:" in text_of(reply)


async def test_the_pod_s_key_file_is_shown_beside_the_secret_s(room: Room) -> None:
    room.cluster.pod_file = said(f"{ONE}\n{NEW}\n")
    reply = await room.say("ssh keys")
    assert reply.headline == "The pod still has the old keys: copy them, or restart it"
    assert reply.verdict is Verdict.WARN
    assert "not in the pod yet: yes" in text_of(reply)
    assert "only in the pod: yes" in text_of(reply)
    assert any(b.command.startswith("restart") for b in reply.buttons)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (said("", "cat: /home/claude/.ssh/authorized_keys: Permission denied", 1), "Permission denied"),
        (NotAllowed("The bot may not create pods/exec."), "the bot may not create pods/exec"),
        (replace(said(f"{ONE}\n"), truncated=True), "larger than 1 MB"),
    ],
)
async def test_a_file_of_the_pod_that_can_t_be_read_is_unknown(room: Room, answer: Any, why: str) -> None:
    room.cluster.pod_file = answer
    reply = await room.say("ssh keys")
    assert reply.verdict is Verdict.UNKNOWN
    assert why in text_of(reply)
    assert not any("restart" in b.command for b in reply.buttons)


async def test_without_another_key_file_nothing_is_compared(room: Room) -> None:
    room.target = Target(secrets=[TIER2], ssh={"secret": SSH, "file": None})
    room.cluster.pod_file = NotAllowed("not asked for")
    assert (await room.say("ssh keys")).verdict is Verdict.OK


async def test_a_comment_that_is_not_utf8_can_be_shown(room: Room) -> None:
    room.cluster.file = f"{ONE}\udcff\n"
    text_of(await room.say("ssh keys")).encode()


async def test_a_missing_key_secret_is_reported_with_how_to_create_it(room: Room) -> None:
    room.cluster.file = NotFound("There is no such thing.")
    with pytest.raises(NotFound) as caught:
        await room.say("ssh keys")
    assert "create secret generic agent-ssh-keys" in (caught.value.remedy or "")


async def test_a_requested_key_is_shown_to_the_approvers(room: Room) -> None:
    await room.say("ssh keys add", {"key": NEW, "reason": "new laptop"})
    [asked] = room.approval_service.asked
    assert asked.action is SSH_KEY_ADD
    assert dict(asked.facts)["Fingerprint"] == asked.subject
    with pytest.raises(Refused, match="there already"):
        await room.say("ssh keys add", {"key": ONE, "reason": "again"})


def bare(format_: PrivateFormat) -> str:
    """The base64 lines of a private key, without its header and footer."""
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, format_, NoEncryption()).decode()
    return "\n".join(pem.splitlines()[1:-1])


@pytest.mark.parametrize(
    "text",
    [
        bare(PrivateFormat.OpenSSH),
        bare(PrivateFormat.PKCS8),
        bare(PrivateFormat.OpenSSH).splitlines()[0],
        "-----begin openssh private key-----\nabc",
    ],
    ids=["OpenSSH", "PKCS #8", "a first line", "a header in lower case"],
)
async def test_a_private_key_without_its_header_is_recognised_and_reported_as_leaked(
    room: Room, text: str
) -> None:
    with pytest.raises(UsageError, match=r"that is a private key.*Slack has seen it"):
        await room.say("ssh keys add", {"key": text, "reason": "x"})


async def test_a_key_is_removed_by_a_prefix_of_its_fingerprint(room: Room) -> None:
    print_ = (await room.say("ssh keys")).data["keys"][0]["fingerprint"]
    await room.say(f"ssh keys remove {print_[:19]} --reason left")
    assert (room.approval_service.asked[0].action, room.approval_service.asked[0].subject) == (
        SSH_KEY_REMOVE,
        print_,
    )


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (0, "No key has that fingerprint"),
        (7, "Several fingerprints begin like that"),
        (10, "Give six or more characters of the fingerprint"),
    ],
)
async def test_a_fingerprint_that_names_no_key_is_refused_with_the_reason(
    room: Room, length: int, said: str
) -> None:
    print_ = (await room.say("ssh keys")).data["keys"][0]["fingerprint"][:length] or "SHA256:nobody"
    with pytest.raises(UsageError, match=rf"^{said}\. There are SHA256:"):
        await room.say(f"ssh keys remove {print_} --reason left")


@pytest.mark.parametrize("again", ["{}", "{} of another laptop", "restrict {}"])
async def test_the_last_key_stays_without_the_flag_also_if_listed_twice(room: Room, again: str) -> None:
    room.cluster.file = f"{ONE}\n{again.format(ONE)}\n"
    print_ = (await room.say("ssh keys")).data["keys"][0]["fingerprint"]
    with pytest.raises(Refused, match="That is the only key"):
        await room.say(f"ssh keys remove {print_} --reason left")
    await room.say(f"ssh keys remove {print_} --last --reason left")
    assert "NOBODY can sign in" in room.approval_service.asked[0].effect


@pytest.mark.parametrize("line", ["ssh keys remove {0} --reason left", "ssh keys add --key {1!r} --reason new"])
async def test_a_key_file_that_changes_between_two_reads_makes_the_request_void(room: Room, line: str) -> None:
    """The other key is removed meanwhile: the request, bound to the earlier version of the Secret, is void."""
    print_ = (await room.say("ssh keys")).data["keys"][0]["fingerprint"]
    read = room.cluster.authorized_keys

    async def then_it_changes(name: str, key: str) -> str:
        text = await read(name, key)
        room.cluster.file = f"{ONE}\n"
        room.cluster.found[SSH] = replace(room.cluster.found[SSH], resource_version="8")
        return text

    room.cluster.authorized_keys = then_it_changes  # type: ignore[method-assign]
    await room.say(line.format(print_, NEW))
    assert room.approval_service.asked[0].snapshot.version == "7"


async def test_only_the_last_key_is_requested_as_the_last(room: Room) -> None:
    print_ = (await room.say("ssh keys")).data["keys"][0]["fingerprint"]
    await room.say(f"ssh keys remove {print_} --last --reason left")  # another key remains
    room.cluster.file = f"{ONE}\n"
    await room.say(f"ssh keys remove {print_} --last --reason left")
    assert [LAST in asked.details for asked in room.approval_service.asked] == [False, True]


async def test_a_body_that_only_looks_like_base64_is_no_private_key(room: Room) -> None:
    with pytest.raises(UsageError) as caught:
        await room.say("ssh keys add", {"key": base64.b64encode(b"0123456789" * 6).decode(), "reason": "x"})
    assert "private" not in caught.value.message


async def test_the_answer_names_the_request(room: Room) -> None:
    reply = await room.say("secrets set GITHUB_TOKEN --reason rotated")
    assert reply.notes[0].startswith("r-22222222 · ")


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (RequestState.OPEN, "already asked for"),
        (RequestState.APPROVED, "already approved, waits for the requester to enter the value"),
        (RequestState.EXECUTING, "already under way"),
    ],
)
async def test_a_duplicate_request_is_answered_with_the_state_of_the_first(
    room: Room, state: RequestState, says: str
) -> None:
    room.approval_service.known = state
    assert says in (await room.say('secrets set GITHUB_TOKEN --reason "rotate"')).headline
