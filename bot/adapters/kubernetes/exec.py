"""Runs commands in containers with the remote command protocol over a WebSocket.

Frames are binary; the first byte is the channel (0 stdin, 1 stdout, 2 stderr, 3 a metav1.Status at the end).
v5 only adds a close signal: 255 and the channel that ends. With v4 stdin has no end while the command runs, so the
command must know how much there is. Source: Kubernetes,
``staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go``.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence

import aiohttp
import msgspec

from bot.adapters.kubernetes import errors
from bot.adapters.kubernetes.client import ApiResponse, Call, Connection, refusal
from bot.domain.core import words
from bot.domain.core.bounds import bounded, number
from bot.domain.core.workload import ExecResult
from bot.errors import AgentpodError, NotFound, Permanent, Transient, Uncertain

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
NOT_FOUND_EXIT = 127
"""A shell's exit status for a command that does not exist (POSIX, XCU 2.8.2)."""

KEPT = 64 * 1024
"""Bytes of each channel of a command that changes something: the last ones, since they say how it ended."""
_INPUT_FRAME = 32 * 1024
_MAX_FRAME = 32 * 1024 * 1024
_STATUS_LIMIT = 256 * 1024
# aiohttp's default would let a hung server hold up the caller for ten seconds after the deadline.
_CLOSE_SECONDS = 0.2
# Docker's shim reports a failed start as the command's own output, with this status.
_NO_START, _NO_START_EXIT = "OCI runtime exec failed", 126
_MISSING_BINARY = ("executable file not found", "no such file or directory")
_EXIT_CODE = re.compile(r"\b(?:exit status|exit code|exited with) ([0-9]{1,3})\b")


class _StatusCause(msgspec.Struct):
    reason: str | None = None
    message: str | None = None


class _StatusDetails(msgspec.Struct):
    causes: list[_StatusCause] | None = None


class _ExecStatus(msgspec.Struct):
    status: str | None = None
    message: str | None = None
    reason: str | None = None
    details: _StatusDetails | None = None


class Output:
    """Collects the channels up to a limit of bytes: the first of both together, or the last of each."""

    def __init__(self, limit: int, *, to_end: bool = False) -> None:
        """``limit`` in bytes. With ``to_end`` all is read, and the last whole lines are kept."""
        self._limit, self._to_end = limit, to_end
        self.asked = False
        """Whether the API server may have been asked to run the command."""
        self._text = {STDOUT: bytearray(), STDERR: bytearray()}
        self._cut: set[int] = set()
        """Channels that the limit cut."""
        self._status = bytearray()
        self.truncated = False

    def feed(self, frame: bytes) -> None:
        """Add one frame. Unknown channels are skipped, as the protocol demands."""
        channel, data = (frame[0], frame[1:]) if frame else (-1, b"")
        if channel == STATUS:
            self._status += data[: _STATUS_LIMIT - len(self._status)]
        elif channel in self._text and self._to_end:
            self._keep_end(channel, data)
        elif channel in self._text:
            room = self._limit - sum(map(len, self._text.values()))
            self._text[channel] += data[:room]
            if len(data) > room:
                self._cut.add(channel)
                self.truncated = True

    def _keep_end(self, channel: int, data: bytes) -> None:
        text = self._text[channel]
        text += data
        if (beyond := len(text) - self._limit) > 0:
            del text[:beyond]
            self._cut.add(channel)
            self.truncated = True

    @property
    def full(self) -> bool:
        """Whether there is nothing more to read."""
        return self.truncated and not self._to_end

    @property
    def ended(self) -> bool:
        """Whether the command's end was reported: a complete JSON document on the status channel."""
        try:
            return bool(msgspec.json.decode(bytes(self._status)))
        except (msgspec.DecodeError, RecursionError):
            return False

    def result(self, argv: Sequence[str]) -> ExecResult:
        """Return the command's result. Raises AgentpodError if the API server could not run the command."""
        cut = self.truncated and not self._to_end
        code, message = (None, None) if cut else _outcome(bytes(self._status), argv)
        stdout, stderr = self._decoded(STDOUT), self._decoded(STDERR)
        if code == _NO_START_EXIT and stdout.startswith(_NO_START) and _MISSING_BINARY[0] in stdout:
            code, message, stdout = NOT_FOUND_EXIT, _not_found(argv, stdout.strip()), ""
        if message:
            stderr = f"{stderr.rstrip()}\n{message}\n".lstrip("\n")
        if self._to_end:
            return ExecResult(stdout, stderr, code, self.truncated)
        # No line is cut before it is redacted: a secret's part would not be recognised.
        out, err = bounded(stdout, line=None), bounded(stderr, line=None)
        whole = out.whole and err.whole and not self.truncated
        return ExecResult(out.text, err.text, code, not whole)

    def _decoded(self, channel: int) -> str:
        """The channel's text. A frame may end within a character, so only the whole is decoded.

        The line that the limit cuts is dropped: half a secret in it would not be recognised.
        """
        text = bytes(self._text[channel])
        if channel in self._cut:
            before, end, after = text.partition(b"\n") if self._to_end else text.rpartition(b"\n")
            text = after if self._to_end else before + end
        return text.decode(errors="replace")


def _outcome(status: bytes, argv: Sequence[str]) -> tuple[int | None, str | None]:
    """Return the exit code, and the runtime's message about a command that it could not start."""
    if not status.strip():
        raise Transient("The API server closed the exec channel without saying how the command ended.")
    outcome = msgspec.json.decode(status, type=_ExecStatus)
    if outcome.status == "Success":
        return 0, None
    for cause in (outcome.details and outcome.details.causes) or ():
        if cause.reason == "ExitCode" and (code := number(cause.message or "")) is not None:
            return code, None
    return _from_message(outcome, argv)


def _not_found(argv: Sequence[str], said: str) -> str:
    return f"{argv[0]}: not found in the container ({said})"


def _from_message(outcome: _ExecStatus, argv: Sequence[str]) -> tuple[int, str | None]:
    """Read the outcome from the message: runtimes word a failed start differently; kwok's has the exit code."""
    said = (outcome.message or outcome.reason or "the API server gave no reason").rstrip(".")
    if any(words in said.lower() for words in _MISSING_BINARY):
        return NOT_FOUND_EXIT, _not_found(argv, said)
    if match := _EXIT_CODE.search(said):
        return int(match[1]), None
    if "container not found" in said or "is not running" in said:
        raise NotFound(f"There is no running container for the command: {said}.")
    if outcome.reason == "InternalError":
        raise Transient(f"The command could not be started: {said}.")
    raise Permanent(f"The command could not be started: {said}.")


async def run(
    connection: Connection, call: Call, argv: Sequence[str], limit: int, seconds: float | None = None
) -> ExecResult:
    """Run ``call``'s command within ``seconds`` (by default the connection's deadline). Raises `bot.errors` only.

    A missing binary is a result with exit code 127 and the runtime's message on stderr, as in a shell.
    Output beyond ``limit`` bytes is not read: the result is truncated and its exit code None.
    """
    return await _run(connection, call, argv, Output(limit), seconds)


async def run_once(
    connection: Connection, call: Call, argv: Sequence[str], seconds: float, stdin: bytes | None = None
) -> ExecResult:
    """Run a command that changes something. Raises `Uncertain` when it may have run, else as `run` does.

    ``stdin`` is sent as soon as the connection is there, and then closed where the protocol can do that.
    """
    output = Output(KEPT, to_end=True)
    try:
        return await _run(connection, call, argv, output, seconds, stdin)
    except AgentpodError as error:
        if _not_run(error, output):
            raise
        why = words.lower_first(error.message.rstrip("."))
        raise Uncertain(
            f"It is unknown whether the command ran: {why}.", remedy="Look before it is run again."
        ) from error


def _not_run(error: AgentpodError, output: Output) -> bool:
    """Whether the command certainly did not run: it was not sent, or refused before the connection was upgraded.

    An answer of 5xx may come from a proxy that has passed the request on.
    """
    cause = error.__cause__
    if not output.asked or isinstance(cause, aiohttp.ClientConnectorError):
        return True
    if isinstance(cause, aiohttp.WSServerHandshakeError):
        return cause.status < 500
    return isinstance(error, NotFound)  # the runtime says that the container does not run


async def _run(
    connection: Connection,
    call: Call,
    argv: Sequence[str],
    output: Output,
    seconds: float | None,
    stdin: bytes | None = None,
) -> ExecResult:
    deadline = connection.timeout if seconds is None else seconds
    kept = bytearray()
    token = refusal.set(kept)
    try:
        with errors.edge(connection.server, deadline, connection.route):
            async with asyncio.timeout(deadline):
                await _collect(connection, call, output, stdin)
            return output.result(argv)
    except AgentpodError as error:
        if isinstance(error.__cause__, aiohttp.WSServerHandshakeError):
            raise await _refused(connection, error.__cause__, call, bytes(kept)) from error.__cause__
        raise
    finally:
        refusal.reset(token)


async def _collect(connection: Connection, call: Call, output: Output, stdin: bytes | None) -> None:
    url = re.sub("^http", "ws", call.url(connection.server))
    headers = await connection.headers()
    output.asked = True
    async with connection.session().ws_connect(
        url,
        headers=headers,
        protocols=PROTOCOLS,
        timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
        max_msg_size=_MAX_FRAME,
        **connection.socket_options(),
    ) as socket:
        if stdin is not None:
            await _send(socket, stdin)
        async for message in socket:
            data = message.data
            output.feed(data.encode() if isinstance(data, str) else data)
            if output.full:
                break
        # A real API server may drop the connection right after the status; then nothing is missing.
        if (error := socket.exception()) and not output.ended:
            raise error


async def _send(socket: aiohttp.ClientWebSocketResponse, stdin: bytes) -> None:
    """Send a command's whole input. One that has ended already says so in what follows."""
    with contextlib.suppress(ConnectionResetError):
        for start in range(0, len(stdin), _INPUT_FRAME):
            await socket.send_bytes(bytes([STDIN]) + stdin[start : start + _INPUT_FRAME])
        if socket.protocol == PROTOCOLS[0]:
            await socket.send_bytes(bytes([CLOSE, STDIN]))


async def _refused(
    connection: Connection, error: aiohttp.WSServerHandshakeError, call: Call, body: bytes
) -> AgentpodError:
    if error.status < 400:
        return Permanent(
            f"The API server did not open a WebSocket for `{call.right}` (HTTP {error.status}).",
            remedy="See whether a proxy between the bot and the API server lets WebSockets through.",
        )
    headers = error.headers if error.headers is not None else {}
    asked = (await connection.headers()).get("Authorization", "")
    return connection.refused(ApiResponse(error.status, headers, body, asked), call)
