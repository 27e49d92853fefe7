"""Runs credential plugins: the program under a kubeconfig user's ``exec``, which prints a credential.

The official client runs a plugin without a deadline, with the terminal as its input, and drops its output when it
fails. Here it has no input and a deadline, its child processes end with it, and its stderr is part of the error.
Source: Kubernetes, "Authenticating", "client-go credential plugins".
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bot.adapters.child_process import StreamHead, kill, wait_for_end
from bot.domain.core import words
from bot.domain.core.redact import redact
from bot.errors import AgentpodError, Permanent, Transient

SECONDS = 20.0
"""A plugin's deadline."""
MAX_OUTPUT = 1024 * 1024
MAX_WORDS = 16 * 1024
"""Bytes of stderr that are kept."""
_MAX_QUOTED = 400
"""Characters of stderr, or of an install hint, in an error message."""
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_OWN_PREFIX = "AGENTPOD_"
"""The prefix of the bot's own environment variables, which hold tokens: they are not passed to the plugin."""
_SECRET = re.compile("pass|secret|token|key|cred", re.IGNORECASE)
"""Matches names of variables whose values are redacted from error messages."""


class Spec(msgspec.Struct, rename="camel"):
    """The ``exec`` section of a kubeconfig's user."""

    command: str
    api_version: str
    args: list[str] | None = None
    env: list[dict[str, str]] | None = None
    install_hint: str | None = None
    provide_cluster_info: bool = False
    interactive_mode: str = "IfAvailable"


class _ExecCredentialStatus(msgspec.Struct, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: datetime | None = None


class _ExecCredential(msgspec.Struct, rename="camel"):
    kind: str
    api_version: str
    status: _ExecCredentialStatus | None = None


@dataclass(frozen=True)
class Credential:
    """A plugin's credential: a token, or a certificate with its key (PEM). ``expires`` is None if not stated."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires: datetime | None = None


@dataclass(frozen=True)
class Plugin:
    """A plugin to run. ``folder`` is the kubeconfig's; ``cluster`` is passed on if the plugin asks for it."""

    spec: Spec
    folder: str
    cluster: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name in messages, without its arguments, which may be secret."""
        return f"the credential plugin {Path(self.spec.command).name}"

    async def run(self, seconds: float = SECONDS) -> Credential:
        """Run the plugin and return its credential. Raises Permanent or Transient, quoting its stderr."""
        self._check()
        process = await self._start()
        out, err = StreamHead(MAX_OUTPUT), StreamHead(MAX_WORDS)
        try:
            async with asyncio.timeout(seconds):
                code = await wait_for_end(process, out, err)
        except TimeoutError:
            raise self._slow(seconds, err) from None
        finally:
            await kill(process)
        if code != 0:
            raise self._failed(code, err)
        return self._read(out, err)

    def _check(self) -> None:
        if self.spec.api_version not in _VERSIONS:
            raise self._unusable(f"its apiVersion is {self.spec.api_version[:60]!r}", f"Use {_VERSIONS[0]}.")
        if self.spec.interactive_mode == "Always":
            raise self._unusable(
                "its interactiveMode is Always, so that it needs a person at a terminal",
                "Use a credential that needs nobody, such as a service account's token.",
            )

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                self._program(),
                *(self.spec.args or ()),
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # no terminal to prompt at; a process group that can be killed
            )
        except FileNotFoundError:
            hint = " ".join((self.spec.install_hint or "").split())[:_MAX_QUOTED]
            raise self._unusable("there is no such program", hint or "Install it where the bot runs.") from None
        except (OSError, ValueError) as error:
            why = (getattr(error, "strerror", None) or "it can't be started").lower()
            raise self._unusable(why, "Check its command, arguments and environment in the kubeconfig.") from None

    def _program(self) -> str:
        """Resolve the command as ``kubectl`` does: a relative path is relative to the kubeconfig."""
        command = self.spec.command
        return command if os.sep not in command or Path(command).is_absolute() else str(Path(self.folder, command))

    def _environment(self) -> dict[str, str]:
        told: dict[str, Any] = {"interactive": False}
        if self.spec.provide_cluster_info:
            told["cluster"] = dict(self.cluster)
        info = {"kind": "ExecCredential", "apiVersion": self.spec.api_version, "spec": told}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_PREFIX)}
        given = {entry.get("name", ""): entry.get("value", "") for entry in self.spec.env or ()}
        return {**inherited, **given, "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode()}

    def _read(self, out: StreamHead, err: StreamHead) -> Credential:
        if out.more:
            raise self._unusable(
                f"it printed more than {words.size(MAX_OUTPUT)}", "It must print an ExecCredential."
            )
        try:
            found = msgspec.json.decode(bytes(out.content), type=_ExecCredential)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            said = self._quoted(err)
            raise self._unusable(f"it printed no ExecCredential{said}", "Run it by hand and look.") from None
        status = found.status or _ExecCredentialStatus()
        if found.kind != "ExecCredential" or found.api_version != self.spec.api_version:
            what = f"it printed {found.kind[:40]} of {found.api_version[:60]}, not {self.spec.api_version}"
            raise self._unusable(what, "Use the apiVersion that it prints.")
        return self._checked(status)

    def _checked(self, status: _ExecCredentialStatus) -> Credential:
        token, expires = (status.token or "").strip(), status.expiration_timestamp
        certificate, key = status.client_certificate_data or "", status.client_key_data or ""
        if not token and not (certificate and key):
            raise self._unusable(
                "it gave neither a token nor a certificate with its key", "Run it by hand and look."
            )
        if not (token.isascii() and token.isprintable()):
            raise self._unusable("its token has characters that no token has", "Run it by hand and look.")
        expires = expires if expires is None or expires.tzinfo else expires.replace(tzinfo=UTC)
        if expires is not None and not 1900 <= expires.year <= 9000:
            raise self._unusable(f"its credential ends in the year {expires.year}", "Run it by hand and look.")
        if expires is not None and expires <= datetime.now(UTC):
            when = words.moment(expires)
            raise self._unusable(
                f"its credential expired {when}", "Sign in again, and check the clocks.", Transient
            )
        return Credential(token, certificate, key, expires)

    def _slow(self, seconds: float, err: StreamHead) -> Transient:
        # Not TimedOut, which means that the API server did not answer: it has not been called yet.
        return Transient(
            f"{_title(self.name)} gave no credential in {seconds:g} s{self._quoted(err)}.",
            remedy="If it waits for a person, sign in beforehand, or use a credential that needs nobody.",
        )

    def _failed(self, code: int, err: StreamHead) -> Transient:
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return Transient(
            f"{_title(self.name)} failed with {how}{self._quoted(err) or ', and said nothing'}.",
            remedy="Fix what it names, where the bot runs: the bot tries it again by itself.",
        )

    def _quoted(self, err: StreamHead) -> str:
        """Return the end of stderr after a colon, with secrets redacted; empty if there is none."""
        given = [e.get("value", "") for e in self.spec.env or () if _SECRET.search(e.get("name", ""))]
        lines = redact(bytes(err.content).decode("utf-8", "replace").splitlines(), given).lines
        text = " ".join(" ".join(lines).split())
        if len(text) > _MAX_QUOTED:
            text = "…" + text[-_MAX_QUOTED:]  # the error is usually at the end
        return f": {text.rstrip('.')}" if text else ""

    def _unusable(self, why: str, remedy: str, kind: type[AgentpodError] = Permanent) -> AgentpodError:
        return kind(f"{_title(self.name)} can't be used: {why}.", remedy=remedy)


def _title(text: str) -> str:
    return text[0].upper() + text[1:]
