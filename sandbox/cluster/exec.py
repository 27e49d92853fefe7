"""``pods/exec`` over WebSocket: ``v5.channel.k8s.io`` and ``v4.channel.k8s.io``."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from sandbox.cluster import cronlog, objects
from sandbox.cluster.files import File, usual
from sandbox.cluster.fixture import ContainerFixture
from sandbox.cluster.program import Result
from sandbox.cluster.shell import ENDING, Container, NoExecutable
from sandbox.cluster.simulation import Simulation
from sandbox.cluster.status import ApiError, bad_request

Object = dict[str, Any]
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
_CHUNK = 32 * 1024
_QUIET = 0.5
"""Seconds without a frame after which a command that waits for no end has its input."""


def choose_container(pod: Object, asked: str) -> str:
    """The requested container. Raises ApiError 400 for an unknown name, or if none of several is named."""
    main = [c["name"] for c in pod["spec"]["containers"]]
    names = main + [c["name"] for c in pod["spec"].get("initContainers") or ()]
    name = pod["metadata"]["name"]
    if asked and asked not in names:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    if not asked and len(main) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
    return asked or str(names[0])


async def serve_exec(request: web.Request, simulation: Simulation, pod: Object) -> web.StreamResponse:
    """Answer an exec request. Raises ApiError for what is refused before the upgrade."""
    container = choose_container(pod, request.query.get("container", ""))
    command = request.query.getall("command", [])
    if not command:
        raise bad_request("you must specify at least 1 command for the container")
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    if "websocket" not in request.headers.get("Upgrade", "").lower():
        raise bad_request("Upgrade request required")
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=16 * 1024 * 1024)
    with contextlib.suppress(ConnectionResetError):  # the client has left
        await socket.prepare(request)
    if not socket.prepared:
        return socket
    if socket.ws_protocol is None:
        await socket.close()
        return socket
    if simulation.faults.exec_hangs:
        await _hang(socket)
        return socket
    stdin = b""
    if request.query.get("stdin") in ("true", "1"):
        stdin = await _read_stdin(socket, command)
    crontab = simulation.volume.get(cronlog.FILE)
    ended: list[int] = []
    result, status = _outcome(simulation, pod, container, command, stdin, ended)
    if simulation.volume.get(cronlog.FILE) is not crontab:
        await simulation.reload_crontab()
    if any(signal in ENDING for signal in ended) and not simulation.faults.deaf:
        await simulation.end_container(pod, container, 128 + ended[0])
        if simulation.faults.exec_dies and request.transport is not None:
            request.transport.abort()
            return socket
    with contextlib.suppress(ConnectionResetError):  # the client has left
        await _send(request, socket, result, status)
    return socket


async def _hang(socket: web.WebSocketResponse) -> None:
    """Answer nothing until the client hangs up."""
    async for _ in socket:
        pass


async def _read_stdin(socket: web.WebSocketResponse, command: list[str]) -> bytes:
    """What the client sends: until it closes channel 0 (v5), or there are as many bytes as the command takes.

    A command that reads no input, and one whose input can't be closed (v4), have what comes in half a second.
    """
    received, enough = b"", _takes(command)
    closes = socket.ws_protocol == PROTOCOLS[0] and command[0] in ("cat", "dd", "tee", "sha256sum")
    patience = None if closes or enough is not None else _QUIET
    while enough is None or len(received) < enough:
        try:
            message = await asyncio.wait_for(socket.receive(), patience)
        except TimeoutError:
            return received
        if message.type is not WSMsgType.BINARY or message.data[:1] == bytes([CLOSE]):
            return received
        if message.data[:1] == bytes([STDIN]):
            received += message.data[1:]
    return received


def _takes(command: list[str]) -> int | None:
    """How many bytes a command reads before it ends by itself; None where it reads to the end."""
    given = dict(word.split("=", 1) for word in command[1:] if "=" in word)
    if command[0] != "dd" or "count" not in given:
        return None
    return int(given["count"]) * int(given.get("bs", "512"))


async def _send(request: web.Request, socket: web.WebSocketResponse, result: Result, status: Object) -> None:
    for channel, data in ((STDOUT, result.out), (STDERR, result.err)):
        for start in range(0, len(data), _CHUNK):
            await socket.send_bytes(bytes([channel]) + data[start : start + _CHUNK])
    await socket.send_bytes(bytes([ERROR]) + json.dumps(status).encode())
    # Like a real API server: send a close frame and hang up, without waiting for the client's close frame.
    await socket.send_frame(WSCloseCode.OK.to_bytes(2, "big"), WSMsgType.CLOSE)
    if request.transport is not None:
        request.transport.close()


def _outcome(
    simulation: Simulation, pod: Object, container: str, command: list[str], stdin: bytes, signals: list[int]
) -> tuple[Result, Object]:
    """What the command prints, and its status; ``signals`` gets those that it sends to the main process."""
    if not _runs(pod, container):
        message = f'unable to upgrade connection: container not found ("{container}")'
        return Result(), _internal(message)
    given = simulation.fixture().containers.get(container)
    uid = pod["metadata"]["uid"]
    states = simulation.fixture_states
    if given is not None and (output := states.run(uid, container, given, command)) is not None:
        printed = Result(output.stdout.encode(), output.stderr.encode(), output.exit_code)
        return printed, exit_status(output.exit_code, command)
    try:
        box = inside(simulation, pod, given)
        result = box.execute(command, stdin)
        signals += box.signals
    except NoExecutable as error:
        if given is not None and given.runs(command[0]):
            said = f"the fixture has no `{' '.join(command)}`{states.said(uid, container, given, command)}\n"
            return Result(err=said.encode(), code=1), exit_status(1, command)
        return _no_executable(simulation, str(error))
    return result, exit_status(result.code, command)


def _runs(pod: Object, container: str) -> bool:
    status = pod["status"]
    every = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    found = next((one for one in every if one["name"] == container), every[0])
    return "running" in found["state"]


def inside(simulation: Simulation, pod: Object, given: ContainerFixture | None = None) -> Container:
    """The inside of the container as it is now, with what a fixture gives it."""
    given = given or ContainerFixture()
    faults, runtime = simulation.faults, simulation.runtime(pod)
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOSTNAME": pod["metadata"]["name"],
        "HOME": objects.HOME,
        "USER": "root" if faults.root else "claude",
    }
    env |= {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"] if "value" in e}
    return Container(
        simulation.table(pod, given.processes),
        "root" if faults.root else "claude",
        faults.disk_full,
        frozenset({"ps", "pgrep"} if faults.no_ps else ()),
        env,
        usual() | {path: File(text) for path, text in given.files.items()},
        no_size=faults.no_size,
        no_inodes=faults.no_inodes,
        new_volume=faults.new_volume,
        wrong_crontab=faults.wrong_crontab,
        page=faults.page,
        keys=runtime.keys if runtime is not None else None,
        mounted_keys=simulation.mounted_keys(pod),
        written=simulation.volume,
    )


def _no_executable(simulation: Simulation, name: str) -> tuple[Result, Object]:
    runtime = (
        "OCI runtime exec failed: exec failed: unable to start container process: "
        f'exec: "{name}": executable file not found in $PATH: unknown'
    )
    if simulation.exec_failure_style == "docker":
        return Result(out=f"{runtime}\r\n".encode()), exit_status(126, [name])
    hashed = hashlib.sha256(name.encode()).hexdigest()
    message = (
        "Internal error occurred: error executing command in container: failed to exec in container: "
        f'failed to start exec "{hashed}": {runtime}'
    )
    return Result(), _internal(message)


def exit_status(code: int, command: list[str]) -> Object:
    """The metav1.Status for an exit code, sent last on channel 3."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    words = f"error executing command [{' '.join(command)}], exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {words}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _internal(message: str) -> Object:
    error = ApiError(500, "InternalError", f"Internal error occurred: {message}")
    return error.as_json() | {"details": {"causes": [{"message": message}]}}
