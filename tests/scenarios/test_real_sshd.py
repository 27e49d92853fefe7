"""``ssh info`` beside OpenSSH's own server and client: it shows the fingerprints that a client sees."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.cluster.fixture import FixtureFile
from sandbox.cluster.objects import HOME
from sandbox.environment import Sandbox
from tests.scenarios.talk import World, until

SSHD = "/usr/sbin/sshd"
KINDS = ("ed25519", "rsa", "ecdsa")
ADDRESS = "192.168.55.215"
pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(
        not Path(SSHD).exists(), reason="not covered: sshd is missing (apt install openssh-server)"
    ),
]


class Server:
    """An sshd with host keys of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        """Make keys, write its configuration, and start it."""
        folder.mkdir()
        self.folder, self.port = folder, port
        for kind in KINDS:
            _run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(folder / f"ssh_host_{kind}_key"))
        lines = [f"HostKey {folder}/ssh_host_{kind}_key" for kind in KINDS]
        lines += [f"Port {port}", "ListenAddress 127.0.0.1", f"PidFile {folder}/pid", "UsePAM no"]
        (folder / "sshd_config").write_text("\n".join(lines))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd's unprivileged part is locked in
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")])

    def public(self) -> dict[str, str]:
        """The public keys by their place in the pod."""
        names = [f"ssh_host_{kind}_key.pub" for kind in KINDS]
        return {f"{HOME}/.ssh-host-keys/{name}": (self.folder / name).read_text() for name in names}

    def seen(self) -> set[str]:
        """The fingerprints of the keys that a client is offered."""
        offered = _run("ssh-keyscan", "-p", str(self.port), "127.0.0.1")
        return set(re.findall(r"SHA256:\S+", _run("ssh-keygen", "-l", "-f", "-", given=offered)))

    def answers(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as one:
            return one.recv(4) == b"SSH-"
        return False

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[Server]:
    one = Server(tmp_path / "first", port)
    yield one
    one.stop()


def _run(*argv: str, given: str = "", fails: bool = False) -> str:
    done = subprocess.run(argv, input=given, capture_output=True, text=True, check=not fails)
    return done.stdout + (done.stderr if fails else "")


def _connect(known_hosts: Path, port: int) -> str:
    """What the client says of the server's identity; it can't sign in."""
    options = {
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": ADDRESS,
        "StrictHostKeyChecking": "accept-new",
        "BatchMode": "yes",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return _run("ssh", "-F", "/dev/null", *words, "-p", str(port), "nobody@127.0.0.1", "true", fails=True)


def _fixture(file: Path, server: Server) -> None:
    file.write_text(yaml.safe_dump({"containers": {"kali": {"files": server.public()}}}))


async def test_the_fingerprints_are_those_a_client_sees_also_after_new_keys(
    tmp_path: Path, server: Server, port: int
) -> None:
    fixture, known = tmp_path / "fixture.yaml", tmp_path / "known_hosts"
    _fixture(fixture, server)
    service = {"name": "SSH", "ip": ADDRESS, "port": 22, "check": "ssh", "connect": f"127.0.0.1:{port}"}
    async with Sandbox(
        rate_limits=False, fixture=FixtureFile(fixture), target={"services": [service]}, pod_seconds=0.0
    ) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await until(server.answers, lambda: "sshd does not answer")
        assert "SSH answers" in (await world.ask("services")).first_line
        shown = (await world.ask("ssh info")).text
        assert set(re.findall(r"SHA256:[\w+/]+", shown)) == await asyncio.to_thread(server.seen)
        assert "Permanently added" in await asyncio.to_thread(_connect, known, port)

        server.stop()
        second = Server(tmp_path / "second", port)
        try:
            _fixture(fixture, second)
            await until(second.answers, lambda: "the second sshd does not answer")
            shown = (await world.says("ssh info", "ssh-keygen -R")).text
            assert set(re.findall(r"SHA256:[\w+/]+", shown)) >= await asyncio.to_thread(second.seen)
            assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in await asyncio.to_thread(_connect, known, port)
            [line] = set(re.findall(r"ssh-keygen -R \S+", shown))
            await asyncio.to_thread(_run, *shlex.split(line), "-f", str(known))
            assert "Permanently added" in await asyncio.to_thread(_connect, known, port)
        finally:
            second.stop()
