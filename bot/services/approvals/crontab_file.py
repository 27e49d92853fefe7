"""The files of a crontab in the pod: read exactly, and written without ever being half there.

supercronic's ``-inotify`` watches the file itself, not its folder: it reads the crontab when the file is written
in place (also half of it) and when another one is renamed over it, but not once the file itself was moved away. So
the new file is made beside it, compared by its digest, and renamed over it.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.approvals.crontab_change import CrontabChange
from bot.domain.core import words
from bot.domain.core.cron.edit import BadEdit, applied, digest
from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult
from bot.domain.rbac.exec_forms import ExecForm, number
from bot.errors import Conflict, Permanent, Transient, Uncertain
from bot.ports.cluster import Cluster

SECONDS = 20.0
"""Deadline of one command."""
STAT = "%f %u %g"
"""Mode with the type of file, and the owner's numbers."""
_ABSENT = "no such file"


@dataclass(frozen=True)
class CrontabFiles:
    """The files in one container of one pod. Every method raises as `Cluster` does."""

    cluster: Cluster
    pod: str
    container: str

    async def digests(self, *paths: str) -> Mapping[str, str]:
        """The SHA-256 of each file; those that are absent are left out."""
        result = await self._read("sha256sum", *paths)
        found = [line.removeprefix("\\").split(None, 1) for line in result.stdout.split("\n")]
        known = {words_[1].lstrip("*"): words_[0] for words_ in found if len(words_) == 2}
        wrong = [line for line in result.stderr.split("\n") if line.strip() and _ABSENT not in line.lower()]
        if wrong or (result.exit_code != 0 and not result.stderr.strip()):
            said = words.cut(" ".join(wrong), 200) or f"sha256sum ended with exit code {result.exit_code}"
            raise Permanent(f"The crontab can't be compared: {said.rstrip('.')}.")
        return known

    async def contents(self, *paths: str) -> Mapping[str, tuple[str, str]]:
        """The SHA-256 and the text of each file; those that are absent are left out."""
        found, read = await asyncio.gather(
            self.digests(*paths), asyncio.gather(*(self._read("cat", path) for path in paths))
        )
        each = dict(zip(paths, read, strict=True))
        return {path: (found[path], await self._exactly(path, each[path], found[path])) for path in found}

    async def text(self, path: str, expected: str) -> str:
        """A file's text, which must have that SHA-256. Raises `Conflict` where it was changed."""
        return await self._exactly(path, await self._read("cat", path), expected)

    async def _exactly(self, path: str, result: ExecResult, expected: str) -> str:
        if result.exit_code == 0 and digest(result.stdout) == expected:
            return result.stdout
        if (await self.digests(path)).get(path) != expected:
            raise Conflict("The crontab was changed while it was read.", remedy="Try again.")
        raise Permanent(
            "The crontab can't be read exactly: it is no UTF-8 text, or has very long lines.",
            remedy="Change it in the pod.",
        )

    async def require_plain(self, *paths: str) -> None:
        """Raise `Permanent` unless all are plain files of the same mode and owner."""
        result = await self._read("stat", "-c", STAT, *paths)
        found = [line.split() for line in result.stdout.split("\n") if line.strip()]
        if result.exit_code != 0 or len(found) != len(paths) or any(len(one) != 3 for one in found):
            said = words.cut(result.stderr, 200) or "stat said nothing that is understood"
            raise Permanent(f"Mode and owner of the crontab can't be read: {said.rstrip('.')}.")
        if not all(_is_file(one[0]) for one in found):
            raise Permanent(
                f"{paths[0]} is no plain file, but a link or a folder.",
                remedy="Name the file itself in crontab.file in the settings.",
            )
        if any(one != found[0] for one in found):
            raise Permanent(
                "The new crontab would have another mode or owner than the one that is there.",
                remedy="Change it in the pod, as the user who owns it.",
            )

    async def prepare(self, change: CrontabChange) -> None:
        """Make the new file, and a copy of the one that is there. Does nothing that a repetition would double.

        Raises `Conflict` where the crontab isn't what it was.
        """
        await self._make(change)
        await self._step("cp", "-p", change.path, change.old)
        found = await self.digests(change.path, change.old, change.new)
        if {found.get(change.path), found.get(change.old)} != {change.before}:
            raise Conflict("The crontab was edited meanwhile.")
        if found.get(change.new) != change.after:
            raise Transient("The new crontab was not written whole.")
        await self.require_plain(change.path, change.new)

    async def _make(self, change: CrontabChange) -> None:
        if change.edit is None:
            await self._step("cp", "-p", change.previous, change.new)
            return
        try:
            data = applied(await self.text(change.path, change.before), change.edit).encode()
        except BadEdit as error:
            raise Permanent(f"{words.upper_first(str(error))}.") from error
        await self._step("cp", "-p", change.path, change.new)  # the mode and the owner of the one that is there
        await self._step("dd", f"of={change.new}", "bs=1", f"count={len(data)}", stdin=data)

    async def replace(self, change: CrontabChange) -> None:
        """Rename the new file over the crontab: the one call that changes it. Raises `Uncertain` as well."""
        _require_success(await self._run("mv", change.new, change.path), "mv")

    async def keep_previous(self, change: CrontabChange) -> None:
        """Keep the copy that was made before the change as the version before, if that isn't done."""
        found = await self.digests(change.old, change.previous)
        if found.get(change.previous) != change.before and found.get(change.old) == change.before:
            await self._step("mv", change.old, change.previous)

    async def plan_reads(self, path: str, *previous: str) -> None:
        """Read the file and the version before in order, for a dry run."""
        await self._read("sha256sum", path, *previous)
        for one in (path, *previous):
            await self._read("cat", one)
        await self._read("stat", "-c", STAT, path)

    async def plan(self, change: CrontabChange) -> None:
        """Make all calls in order, for a dry run: whatever is answered to them."""
        plan = self.cluster.run_once
        made = change.path if change.edit is not None else change.previous
        await self._read("sha256sum", change.path, *([change.previous] if change.edit is None else []))
        if change.edit is not None:
            await self._read("cat", change.path)
        await plan(self.pod, self.container, ["cp", "-p", made, change.new], seconds=SECONDS)
        if change.edit is not None:
            into = ["dd", f"of={change.new}", "bs=1", f"count={change.size}"]
            await plan(self.pod, self.container, into, seconds=SECONDS, stdin=bytes(change.size))
        await plan(self.pod, self.container, ["cp", "-p", change.path, change.old], seconds=SECONDS)
        await self._read("sha256sum", change.path, change.old, change.new)
        await self._read("stat", "-c", STAT, change.path, change.new)
        await plan(self.pod, self.container, ["mv", change.new, change.path], seconds=SECONDS)
        await self._read("sha256sum", change.old, change.previous)
        await plan(self.pod, self.container, ["mv", change.old, change.previous], seconds=SECONDS)
        await self._read("sha256sum", change.path)

    async def _read(self, *argv: str) -> ExecResult:
        return await self.cluster.exec(self.pod, self.container, argv, seconds=SECONDS)

    async def _step(self, *argv: str, stdin: bytes | None = None) -> None:
        """Run a command that may be repeated: one of which nobody knows whether it ran is simply run again."""
        try:
            result = await self._run(*argv, stdin=stdin)
        except Uncertain as error:
            raise Transient(error.message) from error
        _require_success(result, argv[0])

    async def _run(self, *argv: str, stdin: bytes | None = None) -> ExecResult:
        return await self.cluster.run_once(self.pod, self.container, argv, seconds=SECONDS, stdin=stdin)


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare the commands of both changes."""
    if target.crontab is None:
        return []
    spec = target.container()
    path = target.crontab.path(spec.home)
    change = CrontabChange(spec.name, path, "", "", 0)
    new, old, previous = change.new, change.old, change.previous
    summed = ((path,), (path, previous), (path, old, new), (old, previous))
    copied = ((path, new), (previous, new), (path, old))
    commands = [
        *(("sha256sum", *paths) for paths in summed),
        *(("cat", one) for one in (path, previous)),
        *(("stat", "-c", STAT, *paths) for paths in ((path,), (path, new))),
        *(("cp", "-p", *paths) for paths in copied),
        *(("mv", *paths) for paths in ((new, path), (old, previous))),
    ]
    into = ExecForm(spec.name, ("dd", f"of={new}", "bs=1", number("count=")), stdin=True)
    return [*(ExecForm(spec.name, words_) for words_ in commands), into]


def _is_file(mode: str) -> bool:
    try:
        return stat.S_ISREG(int(mode, 16))
    except ValueError:
        return False


def _require_success(result: ExecResult, program: str) -> None:
    if result.exit_code != 0:
        said = words.cut(result.stderr, 200) or f"exit code {result.exit_code}"
        raise Permanent(f"{program} failed: {said.rstrip('.')}.")
