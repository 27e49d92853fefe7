"""Requirements of the image; each proof returns the problems that it found, in words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from subprocess import CompletedProcess

from scripts.image import container
from scripts.image.base import VERSION
from scripts.image.build import PROJECT, Image, files

AGENTPOD = "opt/agentpod"
SITE = f"{AGENTPOD}/lib/{VERSION}/site-packages"
APP = f"{AGENTPOD}/app"
LIBRARY = f"usr/local/lib/{VERSION}"
MEBI = 1024 * 1024
LIMIT = 265
"""The MiB that the image may add to its base; most of it is the Kubernetes client and CEL."""
LABELS = ("title", "description", "licenses", "version", "revision", "created", "source")
PYTHON = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE", "PYTHONSAFEPATH")
BUILD_TOOLS = re.compile(
    r"(pip3?|setuptools|wheel|ensurepip|venv|distutils|lib2to3|pkg_resources|2to3|gcc|cc|[cg]\+\+|ld|as|c?make|git|uv"
    r"|cargo|rustc|go|node|npm|.*\.(whl|a|h|pxd)|Makefile|config-3.*|.*-config)(\.py)?"
)
_SECRET = re.compile(rb"xox[abeprs]-\d{6}|xapp-\d-[A-Z0-9]{6}|-----BEGIN [A-Z ]*PRIVATE KEY-----\n")
_MODULES = """
import importlib, os, pkgutil, sys, warnings
warnings.simplefilter("error")
import bot.__main__, commands
for package in (bot, commands):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            print(f"{module.name} does not load: {error}")
for name, module in sorted(sys.modules.items()):
    cached = getattr(module, "__cached__", None)
    if cached and not os.path.exists(cached):
        print(f"{name} is not compiled")
"""
_STATE = """
import os
open("/tmp/x", "w")
writable = [path for path in ("/", "/opt/agentpod", "/usr") if os.access(path, os.W_OK)]
print(os.getpid(), os.getuid(), os.path.expanduser("~"), *writable)
"""


def started(image: Image, *words: str, uid: int = 0, **environment: str) -> list[str]:
    """The command that starts a container as a cluster does; arguments override `CMD`, `USER` and `ENV`."""
    program = [*image.entrypoint, *(words or image.command)]
    user = (uid, uid) if uid else image.ids
    return container.command(image.root, program, image.environment | environment, user, image.folder, True)


def no_build_tools(image: Image) -> Iterator[str]:
    """nothing that installs, compiles or builds, and nothing that only these need"""
    for pattern in (f"{LIBRARY}/**/*", f"{AGENTPOD}/bin/*", f"{SITE}/*", "usr/**/bin/*"):
        for path in image.root.glob(pattern):
            if BUILD_TOOLS.fullmatch(path.name):
                yield f"/{path.relative_to(image.root)} is there"


_DATA = {"shipped": (".yaml",), "command_line": (".bash", ".zsh", ".fish", ".walk")}
"""By folder, what is there beside code: the shipped runbooks, and the templates of the completion scripts."""


def nothing_foreign(image: Image) -> Iterator[str]:
    """of the project only bot, commands with what they read, and the licence; of the build nothing; no secret"""
    tops = sorted(path.name for path in (image.root / APP).iterdir())
    if tops != ["LICENSE", "bot", "commands"]:
        yield f"/{APP} has {', '.join(tops)}"
    for path in files(image.root / APP):
        known = ("", ".py", ".pyc", *_DATA.get(path.parent.name, ()))
        if "tests" in path.parts or path.name.startswith(".") or path.suffix not in known:
            yield f"/{path.relative_to(image.root)} does not belong there"
    for folder in ("src", "root", "tmp", "wheels"):
        yield from (f"/{path.relative_to(image.root)} was left behind" for path in files(image.root / folder))
    for path in files(image.root / AGENTPOD):
        content = b"" if path.is_symlink() else path.read_bytes()
        if _SECRET.search(content):
            yield f"/{path.relative_to(image.root)} has what looks like a secret"
        if bytes(image.root.parent) in content:
            yield f"/{path.relative_to(image.root)} has a path of the machine that built it"


def no_owner(image: Image) -> Iterator[str]:
    """a numeric user that is not root; everything is root's, and readable by everybody"""
    if 0 in image.ids:
        yield f"USER {image.user} is root"
    for path in files(image.root):
        known = path.lstat()
        if known.st_uid != os.geteuid() or (not path.is_symlink() and known.st_mode & 0o022):
            yield f"/{path.relative_to(image.root)} can be changed by others than root"
        if not known.st_mode & 0o004:
            yield f"/{path.relative_to(image.root)} can't be read by everybody"


def described(image: Image) -> Iterator[str]:
    """labels of the OCI's specification, the version that it says, and Python's settings"""
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image.labels.items()}
    yield from (f"the label {name} is missing" for name in LABELS if name not in labels)
    yield from _expect(image, ("--version",), 0, f"agentpod {labels.get('version')}\n")
    yield from (f"{name} is not 1" for name in PYTHON if image.environment.get(name) != "1")


def exactly_the_lock(image: Image) -> Iterator[str]:
    """every package of the lock in its version, and no other"""
    lock = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    wanted = dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", lock, re.MULTILINE))
    there = {}
    for folder in (image.root / SITE).glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        there[re.sub(r"[-_.]+", "-", name).lower()] = version
    for name in sorted(wanted.keys() | there.keys()):
        if wanted.get(name) != there.get(name):
            yield f"{name} is {there.get(name, 'missing')}, and the lock has {wanted.get(name, 'none')}"


def small(image: Image) -> Iterator[str]:
    """not larger than it may be"""
    total = sum(size for _, size in image.layers) / MEBI
    if total > LIMIT:
        yield f"the image adds {total:.0f} MiB to its base, more than {LIMIT}"


def modules_load(image: Image) -> Iterator[str]:
    """every module loads, without a warning, and all that they load is compiled beforehand"""
    yield from _python(image, _MODULES).splitlines()


def answers(image: Image) -> Iterator[str]:
    """says what is missing, with the right exit codes, before anybody has set anything"""
    yield from _expect(image, (), 2, "slack.bot_token is not set: set AGENTPOD_SLACK__BOT_TOKEN")
    yield from _expect(image, ("run",), 2, "slack.app_token is not set: set AGENTPOD_SLACK__APP_TOKEN")
    yield from _expect(image, ("check",), 1, "slack.bot_token is not set")
    yield from _expect(image, ("help",), 0, "agentpod help GROUP says what its commands do")
    yield from _expect(image, ("sandbox",), 2, "The sandbox is not part of this installation.")


def any_user(image: Image) -> Iterator[str]:
    """another `runAsUser`, such as OpenShift chooses, can run it"""
    yield from _expect(image, ("--version",), 0, "agentpod ", uid=54321)
    yield from _expect(image, ("check",), 1, "slack.bot_token is not set", uid=54321)


def read_only(image: Image) -> Iterator[str]:
    """process 1, its home /tmp, where alone it can write"""
    said = _python(image, _STATE).strip()
    process = r"\d+" if container.way() == container.CHROOT else "1"
    if not re.fullmatch(rf"{process} {image.ids[0]} /tmp", said):
        yield f"process, user, home, other places to write: {said}"


Proof = Callable[[Image], Iterator[str]]
PROOFS: list[Proof] = [no_build_tools, nothing_foreign, no_owner, described, exactly_the_lock, small]
PROOFS += [modules_load, answers, any_user, read_only]


def _run(image: Image, *words: str, uid: int = 0) -> CompletedProcess[str]:
    # There is no token and no cluster, and nothing listens on this port: nothing outside this machine is called.
    return container.run(started(image, *words, uid=uid, AGENTPOD_PUSHGATEWAY__URL="http://127.0.0.1:9"), 60)


def _python(image: Image, script: str) -> str:
    done = _run(replace(image, entrypoint=["/opt/agentpod/bin/python", "-c", script], command=[]))
    return done.stdout + done.stderr


def _expect(image: Image, words: tuple[str, ...], code: int, says: str, uid: int = 0) -> Iterator[str]:
    done = _run(image, *words, uid=uid)
    said = done.stdout + done.stderr
    if done.returncode != code or says not in said:
        yield f"agentpod {' '.join(words)}: exit code {done.returncode} (not {code}?), words: {said[:400]}"
