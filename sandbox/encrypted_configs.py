"""The encrypted config files that the sandbox's bot has, for `configs rotate`, and what can be wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sandbox import pretend_sops
from sandbox.breaks import Break, Option, Value
from sandbox.cluster import objects
from sandbox.cluster.rbac import NAMESPACE

OWN, OTHER = "age1sandboxown", "age1sandboxother"
"""The made-up public keys: the bot's, and another one."""


class EncryptedConfigs:
    """The files in one folder: the encrypted manifest, the key, and a program in the place of sops."""

    def __init__(self, folder: Path, namespace: str = NAMESPACE) -> None:
        """Nothing is written yet. ``namespace`` is the Secret's."""
        self._namespace = namespace
        self._file, self._key, self._program = (folder / name for name in ("configs.yaml", "age.key", "sops"))
        self._number, self._wrong = 2, ""

    def start(self) -> None:
        """Write the files."""
        self._key.write_text(pretend_sops.pretend_key(OWN), encoding="utf-8")
        self._key.chmod(0o600)
        run = f"import runpy\nrunpy.run_path({pretend_sops.__file__!r}, run_name='__main__')\n"
        self._program.write_text(f"#!{sys.executable} -I\n{run}", encoding="utf-8")
        self._program.chmod(0o755)
        self._write()

    @property
    def settings(self) -> dict[str, Any]:
        """The target's `configs_rotate`."""
        return {
            "encrypted_file": str(self._file),
            "key_file": str(self._key),
            "sops": str(self._program),
            "secret": objects.CONFIG_SECRET,
        }

    def replace(self, values: dict[str, str]) -> None:
        """Encrypt these files."""
        self._wrong = ""
        self._write(values)

    @property
    def breaks(self) -> Sequence[Break]:
        """What the panel can do to the file."""
        wrongs = (
            Option("wrong-key", "encrypted for another key"),
            Option("plain", "not encrypted"),
            Option("changed", "changed after it was encrypted"),
            Option("gone", "not there"),
            Option("other", "another Secret's manifest"),
        )
        return (
            Break(
                "configs-file",
                "Pod",
                "Encrypted config files",
                "what configs rotate decrypts",
                "choice",
                lambda: self._wrong,
                self._break,
                wrongs,
            ),
            Break(
                "configs-new",
                "Pod",
                "New config files",
                "another kubeconfig, encrypted",
                "button",
                lambda: None,
                self._renew,
            ),
        )

    def _break(self, value: Value) -> None:
        self._wrong = str(value or "")
        self._write()

    def _renew(self, _: Value) -> None:
        self._number += 1
        self._wrong = ""
        self._write()

    def _write(self, values: dict[str, str] | None = None) -> None:
        if self._wrong == "gone":
            self._file.unlink(missing_ok=True)
            return
        names = ("talosconfig", "kubeconfig", "omniconfig")
        given = values or {name: objects.config_file(name) for name in names} | {
            "kubeconfig": objects.config_file("kubeconfig", self._number)
        }
        name = "agent-other" if self._wrong == "other" else objects.CONFIG_SECRET
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self._namespace},
            "stringData": given,
        }
        recipient = OTHER if self._wrong == "wrong-key" else OWN
        text = pretend_sops.pretend_encrypt(manifest, recipient)
        if self._wrong == "plain":
            text = yaml.safe_dump(manifest)
        if self._wrong == "changed":
            text = text.replace("apiVersion:", "type: Opaque\napiVersion:", 1)
        self._file.write_text(text, encoding="utf-8")
