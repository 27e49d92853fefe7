"""What has to be true of the image; each proof gives the problems that it found, in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.image import inside
from scripts.image.build import Built
from scripts.image.contents import AGENTPOD, APP, LIBRARY, MEBI, files, installed, locked

PROJECT = Path(__file__).parents[2]
LIMIT = 220 * MEBI
"""What the image may add to its base: it is 133 MiB, of which the Kubernetes client is most."""
SOMEBODY = 54321
"""A user that the image has never heard of, as OpenShift and others choose one."""
LABELS = ("title", "description", "licenses", "version", "revision", "created", "source")
BUILD_TOOLS = {
    *("pip", "pip3", "setuptools", "wheel", "ensurepip", "venv", "distutils", "lib2to3", "pkg_resources", "2to3"),
    *("gcc", "cc", "c++", "g++", "ld", "as", "make", "cmake", "git", "uv", "cargo", "rustc", "go", "node", "npm"),
}
FOREIGN = {
    "tests",
    "sandbox",
    "docs",
    "scripts",
    "deploy",
    ".git",
    ".venv",
    ".env",
    "requirements.txt",
    "Dockerfile",
}
_SECRET = re.compile(rb"xox[abeprs]-\d{6}|xapp-\d-[A-Z0-9]{6}|-----BEGIN [A-Z ]*PRIVATE KEY-----\n")
# No token and no cluster are there, and nobody listens on this port: nothing outside this machine is asked.
NOTHING = {"AGENTPOD_PUSHGATEWAY__URL": "http://127.0.0.1:9"}
_MODULES = """
import importlib, pkgutil, sys, warnings
warnings.simplefilter("error")
import bot, commands
for package in (bot, commands):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name != "bot.__main__":
            importlib.import_module(module.name)
import bot.__main__, os
for name, module in sorted(sys.modules.items()):
    cached = getattr(module, "__cached__", None)
    if cached and not os.path.exists(cached):
        print(name)
"""


def no_build_tools(built: Built) -> Iterator[str]:
    """Nothing that installs, compiles or builds, and nothing that only these need."""
    root = built.root
    for path in sorted(
        {*root.glob(f"{LIBRARY}/**/*"), *root.glob(f"{AGENTPOD}/**/*"), *root.glob("usr/**/bin/*")}
    ):
        inner = path.relative_to(root)
        named = path.name in BUILD_TOOLS or re.fullmatch(
            r".*\.(whl|a|h|pxd)|Makefile|config-3.*|.*-config", path.name
        )
        if named and not _of_a_package(inner):
            yield f"/{inner} is there"
    asked = _ask(
        built, "import importlib.util as u; print(*filter(u.find_spec, ['pip', 'setuptools', 'ensurepip']))"
    )
    if asked:
        yield f"Python can import {asked}"


def _of_a_package(inner: Path) -> bool:
    """Whether it is a package's own file that is only called so, such as a header beside an extension."""
    parts = inner.parts
    return "site-packages" in parts and len(parts) > parts.index("site-packages") + 2


def nothing_foreign(built: Built) -> Iterator[str]:
    """Of the project only bot, commands and the licence; of the build nothing; no secret."""
    tops = sorted(path.name for path in (built.root / APP).iterdir())
    if tops != ["LICENSE", "bot", "commands"]:
        yield f"/{APP} has {', '.join(tops)}"
    for path in files(built.root, APP):
        if set(path.relative_to(built.root / APP).parts) & FOREIGN or path.suffix not in ("", ".py", ".pyc"):
            yield f"/{path.relative_to(built.root)} does not belong there"
    for folder in ("src", "root", "tmp", "wheels"):
        yield from (f"/{path.relative_to(built.root)} was left behind" for path in files(built.root, folder))
    work = str(built.root.parent).encode()
    for path in files(built.root, AGENTPOD):
        content = b"" if path.is_symlink() else path.read_bytes()
        if found := _SECRET.search(content) or re.search(re.escape(work), content):
            what = "a path of the machine that built it" if found[0] == work else "what looks like a secret"
            yield f"/{path.relative_to(built.root)} has {what}"


def numeric_user(built: Built) -> Iterator[str]:
    """A user by number, which is not root; and nothing in the image is its own."""
    user, group = built.ids
    if 0 in (user, group):
        yield f"USER {built.user} is root"
    for path in files(built.root):
        if path.lstat().st_uid == user or (not path.is_symlink() and path.stat().st_mode & 0o022):
            yield f"/{path.relative_to(built.root)} can be changed by others than root"


def labelled(built: Built) -> Iterator[str]:
    """The labels of the OCI's image specification."""
    for name in LABELS:
        if f"org.opencontainers.image.{name}" not in built.labels:
            yield f"the label org.opencontainers.image.{name} is missing"
    version = built.labels.get("org.opencontainers.image.version", "")
    done = _run(built, "--version")
    said = (done.stdout or done.stderr).strip()
    if said != f"agentpod {version}":
        yield f"the label's version is {version}, and the program says {said}"


def exactly_the_lock(built: Built) -> Iterator[str]:
    """Every package of the lock in its version, and no other."""
    wanted, there = locked((PROJECT / "requirements.txt").read_text(encoding="utf-8")), installed(built.root)
    for name in sorted(wanted.keys() | there.keys()):
        if wanted.get(name) != there.get(name):
            yield f"{name} is {there.get(name, 'missing')}, and the lock has {wanted.get(name, 'none')}"


def small(built: Built) -> Iterator[str]:
    """Not larger than the limit."""
    total = sum(layer.bytes for layer in built.layers)
    if total > LIMIT:
        yield f"the image adds {total / MEBI:.0f} MiB to its base, more than {LIMIT / MEBI:.0f}"


def modules_load(built: Built) -> Iterator[str]:
    """Every module of bot and commands, without a warning, and all that they load compiled beforehand."""
    done = _run(built, "-c", _MODULES, python=True)
    if done.returncode != 0:
        yield f"a module does not load: {done.stderr.strip()[-400:]}"
    missing = done.stdout.split()
    if missing:
        yield f"not compiled: {', '.join(missing[:8])}"


def answers(built: Built) -> Iterator[str]:
    """The words and exit codes of a container that nobody has told anything yet."""
    yield from _expect(built, (), 2, "slack.bot_token is not set: set AGENTPOD_SLACK__BOT_TOKEN")
    yield from _expect(built, ("run",), 2, "slack.app_token is not set: set AGENTPOD_SLACK__APP_TOKEN")
    yield from _expect(built, ("check",), 1, "slack.bot_token is not set")
    yield from _expect(built, ("help",), 0, "agentpod help COMMAND says more")
    yield from _expect(built, ("sandbox",), 2, "The sandbox is not part of this installation.")


def any_user(built: Built) -> Iterator[str]:
    """The same with another `runAsUser`."""
    yield from _expect(built, ("--version",), 0, "agentpod ", uid=SOMEBODY)
    yield from _expect(built, ("check",), 1, "slack.bot_token is not set", uid=SOMEBODY)


def read_only(built: Built) -> Iterator[str]:
    """Only /tmp can be written; the bot is process 1, with no right to become anybody else."""
    script = "import os; open('/tmp/x', 'w'); print(os.getpid(), os.getuid(), os.path.expanduser('~'))"
    pid = "1" if inside.way() is not inside.Way.CHROOT else None
    said = _ask(built, script).split()
    if len(said) != 3 or said[1:3] != [str(built.ids[0]), "/tmp"] or (pid and said[0] != pid):  # noqa: S108 - inside
        yield f"process, user, home: {' '.join(said)}"
    for path in ("/x", "/opt/agentpod/x", "/var", f"/{APP}/bot/x"):
        done = _run(built, "-c", f"open({path!r}, 'w')", python=True)
        if done.returncode == 0:
            yield f"{path} could be written"


@dataclass(frozen=True)
class Proof:
    """A title for the report, and what looks for problems."""

    title: str
    problems: Callable[[Built], Iterator[str]]

    def __str__(self) -> str:
        """The function's name, for a test's id."""
        return self.problems.__name__


PROOFS = (
    Proof("no build tool in it", no_build_tools),
    Proof("nothing else of the project, of the build or secret", nothing_foreign),
    Proof("a numeric user that owns nothing", numeric_user),
    Proof("labels, and the version that it says", labelled),
    Proof("exactly the lock's packages", exactly_the_lock),
    Proof(f"at most {LIMIT // MEBI} MiB on top of the base", small),
    Proof("every module loads, compiled beforehand", modules_load),
    Proof("says what is missing, with the right exit codes", answers),
    Proof("any other user", any_user),
    Proof("process 1, read-only but for /tmp", read_only),
)


def _run(built: Built, *words: str, python: bool = False, uid: int | None = None) -> inside.Result:
    program = built.program(*words, environment=NOTHING, uid=uid)
    if python:
        program = inside.replace(program, words=["/opt/agentpod/bin/python", *words])
    return inside.run(built.root, program, seconds=60)


def _ask(built: Built, script: str) -> str:
    done = _run(built, "-c", script, python=True)
    return (done.stdout if done.returncode == 0 else done.stderr).strip()


def _expect(built: Built, words: tuple[str, ...], code: int, says: str, uid: int | None = None) -> Iterator[str]:
    done = _run(built, *words, uid=uid)
    said = (done.stdout + done.stderr).strip()
    if done.returncode != code or says not in said:
        yield f"agentpod {' '.join(words)}: exit code {done.returncode} (not {code}?), words: {said[:400]}"
