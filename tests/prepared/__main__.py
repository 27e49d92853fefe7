"""Load a bot's modules, then fork a process for each line on the socket, and report exits."""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
from typing import Any

LOADED = (
    "bot.app",
    "bot.check",
    "bot.adapters.kubernetes",
    "bot.adapters.ledger.ledger",
    "bot.adapters.metrics",
    "bot.adapters.slack",
    "bot.adapters.terminal",
    "sqlalchemy.dialects.sqlite",
    "sandbox.moved_time",
)


def load() -> None:
    """Load all modules that `agentpod run` loads, except the one to be run as main."""
    gc.disable()
    main = importlib.import_module("bot.__main__")
    main._without_httpx_cli()
    for name in LOADED:
        importlib.import_module(name)
    del sys.modules["bot.__main__"]
    gc.freeze()
    assert threading.active_count() == 1, "a thread does not survive the fork"


def serve(ours: socket.socket) -> dict[str, Any] | None:
    """Fork for each order: returns the order in the child, and None in the parent once the socket is closed."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the tests, who end us
    orders = b""
    with selectors.DefaultSelector() as selector:
        for source in (ours, woken):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(4096)
                tell_of_the_dead(ours)
            if ours not in ready:
                continue
            more = ours.recv(1 << 16)
            if not more:
                return None
            *whole, orders = (orders + more).split(b"\n")
            for order in whole:
                if (pid := os.fork()) == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    signal.signal(signal.SIGINT, signal.default_int_handler)
                    for end in (ours, woken, wake):
                        end.close()
                    return dict(json.loads(order))
                tell(ours, pid=pid)


def tell_of_the_dead(ours: socket.socket) -> None:
    """Report all processes that have exited since."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            tell(ours, pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def tell(ours: socket.socket, **what: int) -> None:
    """Send one line."""
    ours.sendall(json.dumps(what).encode() + b"\n")


def become(order: dict[str, Any]) -> None:
    """Run the module as ``python -u -m`` would, in its environment; the interpreter ends with it."""
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["folder"])
    for number, name in ((1, "log"), (2, "stderr")):
        log = os.open(order.get(name, order["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(log, number)
        os.close(log)
    if "stdin" in order:
        source = os.open(order["stdin"], os.O_RDONLY)
        os.dup2(source, 0)
        os.close(source)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    for number, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        raw = io.FileIO(number, "w", closefd=False)
        setattr(sys, name, io.TextIOWrapper(raw, "utf-8", errors, write_through=True))
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
    gc.enable()
    module, *words = order["words"]
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as ours:
        load()
        order = serve(ours)
    if order is not None:
        become(order)
