"""A real PostgreSQL server for tests: Debian's, on a free port, with its files in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.environment import free_port

READY_SECONDS = 30.0
PASSWORD = "s3cret-of-the-test"
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "shared_buffers=16MB",
    "max_connections=60",
    "fsync=off",
    "autovacuum=off",
)


def binaries() -> Path:
    """The folder of `initdb` and `postgres`. Raises FileNotFoundError with what to install."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    if here := shutil.which("postgres"):
        return Path(here).parent
    raise FileNotFoundError("no PostgreSQL: apt install postgresql")


class Postgres:
    """One server; use it as ``with Postgres() as server``."""

    def __init__(self) -> None:
        """Prepare a server without starting it."""
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="agentpod-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._bin = binaries()

    def __enter__(self) -> Self:
        """Create the database's files and start the server."""
        # PostgreSQL doesn't run as root, and its user must be able to reach the folder.
        self._as = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            os.chown(self.folder, 65534, 65534)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = str(self.folder / "data")
        auth = ["--auth=scram-sha-256", f"--pwfile={password}", "--username=agentpod"]
        command = [
            *self._as,
            str(self._bin / "initdb"),
            "-D",
            data,
            *auth,
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and delete everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start (or restart) the server and wait until it answers."""
        place = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._as,
                    "setpriv",
                    "--pdeathsig",
                    "KILL",
                    "--",
                    str(self._bin / "postgres"),
                    *place,
                    *(word for setting in SETTINGS for word in ("-c", setting)),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        end = time.monotonic() + READY_SECONDS
        while not self.answers():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether the server accepts connections."""
        ready = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "agentpod"]
        return subprocess.run(ready, check=False, capture_output=True).returncode == 0

    def stop(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server; SIGQUIT is PostgreSQL's immediate shutdown."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def create(self, database: str) -> str:
        """Create a database; returns its URL for the bot."""
        self.sql(f"CREATE DATABASE {database}")
        return self.url(database)

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        """The URL of a database."""
        return f"postgresql+asyncpg://agentpod:{password}@127.0.0.1:{self.port}/{database}"

    def dump(self, database: str) -> bytes:
        """A database's whole content, by `pg_dump`."""
        url = self.url(database).replace("+asyncpg", "")
        done = subprocess.run([str(self._bin / "pg_dump"), url], check=True, capture_output=True)
        return done.stdout

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement with `psql`; returns its output."""
        command = [str(self._bin / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "agentpod", "-At"]
        done = subprocess.run(
            [*command, "-d", database, "-c", statement],
            check=True,
            capture_output=True,
            text=True,
            env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"},
        )
        return done.stdout.strip()
