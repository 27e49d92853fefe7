"""The image: the Dockerfile's steps really run, in clean folders, and the result passes all proofs.

No container engine is needed: `scripts/image` says how, and what that can't test.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio

from bot import __version__
from sandbox.environment import Sandbox
from scripts.image import container as engine
from scripts.image import proofs
from scripts.image.build import PROJECT, Builder, BuildFailed, Image, ignored, instructions
from scripts.image.proofs import APP, LIBRARY, PROOFS, SITE, Proof
from tests.deploy.rendered import container
from tests.scenarios.talk import World

pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.timeout(600)]

DOCKERFILE = (PROJECT / "Dockerfile").read_text()
STEPS = list(instructions(DOCKERFILE))


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    """The builder: required in CI, else its tests are skipped. Not in pytest's folders, which are kept."""
    with tempfile.TemporaryDirectory(prefix="agentpod-image-") as folder:
        try:
            yield Builder(Path(folder), {"REVISION": "0123abc"})
        except engine.CannotRun as error:
            if os.environ.get("CI") == "true":
                pytest.fail(f"the image's steps can't be run: {error}")
            pytest.skip(f"the image's steps are not covered: {error}")


@pytest.fixture(scope="module")
def image(builder: Builder) -> Image:
    """The image, built once."""
    return builder.build(DOCKERFILE.replace("FROM ${PYTHON_IMAGE}\n", "FROM ${PYTHON_IMAGE} AS image\n"))


@pytest.mark.parametrize("proof", PROOFS)
def test_what_comes_out_is_as_promised(image: Image, proof: Proof) -> None:
    assert list(proof(image)) == []


BROKEN = [
    [
        ("RUN touch /usr/bin/gcc", proofs.no_build_tools, "/usr/bin/gcc is there"),
        (f"RUN mkdir -p /{LIBRARY}/ensurepip", proofs.no_build_tools, f"/{LIBRARY}/ensurepip is there"),
        (f"RUN mkdir -p /{LIBRARY}/site-packages/pip", proofs.no_build_tools, "/site-packages/pip is there"),
        (f"RUN mkdir /{SITE}/setuptools", proofs.no_build_tools, f"/{SITE}/setuptools is there"),
        ("RUN touch /usr/local/bin/python3-config", proofs.no_build_tools, "/bin/python3-config is there"),
        (f"COPY LICENSE /{APP}/sandbox/", proofs.nothing_foreign, "has LICENSE, bot, commands, sandbox"),
        (f"COPY LICENSE /{APP}/bot/tests/", proofs.nothing_foreign, "/bot/tests/LICENSE does not belong there"),
        (f"COPY LICENSE /{APP}/bot/.env", proofs.nothing_foreign, f"/{APP}/bot/.env does not belong there"),
        ("COPY requirements.txt /src/", proofs.nothing_foreign, "/src/requirements.txt was left behind"),
        ("COPY LICENSE /root/.cache/", proofs.nothing_foreign, "/root/.cache/LICENSE was left behind"),
        (f"RUN echo xoxb-1234567890 > /{SITE}/a", proofs.nothing_foreign, f"/{SITE}/a has what looks like a"),
        (f"RUN echo WORK > /{SITE}/b", proofs.nothing_foreign, f"/{SITE}/b has a path of the machine"),
        (f"RUN chmod 666 /{APP}/LICENSE", proofs.no_owner, f"/{APP}/LICENSE can be changed by others than root"),
        ("RUN touch /c && chown 10001 /c || chmod 666 /c", proofs.no_owner, "/c can be changed by others"),
        ("COPY LICENSE /d", proofs.no_owner, "/d can't be read by everybody"),
        (f"RUN mkdir /{SITE}/leftpad-1.0.dist-info", proofs.exactly_the_lock, "leftpad is 1.0, and the lock has"),
        (f"RUN rm -r /{SITE}/httpx-*.dist-info", proofs.exactly_the_lock, "httpx is missing, and the lock has"),
        ("RUN python -c \"open('/e', 'w').truncate(300 << 20)\"", proofs.small, "the image adds 300 MiB"),
        (f"RUN echo import leftpad > /{APP}/bot/f.py", proofs.modules_load, "bot.f does not load: No module"),
        (f"RUN rm -r /{APP}/bot/ports/__pycache__", proofs.modules_load, "bot.ports is not compiled"),
    ],
    [
        ("LABEL org.opencontainers.image.version=9", proofs.described, "agentpod --version: exit code 0"),
        ("ENV PYTHONSAFEPATH=", proofs.described, "PYTHONSAFEPATH is not 1"),
        ("ENV HOME=/root", proofs.read_only, "0 /root"),
        ('CMD ["check"]', proofs.answers, "agentpod : exit code 1 (not 2?)"),
        ("USER 0:0", proofs.no_owner, "USER 0:0 is root"),
    ],
    [
        (f"RUN chmod 0 /{APP}/commands", proofs.any_user, "agentpod check: exit code 2"),
    ],
]
"""Steps at the Dockerfile's end that break a requirement, by image, and the problem that a proof reports."""


@pytest.fixture(scope="module")
def broken(builder: Builder, image: Image) -> Callable[[int, Proof], list[str]]:
    """The problems that a proof finds in one of the broken images."""

    @cache
    def built(number: int) -> Image:
        steps = sorted(
            (step for step, _, _ in BROKEN[number]), key=lambda step: not step.startswith(("RUN", "COPY"))
        )
        changing = [step.replace("WORK", str(image.root.parent)) for step in steps if step[:4] in ("RUN ", "COPY")]
        rest = steps[len(changing) :]
        return builder.build("\n".join(["FROM image", "USER 0:0", *changing, "USER 10001:10001", *rest]))

    return cache(lambda number, proof: list(proof(built(number))))


@pytest.mark.parametrize(
    ("number", "step", "proof", "says"),
    [pytest.param(number, *one, id=one[0]) for number, group in enumerate(BROKEN) for one in group],
)
def test_a_broken_promise_is_found(
    broken: Callable[[int, Proof], list[str]], number: int, step: str, proof: Proof, says: str
) -> None:
    assert says in "\n".join(broken(number, proof))


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("FROM python:3.11-slim\nRUN echo it broke >&2; exit 3", "exit code 3\nit broke"),
        ("FROM python:3.11-slim\nRUN gcc --version", "gcc: not found"),
        (f"FROM python:3.11-slim\nRUN test -e {PROJECT}", "exit code 1"),
        ("FROM python:3.11-slim\nCOPY README.md /", "README.md is not there, or .dockerignore leaves it out"),
        ("FROM python:3.11-slim\nCOPY --from=later /a /a", "COPY --from=later /a /a: 'later'"),
        ("FROM python:3.11-slim\nUSER bot\nRUN true", "invalid literal for int"),
        ("FROM python:3.11-slim\nCMD agentpod run", "only without a shell between"),
        ("FROM python:3.11-slim\nHEALTHCHECK CMD true", "is not understood here"),
        ("FROM alpine:3", "only python:3.11-slim has a stand-in here"),
    ],
)
def test_a_step_that_fails_fails_the_build_in_its_own_words(builder: Builder, steps: str, says: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        builder.build(steps)
    assert says in str(caught.value)


def test_a_version_other_than_the_codes_is_refused(
    builder: Builder, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(builder.given, "VERSION", "9.9.9")
    with pytest.raises(BuildFailed, match=f"VERSION is 9.9.9, but the code is agentpod {__version__}"):
        builder.build(DOCKERFILE[DOCKERFILE.index("FROM dependencies AS code") :])


def test_build_arguments_become_labels(image: Image) -> None:
    labels = {name.rsplit(".", 1)[1]: value for name, value in image.labels.items()}
    assert (labels["revision"], labels["version"], labels["licenses"]) == ("0123abc", __version__, "MIT")
    assert labels["source"] == ""  # the source wasn't given


def test_the_dependencies_are_a_layer_of_their_own(image: Image) -> None:
    (_, _), (_, dependencies), (_, code) = image.layers
    assert code < 12 * proofs.MEBI < dependencies


def test_the_cluster_runs_it_as_the_image_says(image: Image) -> None:
    deployed = container("base")
    security = deployed["securityContext"]
    assert image.ids == (security["runAsUser"], security["runAsGroup"])
    assert image.ports == [str(port["containerPort"]) for port in deployed["ports"]]
    assert image.entrypoint + image.command == ["agentpod", "run"]
    assert "command" not in deployed
    assert image.environment["HOME"] == next(v["value"] for v in deployed["env"] if v["name"] == "HOME")


@pytest_asyncio.fixture
async def world() -> AsyncIterator[Sandbox]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as house:
        yield house


async def test_it_answers_in_slack_and_ends_at_sigterm(image: Image, world: Sandbox, tmp_path: Path) -> None:
    mounted = image.root / "etc/agentpod"
    mounted.mkdir()
    ours = {name: value for name, value in world.env().items() if name.startswith(("AGENTPOD_", "KUBECONFIG"))}
    for name in ("AGENTPOD_CONFIG", "KUBECONFIG"):
        shutil.copy(ours[name], mounted / name)
        (mounted / name).chmod(0o644)
        ours[name] = f"/etc/agentpod/{name}"
    ours["AGENTPOD_LEDGER__URL"] = "sqlite+aiosqlite:////tmp/agentpod.db"
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *proofs.started(image, **ours), env=engine.OUTSIDE, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    try:
        await world.workspace.wait_connected(timeout=60)
        answer = await World(world, world.bot()).ask("version")
        assert __version__ in answer.text
        os.kill(engine.inner_pid(process.pid), signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0, log.read_text()
        assert log.read_text().rstrip().endswith("stopped")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        shutil.rmtree(mounted)


@pytest.mark.parametrize(
    ("patterns", "path", "left_out"),
    [
        ("docs", "docs/a/b.md", True),
        ("docs", "a/docs", False),
        ("*.md", "a/README.md", False),
        ("**/*.md", "a/b/README.md", True),
        ("**/*.py[cod]", "a/b.pyc", True),
        ("**/*.py[cod]", "a/b.py", False),
        ("*\n!bot", "bot/app.py", False),
        ("*\n!bot\n**/.*", "bot/.env", True),
        ("# docs\n\n", "docs", False),
    ],
)
def test_dockerignore_is_read_as_docker_does(patterns: str, path: str, left_out: bool) -> None:
    assert ignored(path, patterns.splitlines()) is left_out


@pytest.mark.parametrize("path", [".git/config", "bot/.env", "settings.yaml", "tests/a.py", "sandbox/a.py"])
def test_nothing_else_is_given_to_the_builder(path: str) -> None:
    assert ignored(path, (PROJECT / ".dockerignore").read_text().splitlines())


def test_the_base_is_pinned_and_the_same_everywhere() -> None:
    assert STEPS[0] == ("ARG", "PYTHON_IMAGE=python:3.11-slim-bookworm")
    bases = [value for name, value in STEPS if name == "FROM"]
    assert bases == ["${PYTHON_IMAGE} AS dependencies", "dependencies AS code", "${PYTHON_IMAGE}"]


def test_only_wheels_with_the_locks_hashes_are_installed_and_no_frontend_is_fetched() -> None:
    (install,) = [value for name, value in STEPS if name == "RUN" and "pip" in value and "install" in value]
    assert "--only-binary :all:" in install
    assert "--require-hashes -r requirements.txt" in install
    assert not re.search(r"^#\s*syntax\s*=", DOCKERFILE, re.MULTILINE)


def test_hadolint_finds_nothing() -> None:
    found = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("hadolint is missing: it comes with requirements-dev.txt")
        pytest.skip("hadolint is missing: its rules are not covered (it comes with requirements-dev.txt)")
    done = subprocess.run([found, "--no-color", PROJECT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
