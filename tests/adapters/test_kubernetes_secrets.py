"""Secrets are read without their values and changed one key at a time; no error ever repeats a value."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster
from bot.domain.core.secret_data import SecretData
from bot.domain.core.workload import ExternalSecret, SecretFacts
from bot.domain.health import ssh_keys
from bot.errors import AgentpodError, Conflict, NotAllowed, NotFound, Permanent, Transient, Uncertain
from sandbox.cluster import PretendCluster, kinds
from tests.adapters.kube_bench import NAMESPACE, fixed, serving, talking_to

SECRET = "agent-secrets-tier2"
SSH = "agent-ssh-keys"
SEEN = SecretFacts("s", "uid-1", "7")
MARKS = {"agentpod.dev/approval": "r-1"}
VALUES = ("ghp_0123456789abcdef", 'quo"ted\\and\\backslashed', "ab", "x7", "two\nlines of it", "ümläut-漢字-token")


def put(pretend: PretendCluster, name: str, **changes: object) -> None:
    """Change a Secret as another client would."""
    draft = pretend.store.draft(kinds.SECRET, NAMESPACE, name)
    draft.update(changes)
    pretend.store.put(kinds.SECRET, draft)


async def test_a_secret_is_read_without_its_values(admin: KubernetesCluster, pretend: PretendCluster) -> None:
    put(pretend, SECRET, data={"A": "c2FtZQ==", "B": "c2FtZQ==", "C": "b3RoZXI="})
    seen = await admin.secret(SECRET)
    assert {name: key.length for name, key in seen.keys.items()} == {"A": 4, "B": 4, "C": 5}
    assert seen.keys["A"].fingerprint == seen.keys["B"].fingerprint != seen.keys["C"].fingerprint
    assert "same" not in repr(seen)
    assert "c2FtZQ" not in repr(seen)


async def test_only_processes_with_the_same_key_have_comparable_fingerprints(
    admin: KubernetesCluster, pretend: PretendCluster
) -> None:
    put(pretend, SECRET, data={"A": "c2FtZQ=="})
    seen = []
    for key in (b"one", b"one", b"two", None):
        cluster = await KubernetesCluster.connect(NAMESPACE, fingerprints=key)
        seen.append(await cluster.secret(SECRET))
        await cluster.close()
    one, same, other, none = [(s.keys["A"].fingerprint, s.fingerprint_key) for s in seen]
    assert one == same
    assert (one[0] != other[0], one[1] != other[1]) == (True, True)
    assert none == ("", "")


async def test_only_the_given_key_is_changed(admin: KubernetesCluster, pretend: PretendCluster) -> None:
    seen = await admin.secret(SECRET)
    now = await admin.set_secret_key(seen, "GITHUB_TOKEN", b"another", MARKS)
    stored = pretend.store.get(kinds.SECRET, NAMESPACE, SECRET)
    assert base64.b64decode(stored["data"]["GITHUB_TOKEN"]) == b"another"
    assert {k: v for k, v in now.keys.items() if k != "GITHUB_TOKEN"} == {
        k: v for k, v in seen.keys.items() if k != "GITHUB_TOKEN"
    }
    assert now.annotations == {**seen.annotations, **MARKS}


async def test_a_secret_that_changed_since_is_left_alone(
    admin: KubernetesCluster, pretend: PretendCluster
) -> None:
    seen = await admin.secret(SECRET)
    put(pretend, SECRET, data={"OTHER": "b3RoZXI="})
    with pytest.raises(Conflict, match="changed meanwhile"):
        await admin.set_secret_key(seen, "GITHUB_TOKEN", b"another", MARKS)
    assert pretend.store.get(kinds.SECRET, NAMESPACE, SECRET)["data"] == {"OTHER": "b3RoZXI="}


async def test_keys_are_set_and_removed_in_one_patch(admin: KubernetesCluster, pretend: PretendCluster) -> None:
    data = SecretData({"GITHUB_TOKEN": b"another", "NEW": b"\xff"})
    seen, found = await admin.compare_secret(SECRET, data)
    assert (found.added, found.changed) == (("NEW",), ("GITHUB_TOKEN",))
    assert found.removed == ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID")
    assert "another" not in repr(data)
    now = await admin.set_secret_data(seen, {**data.values, **dict.fromkeys(found.removed)}, MARKS)
    stored = pretend.store.get(kinds.SECRET, NAMESPACE, SECRET)
    assert {key: base64.b64decode(value) for key, value in stored["data"].items()} == data.values
    assert now.annotations == {**seen.annotations, **MARKS}
    assert (await admin.compare_secret(SECRET, data))[1].unchanged == ("GITHUB_TOKEN", "NEW")
    with pytest.raises(Conflict, match="the change of agent-secrets-tier2 was not stored"):
        await admin.set_secret_data(seen, {"NEW": b"other"}, MARKS)


async def test_of_config_files_only_what_looks_random_is_redacted(
    admin: KubernetesCluster, pretend: PretendCluster
) -> None:
    put(pretend, SECRET, data={"A": base64.b64encode(b"kind: Config\ntoken: aB3aB3aB3aB3aB3aB3\n").decode()})
    assert await admin.secret_values([SECRET], files=True) == {"aB3aB3aB3aB3aB3aB3"}
    assert "kind: Config" in await admin.secret_values([SECRET])


async def test_an_immutable_secret_is_not_even_tried(admin: KubernetesCluster, pretend: PretendCluster) -> None:
    seen, sent = await admin.secret(SECRET), pretend.server.requests
    with pytest.raises(Permanent, match="is immutable"):
        await admin.set_secret_key(replace(seen, immutable=True), "GITHUB_TOKEN", b"another", MARKS)
    assert pretend.server.requests == sent


async def test_the_key_file_is_read_byte_for_byte(admin: KubernetesCluster, pretend: PretendCluster) -> None:
    raw = b"# caf\xe9 \xff\nssh-ed25519 AAAA x\n"
    put(pretend, SSH, data={"authorized_keys": base64.b64encode(raw).decode()})
    assert ssh_keys.as_bytes(await admin.authorized_keys(SSH, "authorized_keys")) == raw
    with pytest.raises(NotFound, match="has no key 'other'") as caught:
        await admin.authorized_keys(SSH, "other")
    assert "authorized_keys" in (caught.value.remedy or "")


def managed(at: str, *fields: str) -> dict[str, object]:
    """One entry of managedFields."""
    return {"manager": "m", "time": at, "fieldsV1": {field: {} for field in fields}}


async def test_only_what_was_written_to_the_data_counts_as_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [managed("2026-03-01T00:00:00Z", "f:data"), managed("2026-04-01T00:00:00Z", "f:metadata")]
    meta = {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": entries}
    body = json.dumps({"metadata": meta, "data": {}}).encode()
    async with serving(fixed(200, body)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        seen = await cluster.secret("s")
    assert seen.changed_at is not None
    assert (seen.changed_at.month, seen.changed_surely) == (3, True)


@pytest.mark.parametrize(
    ("entries", "month", "surely"),
    [
        ([], None, False),
        ([managed("2026-04-01T00:00:00Z", "f:metadata")], None, False),
        ([managed("2026-04-01T00:00:00Z", "f:data", "f:metadata")], 4, False),
        (
            [managed("2026-03-01T00:00:00Z", "f:data", "f:type"), managed("2026-04-01T00:00:00Z", "f:data")],
            4,
            True,
        ),
        ([managed("2026-05-01T00:00:00Z", "f:data", "f:metadata") | {"manager": "agentpod"}], 5, True),
    ],
)
async def test_the_time_of_a_write_can_be_uncertain_or_unknown(
    entries: list[dict[str, object]],
    month: int | None,
    surely: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meta = {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": entries}
    body = json.dumps({"metadata": meta, "data": {}}).encode()
    async with serving(fixed(200, body)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        seen = await cluster.secret("s")
    assert (seen.changed_at and seen.changed_at.month, seen.changed_surely) == (month, surely)


@pytest.mark.parametrize("served", ["v1", "v1beta1", "none"])
async def test_external_secrets_of_an_older_operator_are_found(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.Response:
        if f"/external-secrets.io/{served}/" not in request.path:
            return web.Response(status=404, text="404 page not found")
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return web.json_response({"items": [{"metadata": {"name": "agent"}, "status": ready}]})

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        if served == "none":
            with pytest.raises(NotFound, match="does not know externalsecrets"):
                await cluster.external_secrets()
        else:
            [found] = await cluster.external_secrets()
            assert (found.name, found.ready) == ("agent", "True")


async def test_an_external_secret_has_its_conditions_store_and_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = [
        {
            "type": "Ready",
            "status": "False",
            "reason": "SecretSyncedError",
            "message": "no such path",
            "lastTransitionTime": "2026-11-23T21:00:00Z",
        },
        {"type": "Deleted", "status": "True"},
        {"type": "Other", "status": "False"},
    ]
    whole = {
        "metadata": {"name": "agent"},
        "spec": {
            "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
            "target": {"name": "tokens", "creationPolicy": "Merge"},
        },
        "status": {"conditions": conditions, "refreshTime": "2026-11-23T22:00:00Z"},
    }
    bare = {"metadata": {"name": "bare"}, "spec": {"secretStoreRef": {"name": "vault"}}}
    body = json.dumps({"items": [whole, bare]}).encode()
    async with serving(fixed(200, body)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        seen = await cluster.external_secrets()
    assert seen == [
        ExternalSecret(
            "agent",
            "tokens",
            "False",
            "SecretSyncedError",
            "no such path",
            datetime(2026, 11, 23, 22, tzinfo=UTC),
            "ClusterSecretStore vault",
            "Merge",
            ("Deleted",),
            datetime(2026, 11, 23, 21, tzinfo=UTC),
        ),
        ExternalSecret("bare", "bare", store="SecretStore vault"),
    ]


# An API server, or a proxy before it, that repeats what it was sent


def spoken(value: str) -> Iterator[str]:
    """The ways in which an error could repeat a value."""
    yield value
    yield json.dumps(value)[1:-1]
    yield repr(value)[1:-1]
    yield urllib.parse.quote(value)
    yield base64.b64encode(value.encode()).decode()
    yield from value.split("\n")


KINDS: dict[int, type[AgentpodError]] = {
    400: Permanent,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: Permanent,
    422: Permanent,
    429: Transient,
    500: Uncertain,
    503: Uncertain,
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("way", ["status", "policy", "forbidden", "page"])
@pytest.mark.parametrize("code", KINDS)
async def test_an_error_of_a_change_never_repeats_the_value_and_keeps_its_kind(
    code: int, way: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = " ".join(spoken(value))
    said = {
        "policy": f'admission webhook "p" denied the request: {echo}',
        "forbidden": f'User "u" cannot patch secrets: {echo}',
    }.get(way, echo)
    names = code == 404 and way == "status"
    reason, details = ("NotFound", {"name": SEEN.name, "kind": "secrets"}) if names else (echo, {})
    status = {"kind": "Status", "message": said, "reason": reason, "details": details}
    body = said if way == "page" else json.dumps(status)
    async with serving(fixed(code, body.encode())) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(AgentpodError) as caught:
            await cluster.set_secret_key(SEEN, "KEY", value.encode(), MARKS)
    error = caught.value
    assert error.__suppress_context__
    for text in (error.message, error.remedy or "", *map(str, error.args)):
        # The message is the same for every value, so even a short value can't leak.
        assert echo not in text
        assert all(part not in text for part in spoken(value) if len(part) > 3), text
    generic = (code == 404 and not names) or (code == 403 and way in ("policy", "status"))
    expected = Permanent if generic else KINDS[code]
    assert isinstance(error, expected), error
    assert isinstance(error, Uncertain) == (code >= 500)
    assert isinstance(error, Conflict) == (code == 409)


async def test_the_error_does_not_depend_on_the_servers_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers with different messages lead to the same error, so that even a short value can't leak."""
    for code in KINDS:
        told = set()
        for words in ("x7", "another text"):
            body = json.dumps({"kind": "Status", "message": words}).encode()
            async with serving(fixed(code, body)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
                with pytest.raises(AgentpodError) as caught:
                    await cluster.set_secret_key(SEEN, "KEY", b"x7", MARKS)
            told.add((caught.value.message, caught.value.remedy))
        assert len(told) == 1, told


async def test_an_answer_that_is_no_secret_is_uncertain_and_not_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serving(fixed(200, b"hunter22 and more")) as port,
        talking_to(port, tmp_path, monkeypatch) as cluster,
    ):
        with pytest.raises(Uncertain) as caught:
            await cluster.set_secret_key(SEEN, "KEY", b"hunter22", MARKS)
    assert "hunter22" not in f"{caught.value.message} {caught.value.remedy}"
