"""A folder of programs for the commands of the documents: ``agentpod``, ``kubectl``, ``make`` and an editor.

``agentpod`` is forked from a process that has loaded its modules (`tests.prepared`), which is the same program
without its start. ``make`` prints what it would do; whatever else is typed is the machine's own program.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import prepared

SOCKET = "DOCS_SOCKET"
_AGENTPOD = f"""#!{sys.executable} -IS
import json, os, socket, sys
asked = {{"words": ["bot", *sys.argv[1:]], "env": dict(os.environ), "pid": os.getpid(), "folder": os.getcwd()}}
with socket.socket(socket.AF_UNIX) as out:
    out.connect(os.environ["{SOCKET}"])
    out.sendall(json.dumps(asked).encode() + b"\\n")
    sys.exit(int(out.makefile().readline()))
"""
_MAKE = '#!/bin/sh\nexec /usr/bin/make --dry-run --directory "$REPOSITORY" "$@"\n'
_EDITOR = '#!/bin/sh\ntest -f "$1"\n'


def write(folder: Path) -> None:
    """Write the programs."""
    folder.mkdir()
    for name, text in {"agentpod": _AGENTPOD, "make": _MAKE, "editor": _EDITOR}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o700)
    (folder / "kubectl").symlink_to(Path(sys.executable).parent / "kubectl")


@contextmanager
def agentpod_served(path: Path) -> Iterator[None]:
    """Run ``agentpod`` for each program that connects to the socket at ``path``."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=_serve, args=(listening,), daemon=True)
        thread.start()
        yield
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_run, args=(connection,), daemon=True).start()


def _run(connection: socket.socket) -> None:
    """Run one; its streams are those of the program that asked."""
    with connection, connection.makefile("rw") as stream:
        asked = json.loads(stream.readline())
        streams = Path(f"/proc/{asked['pid']}/fd")
        forked = prepared.server().fork(
            asked["words"],
            asked["env"],
            streams / "1",
            folder=asked["folder"],
            stdin=streams / "0",
            stderr=streams / "2",
        )
        stream.write(f"{forked.result().ended.result()}\n")
        stream.flush()
