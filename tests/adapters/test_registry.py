"""The registry adapter against Debian's registry, against the pretend one, and against invalid answers."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from bot.adapters.registry import OciRegistry, manifest
from bot.adapters.registry.credentials import read
from bot.errors import AgentpodError, NotAllowed, NotFound, Permanent, TimedOut, Transient
from bot.ports.registry import PlatformMissing
from bot.services.health import image_tags
from bot.services.health.image_tags import Running
from sandbox import images
from sandbox.environment import free_port
from sandbox.registry import ARM_ONLY, PretendRegistry
from tests.image_registry import push, real_registry

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AMD, ARM = "linux/amd64", "linux/arm64"


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def plain(*hosts: str, timeout: float = 5.0) -> OciRegistry:
    return OciRegistry({host: f"http://{host}" for host in hosts}, timeout=timeout)


async def test_a_real_registry_says_what_a_tag_points_to() -> None:
    async with real_registry() as host:
        registry, first, second = plain(host), images.image(1), images.image(2)
        name = f"{host}/team/kali:latest"
        await push(host, "team/kali", "latest", first)
        assert await registry.digest(name) == first.digest
        found = await registry.resolve(name, ARM)
        assert (found.digest, found.platforms) == (first.digest, (AMD, ARM))
        assert found.image in first.documents
        assert found.image != (await registry.resolve(name, AMD)).image
        await push(host, "team/kali", "latest", second)
        assert await registry.digest(name) == second.digest
        assert (await registry.resolve(f"{host}/team/kali@{first.digest}", AMD)).digest == first.digest


async def test_a_real_registry_s_image_without_an_index_is_read_by_its_configuration() -> None:
    async with real_registry() as host:
        only = images.image(1, ("arm64",))
        await push(host, "kali", "1.0", only)
        found = await plain(host).resolve(f"{host}/kali:1.0", ARM)
        assert (found.digest, found.image, found.platforms) == (only.digest, only.digest, (ARM,))
        with pytest.raises(PlatformMissing) as caught:
            await plain(host).resolve(f"{host}/kali:1.0", AMD)
        assert caught.value.offered == (ARM,)
        for name in ("kali:2.0", "other:1.0", f"kali@sha256:{'0' * 64}"):
            with pytest.raises(NotFound):
                await plain(host).resolve(f"{host}/{name}", AMD)


async def test_an_anonymous_token_is_fetched_where_the_registry_wants_one() -> None:
    async with PretendRegistry() as pretend:
        registry = OciRegistry({images.HOST: pretend.url}, timeout=5.0)
        assert await registry.digest(f"{images.REPOSITORY}:latest") == images.image(1).digest
        pretend.push()
        assert (await registry.resolve(images.REPOSITORY, AMD)).digest == images.image(2).digest
        with pytest.raises(PlatformMissing):
            await registry.resolve(f"{images.REPOSITORY}:{ARM_ONLY}", AMD)
        pretend.hanging = True
        with pytest.raises(TimedOut, match=r"no answer in 0\.1 s"):
            await OciRegistry({images.HOST: pretend.url}, timeout=0.1).digest(images.REPOSITORY)
        await pretend.listener.refuse()
        with pytest.raises(Transient, match="can't be asked: connection refused"):
            await registry.digest(images.REPOSITORY)


@pytest.mark.parametrize(
    "image", ["", "UPPER/case:1", "kali:a b", "kali@sha256:abc", "kali@md5:1", "a/../b", "k" * 300]
)
async def test_a_name_that_is_none_is_asked_of_nobody(image: str) -> None:
    with pytest.raises(Permanent, match="not valid for a registry"):
        await OciRegistry({}, timeout=5.0).digest(image)


INDEX = {"schemaVersion": 2, "manifests": [{"digest": f"sha256:{'a' * 64}"}]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "no image manifest"),
        (b'{"schemaVersion": 1, "fsLayers": []}', "known format"),
        (json.dumps({"schemaVersion": 2, "manifests": [{"digest": "x"}]}).encode(), "SHA-256"),
        (json.dumps({**INDEX, "manifests": INDEX["manifests"] * 201}).encode(), "201 entries"),
        (json.dumps(INDEX).encode(), "no image for linux/amd64"),
        (b"[" * 100_000, "no image manifest"),
        (b" " * (4 * 1024 * 1024 + 1), "larger than 4 MiB"),
    ],
)
async def test_answers_that_are_no_manifest_are_refused(body: bytes, said: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with serving(answer) as host:
        with pytest.raises(AgentpodError, match=said):
            await plain(host).resolve(f"{host}/kali", AMD)


async def test_a_body_of_another_digest_is_refused() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(INDEX, headers={"Docker-Content-Digest": f"sha256:{'b' * 64}"})

    async with serving(answer) as host:
        for name in ("kali", f"kali@sha256:{'c' * 64}"):
            with pytest.raises(Permanent, match="another digest"):
                await plain(host).resolve(f"{host}/{name}", AMD)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (403, NotAllowed, "does not let the bot read"),
        (404, NotFound, "has no image kali latest"),
        (429, Transient, "HTTP 429"),
        (503, Transient, "HTTP 503"),
        (400, Permanent, "HTTP 400"),
    ],
)
async def test_refusals_are_told_apart(status: int, kind: type[AgentpodError], said: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="do not show this", headers={"Retry-After": "7"})

    async with serving(answer) as host:
        with pytest.raises(kind, match=said) as caught:
            await plain(host).digest(f"{host}/kali")
    assert "do not show" not in f"{caught.value.message}{caught.value.remedy}"


@pytest.mark.parametrize(
    ("to", "said"),
    [("http://127.0.0.1:9/x", "without TLS"), ("/again", "more than 3 times"), ("http://[", "that is none")],
)
async def test_redirects_have_limits(to: str, said: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": to})

    async with serving(answer) as host:
        with pytest.raises(Permanent, match=said):
            await plain(host).digest(f"{host}/kali")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    folder = tmp_path_factory.mktemp("tls")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=registry"
    files = [folder / "cert.pem", folder / "key.pem"]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run([*words.split(), *more], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return files[0], context


def credentials(folder: Path, host: str, pair: str = "bot:open-sesame-42") -> str:
    file = folder / "config.json"
    file.write_text(
        json.dumps({"auths": {f"https://{host}/v1/": {"auth": base64.b64encode(pair.encode()).decode()}}})
    )
    return str(file)


async def test_credentials_go_to_the_registry_and_to_the_realm_it_names_and_nowhere_else(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    sent: dict[str, str] = {}
    body = json.dumps(INDEX).encode()

    async def elsewhere(request: web.Request) -> web.Response:
        sent["elsewhere"] = request.headers.get("Authorization", "")
        return web.Response(body=body)

    async def realm(request: web.Request) -> web.Response:
        sent["realm"], sent["scope"] = request.headers.get("Authorization", ""), request.query["scope"]
        return web.json_response({"access_token": "t0ken"})

    async with (
        serving(elsewhere, certificate[1]) as other,
        serving(realm, certificate[1]) as tokens,
    ):

        async def answer(request: web.Request) -> web.Response:
            given = sent["registry"] = request.headers.get("Authorization", "")
            if not given:
                challenge = f'Bearer realm="https://{tokens}/t?a=b",service="s"'
                return web.Response(status=401, headers={"WWW-Authenticate": challenge})
            return web.Response(status=307, headers={"Location": f"https://{other}/blob"})

        async with serving(answer, certificate[1]) as host:
            registry = OciRegistry({}, credentials(tmp_path, host), timeout=5.0)
            assert await registry.digest(f"{host}/kali") == images.digest_of(body)
    assert sent["realm"] == f"Basic {base64.b64encode(b'bot:open-sesame-42').decode()}"
    assert (sent["registry"], sent["scope"]) == ("Bearer t0ken", "repository:kali:pull")
    assert sent["elsewhere"] == ""


async def test_credentials_are_never_sent_without_tls(tmp_path: Path) -> None:
    sent: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        sent.append(request.headers.get("Authorization", ""))
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})

    async with serving(answer) as host:
        registry = OciRegistry({host: f"http://{host}"}, credentials(tmp_path, host), timeout=5.0)
        with pytest.raises(NotAllowed):
            await registry.digest(f"{host}/kali")
    assert sent == [""]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(302, Permanent), (307, Permanent), (400, Permanent), (404, Permanent), (429, Transient), (500, Transient)],
)
async def test_what_the_server_of_tokens_answers_is_not_said_of_the_registry(
    status: int, kind: type[AgentpodError]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/token":
            return web.Response(status=status, headers={"Location": "/elsewhere"})
        challenge = f'Bearer realm="http://{request.host}/token",service="s"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async with serving(answer) as host:
        with pytest.raises(kind) as caught:
            await plain(host).resolve(f"{host}/a/kali:1", AMD)
    assert type(caught.value) is kind
    assert caught.value.message.startswith(f"The token server of {host} answered HTTP {status}.")


async def test_a_realm_without_tls_is_not_asked() -> None:
    async def answer(_: web.Request) -> web.Response:
        challenge = f'Bearer realm="http://127.0.0.1:{free_port()}/token"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async with serving(answer) as host:
        with pytest.raises(Permanent, match="token server without TLS"):
            await plain(host).digest(f"{host}/kali")


@pytest.mark.parametrize(
    "realm", ["https://[::1", "http://[::1", "https://a.example:99999999/t", "https://\u2028/"]
)
async def test_a_realm_that_is_no_address_is_an_error_of_the_registry(realm: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})

    async with serving(answer) as host:
        with pytest.raises(AgentpodError):
            await plain(host).digest(f"{host}/kali")
        with pytest.raises(AgentpodError):
            await plain(host).resolve(f"{host}/kali", AMD)
        [tag] = await image_tags.read(plain(host), [Running("kali", f"{host}/kali", None)], AMD, 5.0)
    assert host in tag.unknown


async def test_the_challenge_of_a_redirect_s_target_gets_no_credentials(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    asked: list[str] = []

    async def tokens(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Authorization", ""))
        return web.json_response({"token": "t0ken"})

    async with serving(tokens, certificate[1]) as evil:

        async def elsewhere(_: web.Request) -> web.Response:
            return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="https://{evil}/t"'})

        async with serving(elsewhere, certificate[1]) as other:

            async def answer(_: web.Request) -> web.Response:
                return web.Response(status=307, headers={"Location": f"https://{other}/blob"})

            async with serving(answer, certificate[1]) as host:
                registry = OciRegistry({}, credentials(tmp_path, host), timeout=5.0)
                with pytest.raises(NotAllowed):
                    await registry.digest(f"{host}/kali")
    assert asked == []


@pytest.mark.parametrize(
    ("repository", "user"),
    [
        ("team-a/kali", "a"),
        ("team-a/tools/kali", "tools"),
        ("team-b/kali", "b"),
        ("team-abc/kali", "all"),
        ("kali", "all"),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_of_several_credentials_those_of_the_nearest_path_are_used(
    tmp_path: Path, repository: str, user: str, backwards: bool
) -> None:
    keys = {
        "reg.corp/team-a": "a",
        "reg.corp/team-a/tools": "tools",
        "https://reg.corp/team-b/": "b",
        "https://reg.corp/v2/": "all",
        "other.corp": "other",
    }
    entries = [(key, {"username": name, "password": "p"}) for key, name in keys.items()]
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": dict(reversed(entries) if backwards else entries)}))
    assert read(file, "reg.corp", repository) == (user, "p")


def test_credentials_of_another_path_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {"reg.corp/team-a": {"username": "a", "password": "p"}}}))
    assert read(file, "reg.corp", "team-b/kali") is None


async def test_a_registry_that_is_not_listed_is_asked_over_tls_only() -> None:
    async with PretendRegistry() as pretend:
        with pytest.raises(Transient, match="can't be asked"):
            await OciRegistry({}, timeout=5.0).digest(f"{pretend.url.removeprefix('http://')}/{images.PATH}")
        assert pretend.asked == []


@pytest.mark.parametrize("text", ["", "[]", '{"auths": {"HOST": {"auth": "%"}}}', "x" * 1024 * 1024 + "x"])
async def test_credentials_that_can_t_be_read_are_named_without_their_text(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})

    async with serving(answer, certificate[1]) as host:
        file = tmp_path / "config.json"
        file.write_text(text.replace("HOST", host))
        with pytest.raises(Permanent, match="credentials can't be used") as caught:
            await OciRegistry({}, str(file), timeout=5.0).digest(f"{host}/kali")
    assert "registry.credentials" in str(caught.value.remedy)


async def test_credentials_in_no_regular_file_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "config.json"
    os.mkfifo(pipe)
    reading = asyncio.ensure_future(asyncio.to_thread(read, pipe, "registry.example.com", "kali"))
    await asyncio.wait([reading], timeout=20)
    waits = not reading.done()
    os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # lets a thread go on that waits for a writer
    with pytest.raises(Permanent, match="it is not a regular file"):
        await reading
    assert not waits


async def test_a_real_registry_says_when_an_image_was_built() -> None:
    async with real_registry() as host:
        await push(host, "kali", "1.0", images.image(2))
        found = await plain(host).resolve(f"{host}/kali:1.0", AMD)
        assert await plain(host).built(f"{host}/kali@{found.image}") == datetime(2025, 6, 2, 8, tzinfo=UTC)
        assert await plain(host).built(f"{host}/kali@{found.digest}") is None  # an index has no date
        with pytest.raises(NotFound):
            await plain(host).built(f"{host}/kali:2.0")


LATE = '"9999-12-31T23:59:59-14:00"'


@pytest.mark.parametrize(
    "created",
    ['"1970-01-01T00:00:00Z"', '"0001-01-01T00:00:00Z"', '"soon"', "17", "null", '"2025-06-02T08:00:00"', LATE],
)
def test_a_date_that_is_none_or_made_up_is_not_shown(created: str) -> None:
    assert manifest.created(f'{{"created": {created}}}'.encode()) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_a_configuration_that_is_none_has_no_date(body: bytes) -> None:
    assert manifest.created(body) is None
