"""A stand-in for sops in the sandbox, with its command line and exit codes. It protects nothing.

Its files look as those of sops, but their values are only encoded. The tests of the bot's adapter run the real
one. Run as a program, so it imports nothing of the project.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import yaml

NO_KEY, DAMAGED, CHANGED = 128, 25, 51
ENCODED = re.compile(r"ENC\[PRETEND,data:([A-Za-z0-9+/=]*),type:str\]")
ENCRYPTED = ("data", "stringData")


def pretend_encrypt(document: dict[str, Any], recipient: str) -> str:
    """Write a manifest as sops would, for a made-up recipient."""
    values = {
        name: {key: f"ENC[PRETEND,data:{_encoded(value)},type:str]" for key, value in document[name].items()}
        for name in ENCRYPTED
        if name in document
    }
    metadata = {
        "age": [{"recipient": recipient, "enc": "pretended"}],
        "encrypted_regex": "^(data|stringData)$",
        "lastmodified": "2026-01-01T00:00:00Z",
        "mac": f"ENC[PRETEND,data:{_encoded(_checksum(document))},type:str]",
        "version": "3.0.0",
    }
    return yaml.safe_dump({**document, **values, "sops": metadata}, sort_keys=False)


def pretend_key(recipient: str) -> str:
    """The key file for a recipient."""
    return f"# public key: {recipient}\nAGE-SECRET-KEY-PRETEND-{recipient.upper()}\n"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    found = ENCODED.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return base64.b64decode(found[1]).decode()


def _checksum(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _decrypt(text: str, key: str) -> tuple[int, str]:
    """The exit code, and what is printed."""
    document = yaml.safe_load(text)
    metadata = document.pop("sops", None)
    if metadata is None:
        return 1, "sops metadata not found\n"
    if not any(pretend_key(one["recipient"]) == key for one in metadata["age"]):
        return NO_KEY, "Failed to get the data key required to decrypt the SOPS file.\n"
    try:
        for name in ENCRYPTED:
            if name in document:
                document[name] = {key: _decoded(value) for key, value in document[name].items()}
        checksum = _decoded(metadata["mac"])
    except ValueError:
        return DAMAGED, "Error decrypting tree: Could not decrypt value\n"
    if checksum != _checksum(document):
        return CHANGED, "MAC mismatch.\n"
    return 0, json.dumps(document)


def main() -> int:
    """Decrypt what is on standard input, as ``sops --decrypt … /dev/stdin`` does; returns the exit code."""
    if sys.argv[1:2] != ["--decrypt"] or sys.argv[-1] != "/dev/stdin":
        sys.stderr.write("this stand-in only decrypts /dev/stdin\n")
        return 100
    key = Path(os.environ.get("SOPS_AGE_KEY_FILE", ""))
    code, printed = _decrypt(sys.stdin.read(), key.read_text(encoding="utf-8") if key.is_file() else "")
    (sys.stdout if code == 0 else sys.stderr).write(printed)
    return code


if __name__ == "__main__":
    sys.exit(main())
