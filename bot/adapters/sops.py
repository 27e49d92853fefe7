"""Decrypts config files with the program sops, and hands it nothing but the file and the path of the age key.

The file is read once, judged, and given to sops on its standard input, so what is decrypted is what was judged.
sops gets no environment but the key's path, no home and no search path, so it finds no other keys and starts no
other program. What it prints is held in memory only.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bot.adapters.child_process import StreamHead, kill, wait_for_end
from bot.domain.core import words
from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.encrypted_file import UnusableFile, recipients
from bot.errors import AgentpodError, Leaked, NotFound, Permanent, TimedOut
from bot.ports.decryption import Decrypted
from bot.settings import regular_file

MAX_BYTES = 4 << 20
"""Largest encrypted file, and most that sops may print: twice a Secret's 1 MiB in base64, and its metadata."""
SECONDS = 10.0
"""sops's deadline: it takes a tenth of a second."""
MAX_WORDS = 16 * 1024
"""Bytes of stderr that are kept."""
NO_KEY, DAMAGED, CHANGED = 128, (24, 25), (51, 52)
"""sops's exit codes: no key decrypts it; a value can't be decrypted; its checksum is another or missing."""


class Sops:
    """See the module."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """``seconds`` is the deadline of one decryption."""
        self._seconds = seconds

    async def digest(self, spec: ConfigsRotateSpec) -> str:
        """See the port."""
        return hashlib.sha256(await asyncio.to_thread(_read, spec)).hexdigest()

    async def decrypt(self, spec: ConfigsRotateSpec) -> Decrypted:
        """See the port."""
        if wrong := _mount_problems(spec):
            said, remedy = wrong[0]
            raise Permanent(said, remedy=remedy)
        content = await asyncio.to_thread(_read, spec)
        try:
            keys = await asyncio.to_thread(_recipients, content, spec)
        except UnusableFile as error:
            kind = Leaked if error.leaked else Permanent
            raise kind(error.message, remedy=error.remedy) from None
        printed = await self._run(spec, content, keys)
        try:
            document = json.loads(printed)
        except (ValueError, RecursionError):
            raise _no_document(spec) from None
        return Decrypted(hashlib.sha256(content).hexdigest(), document)

    def problems(self, spec: ConfigsRotateSpec) -> Sequence[tuple[str, str]]:
        """See the port."""
        found = _mount_problems(spec)
        return found or tuple(_content_problems(spec))

    async def _run(self, spec: ConfigsRotateSpec, content: bytes, keys: Sequence[str]) -> bytes:
        """Run sops on the file's content, and return what it printed."""
        process = await _start(spec)
        out, err = StreamHead(MAX_BYTES), StreamHead(MAX_WORDS)
        try:
            async with asyncio.timeout(self._seconds):
                code = await wait_for_end(process, out, err, content)
        except TimeoutError:
            raise TimedOut(
                f"sops did not decrypt {_name(spec)} in {self._seconds:g} s.",
                remedy=f"Try {spec.sops} by hand, where the bot runs.",
            ) from None
        finally:
            await kill(process)
        if code != 0:
            raise _failed(spec, code, bytes(err.content), keys)
        if out.more:
            raise Permanent(
                f"{_name(spec)} decrypts to more than {words.size(MAX_BYTES)}.",
                remedy="A Secret holds 1 MiB at most.",
            )
        return bytes(out.content)


def argv(spec: ConfigsRotateSpec) -> tuple[str, ...]:
    """The command that decrypts a file on its standard input."""
    return (spec.sops, "--decrypt", "--input-type", spec.format, "--output-type", "json", "/dev/stdin")


async def _start(spec: ConfigsRotateSpec) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv(spec),
            env={"SOPS_AGE_KEY_FILE": spec.key_file, "HOME": "/nonexistent", "PATH": ""},
            cwd="/",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # no terminal; a process group that can be killed
        )
    except OSError as error:
        why = (error.strerror or "it can't be started").lower()
        remedy = "Mount the sops of this machine's platform there."
        raise Permanent(f"{spec.sops} can't be run: {why}.", remedy=remedy) from None


def _name(spec: ConfigsRotateSpec) -> str:
    return Path(spec.encrypted_file).name


def _read(spec: ConfigsRotateSpec) -> bytes:
    """Read the encrypted file. Raises as the port does."""
    try:
        content = regular_file.read(spec.encrypted_file, MAX_BYTES + 1)
    except regular_file.NotRegularError:
        raise _not_regular(spec) from None
    except FileNotFoundError:
        raise NotFound(f"There is no file {spec.encrypted_file}.", remedy=_MOUNT) from None
    except OSError as error:
        why = (error.strerror or "an unknown error").lower()
        raise Permanent(f"{spec.encrypted_file} can't be read: {why}.", remedy=_MOUNT) from None
    if len(content) > MAX_BYTES:
        raise _too_large(spec)
    return content


def _not_regular(spec: ConfigsRotateSpec) -> Permanent:
    return Permanent(f"{spec.encrypted_file} is not a regular file.", remedy=_MOUNT)


_MOUNT = "Mount it into the bot's pod, as deploy/overlays/configs-rotate shows."


def _too_large(spec: ConfigsRotateSpec) -> Permanent:
    most = words.size(MAX_BYTES)
    return Permanent(f"{_name(spec)} has more than {most}.", remedy="A Secret holds 1 MiB at most.")


def _recipients(content: bytes, spec: ConfigsRotateSpec) -> list[str]:
    """Check that the content is encrypted, and return for which keys. Raises `UnusableFile`."""
    return recipients(_parsed(content, spec), _name(spec))


def _parsed(content: bytes, spec: ConfigsRotateSpec) -> Any:
    """The encrypted document. sops would take the first of several, and one of two equal names, without a word."""
    from bot.domain.core.strict_yaml import load  # seldom wanted
    from bot.domain.core.yaml_nodes import UnreadableYaml

    where = ""
    try:
        text = content.decode()
        if spec.format == "json":
            return json.loads(text, object_pairs_hook=_given_once)
        return load(text, any_names=True, explain=False).data
    except UnreadableYaml as error:
        where = f": see line {error.line}" if error.line else ""
    except (ValueError, RecursionError):
        pass
    raise UnusableFile(
        f"{_name(spec)} is not one document of {spec.format.upper()}{where}.",
        "It must hold the Secret's manifest alone, encrypted by sops.",
    )


def _given_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found


def _mount_problems(spec: ConfigsRotateSpec) -> tuple[tuple[str, str], ...]:
    """What can be told without reading the files."""
    return (*_program_problems(spec), *_key_problems(spec), *_file_problems(spec))


def _content_problems(spec: ConfigsRotateSpec) -> Iterator[tuple[str, str]]:
    try:
        _recipients(_read(spec), spec)
    except (UnusableFile, AgentpodError) as error:
        yield error.message, error.remedy or ""


def _program_problems(spec: ConfigsRotateSpec) -> Iterator[tuple[str, str]]:
    mount = f"{_MOUNT.removesuffix('.')}, or set targets[].configs_rotate.sops."
    try:
        there = Path(spec.sops).is_file()
    except OSError:
        there = False
    if not there:
        yield f"There is no program {spec.sops}.", mount
    elif not os.access(spec.sops, os.X_OK):
        yield f"{spec.sops} is not executable.", mount


def _key_problems(spec: ConfigsRotateSpec) -> Iterator[tuple[str, str]]:
    try:
        mode = Path(spec.key_file).stat().st_mode
    except OSError:
        yield f"There is no key file {spec.key_file}.", _MOUNT
        return
    if not stat.S_ISREG(mode) or not os.access(spec.key_file, os.R_OK):
        yield f"The key file {spec.key_file} can't be read.", "Give agentpod's user the right to read it."
    elif mode & stat.S_IROTH:
        yield f"Everybody may read the key file {spec.key_file}.", "Mount it with defaultMode 0440."


def _file_problems(spec: ConfigsRotateSpec) -> Iterator[tuple[str, str]]:
    try:
        found = Path(spec.encrypted_file).stat()
    except OSError:
        yield f"There is no file {spec.encrypted_file}.", _MOUNT
        return
    if not stat.S_ISREG(found.st_mode):
        error = _not_regular(spec)
        yield error.message, str(error.remedy)
    elif not os.access(spec.encrypted_file, os.R_OK):
        yield f"{spec.encrypted_file} can't be read.", "Give agentpod's user the right to read it."
    elif found.st_size > MAX_BYTES:
        error = _too_large(spec)
        yield error.message, str(error.remedy)


def _no_document(spec: ConfigsRotateSpec) -> Permanent:
    remedy = f"Is {spec.sops} really sops?"
    return Permanent(f"sops printed something other than JSON for {_name(spec)}.", remedy=remedy)


def _failed(spec: ConfigsRotateSpec, code: int, stderr: bytes, keys: Sequence[str]) -> AgentpodError:
    """sops's failure in plain words. Its own are never quoted: they may have a value of the file."""
    name, said = _name(spec), " ".join(stderr.decode("utf-8", "replace").split())
    if code == NO_KEY and "failed to open SOPS_AGE_KEY_FILE" in said:
        return Permanent(f"sops can't read the key file {spec.key_file}.", remedy=_MOUNT)
    if code == NO_KEY and "failed to parse" in said:
        remedy = "It must hold a line that begins with AGE-SECRET-KEY-, as age-keygen writes it."
        return Permanent(f"{spec.key_file} holds no age key.", remedy=remedy)
    if code == NO_KEY:
        wanted = words.either([words.cut(key, 70) for key in keys[:3]])
        return Permanent(
            f"The key in {spec.key_file} does not decrypt {name}: it is the wrong one.",
            remedy=f"The file is encrypted for {wanted}. Mount that key, or encrypt the file for this one.",
        )
    if code in DAMAGED:
        return Permanent(f"{name} is damaged: one of its values can't be decrypted.", remedy=_ANEW)
    if code in CHANGED:
        return Permanent(f"{name} was changed after it was encrypted: its checksum is wrong.", remedy=_ANEW)
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    return Permanent(f"sops could not decrypt {name}: it ended with {how}.", remedy=_by_hand(spec))


def _by_hand(spec: ConfigsRotateSpec) -> str:
    """How to see sops's own words without the file's values, which go to its standard output."""
    run = shlex.join([spec.sops, "--decrypt", "--input-type", spec.format, spec.encrypted_file])
    return (
        "What sops printed may have values of the file, so it is not shown. To see it, run in the bot's "
        f"container: SOPS_AGE_KEY_FILE={shlex.quote(spec.key_file)} {run} > /dev/null"
    )


_ANEW = "Encrypt it again with sops from its source."
