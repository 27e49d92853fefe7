"""Start bots quickly: each is forked from a process that has loaded all modules; they share nothing else.

Most of what a bot costs at its start is to load modules, and the suite starts some two hundred. A forked one is a
process like any other: it has its own environment, output and signals, runs the same entry function, and ends as
an interpreter ends. Cold starts are tried by `tests/scenarios/test_start.py`, `agentpod sandbox`, and `make soak`.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.environment import Running, own_interpreter

ROOT = Path(__file__).parents[2]
USUAL = ("PYTHONPATH", "PYTHONUNBUFFERED")
"""Variables that a `Sandbox` sets for each bot, and a forked bot gets."""


class Forked:
    """A process forked by the server; see `sandbox.environment.Running`."""

    def __init__(self, pid: int) -> None:
        """``pid`` is a running process."""
        self.pid = pid
        self.ended: Future[int] = Future()

    @property
    def returncode(self) -> int | None:
        """None while it runs; minus the signal that ended it."""
        return self.ended.result() if self.ended.done() else None

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        return await asyncio.shield(asyncio.wrap_future(self.ended))

    def send_signal(self, signal: int) -> None:
        """Send a signal. Raises ProcessLookupError where it has ended."""
        if self.ended.done():
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, signal)

    def kill(self) -> None:
        """Send SIGKILL. Raises ProcessLookupError where it has ended."""
        self.send_signal(signal.SIGKILL)


class Server:
    """The process that forks bots, and reports their exits."""

    def __init__(self) -> None:
        """Start it; it loads the modules meanwhile."""
        ours, theirs = socket.socketpair()
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AGENTPOD_", "PYTHON"))}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.prepared", str(theirs.fileno())],
                env=env | {"PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._socket = ours
        self._lock = threading.Lock()
        self._asked: deque[Future[Forked]] = deque()
        self._over = False
        self._alive: dict[int, Forked] = {}
        self._reader = threading.Thread(target=self._read, name="prepared", daemon=True)
        self._reader.start()
        atexit.register(self.close)

    def fork(
        self, words: Sequence[str], env: Mapping[str, str], log: Path, *, folder: str = "", **streams: Path
    ) -> Future[Forked]:
        """Fork a process, in this folder or in ours. ``streams`` are files for its ``stdin`` and ``stderr``.

        Without those it has nothing to read, and its errors go to ``log`` as well.
        """
        asked: Future[Forked] = Future()
        order = {"words": list(words), "env": dict(env), "log": str(log), "folder": folder or os.getcwd()}
        order |= {name: str(path) for name, path in streams.items()}
        with self._lock:
            if self._over:
                raise RuntimeError("the process that forks bots has ended")
            self._asked.append(asked)
            self._socket.sendall(json.dumps(order).encode() + b"\n")
        return asked

    def _read(self) -> None:
        """Read its reports in order: processes that were started, and those that exited."""
        with contextlib.suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                told: dict[str, Any] = json.loads(line)
                if "code" in told:
                    self._alive.pop(told["pid"]).ended.set_result(told["code"])
                else:
                    begun = self._alive[told["pid"]] = Forked(told["pid"])
                    self._asked.popleft().set_result(begun)
        with self._lock:
            self._over = True
            for lost in self._asked:
                lost.set_exception(RuntimeError("the process that forks bots has ended"))

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._process.wait()
        self._reader.join()
        self._socket.close()


server = cache(Server)
"""The server of this process, started on first use."""


async def spawn(words: Sequence[str], env: Mapping[str, str], log: Path) -> Running:
    """A `sandbox.environment.Spawn`. What Python itself reads at its start gets an interpreter of its own."""
    if any(name.startswith("PYTHON") and name not in USUAL for name in env):
        return await own_interpreter(words, env, log)
    return await asyncio.wrap_future(server().fork(words, env, log))
