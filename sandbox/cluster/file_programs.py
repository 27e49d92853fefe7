"""The programs of the simulated container that change files: what they write stays."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from sandbox.cluster.files import File, children
from sandbox.cluster.program import Files, Result

MOST = 4 << 20
"""Largest file, in bytes."""


def _result(out: str = "", err: str = "", code: int = 0) -> Result:
    return Result(out.encode(), err.encode(), code)


def _keep(box: Files, program: str, path: str, file: File) -> Result:
    """Write a file, where there is a folder for it and the user may."""
    full = box.absolute(path)
    folder, before = full.rpartition("/")[0] or "/", box.files.get(full)
    if children(box.files, folder) is None:
        return _result(err=f"{program}: cannot create '{path}': No such file or directory\n", code=1)
    if children(box.files, full) is not None and before is None:
        return _result(err=f"{program}: '{path}': Is a directory\n", code=1)
    if not box.may_write(full):
        return _result(err=f"{program}: cannot create '{path}': Permission denied\n", code=1)
    if len(file.text.encode()) > MOST or (box.full and before is None and len(file.text) > 0):
        return _result(err=f"{program}: error writing '{path}': No space left on device\n", code=1)
    box.write(full, file)
    return _result()


def _found(box: Files, program: str, path: str) -> File | Result:
    file = box.files.get(box.absolute(path))
    return file or _result(err=f"{program}: cannot stat '{path}': No such file or directory\n", code=1)


def dd(box: Files, args: list[str], stdin: bytes) -> Result:
    """Copy ``count`` blocks of ``bs`` bytes from stdin to ``of``, whose mode and owner stay."""
    given = dict(arg.split("=", 1) for arg in args if "=" in arg)
    size, path = int(given.get("bs", "512")), given.get("of", "")
    data = stdin[: int(given["count"]) * size] if "count" in given else stdin
    before = box.files.get(box.absolute(path)) or File("", owner=box.user)
    kept = _keep(box, "dd", path, replace(before, text=data.decode(errors="replace")))
    blocks = len(data) // size
    return kept if kept.code else _result(err=f"{blocks}+0 records in\n{blocks}+0 records out\n")


def tee(box: Files, args: list[str], stdin: bytes) -> Result:
    """Copy stdin to files, and to stdout."""
    for path in args:
        before = box.files.get(box.absolute(path)) or File("", owner=box.user)
        if (kept := _keep(box, "tee", path, replace(before, text=stdin.decode(errors="replace")))).code:
            return kept
    return _result(stdin.decode(errors="replace"))


def cp(box: Files, args: list[str], _stdin: bytes) -> Result:
    """Copy a file; with ``-p`` also its mode and owner."""
    names = [arg for arg in args if not arg.startswith("-")]
    if len(names) != 2:
        return _result(err="cp: missing file operand\n", code=1)
    file = _found(box, "cp", names[0])
    if not isinstance(file, File):
        return file
    if "-p" not in args:
        before = box.files.get(box.absolute(names[1])) or File("", owner=box.user)
        file = replace(before, text=file.text)
    return _keep(box, "cp", names[1], file)


def install(box: Files, args: list[str], _stdin: bytes) -> Result:
    """Copy a file as one of the user's with the mode after ``-m``."""
    if len(args) != 4 or args[0] != "-m":
        return _result(err="install: missing file operand\n", code=1)
    file = _found(box, "install", args[2])
    if not isinstance(file, File):
        return file
    return _keep(box, "install", args[3], File(file.text, _MODES.get(args[1], "-rwxr-xr-x"), box.user))


def mv(box: Files, args: list[str], _stdin: bytes) -> Result:
    """Rename a file over another."""
    names = [arg for arg in args if not arg.startswith("-")]
    if len(names) != 2:
        return _result(err="mv: missing file operand\n", code=1)
    file = _found(box, "mv", names[0])
    if not isinstance(file, File):
        return file
    kept = _keep(box, "mv", names[1], file)
    if not kept.code:
        box.write(box.absolute(names[0]), None)
    return kept


def rm(box: Files, args: list[str], _stdin: bytes) -> Result:
    """Remove files; with ``-f`` also those that are not there."""
    for path in (arg for arg in args if not arg.startswith("-")):
        full = box.absolute(path)
        if full in box.files:
            box.write(full, None)
        elif "-f" not in args:
            return _result(err=f"rm: cannot remove '{path}': No such file or directory\n", code=1)
    return _result()


def sha256sum(box: Files, args: list[str], stdin: bytes) -> Result:
    """The digest of each file, or of stdin."""
    if not args:
        return _result(f"{hashlib.sha256(stdin).hexdigest()}  -\n")
    out, err = "", ""
    for path in args:
        file = box.files.get(box.absolute(path))
        if file is None:
            err += f"sha256sum: {path}: No such file or directory\n"
        else:
            out += f"{hashlib.sha256(file.text.encode()).hexdigest()}  {path}\n"
    return _result(out, err, 1 if err else 0)


_MODES = {"600": "-rw-------", "644": "-rw-r--r--"}
PROGRAMS = {"dd": dd, "tee": tee, "cp": cp, "install": install, "mv": mv, "rm": rm, "sha256sum": sha256sum}
