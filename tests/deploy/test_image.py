"""The image: the Dockerfile's steps really run, in clean folders, and what comes out keeps its promises.

Without a container engine: `scripts/image` says how, and what that leaves open.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot import __version__
from sandbox.environment import Sandbox
from scripts.image import context, inside, proof
from scripts.image.base import VERSION
from scripts.image.build import Builder, Built, StepFailed
from scripts.image.contents import APP, SITE, packages, table
from scripts.image.dockerfile import DockerfileError, copy, exec_form, expand, instructions, parse
from scripts.image.proof import PROJECT, PROOFS, Proof
from tests.deploy.rendered import container
from tests.scenarios.talk import World

pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.timeout(600)]

FILE = parse((PROJECT / "Dockerfile").read_text())
IGNORED = context.read((PROJECT / ".dockerignore").read_text())


@pytest.fixture(scope="module")
def way() -> inside.Way:
    """How a folder becomes a root here: required in CI; elsewhere the tests are left out, which one line says."""
    try:
        return inside.way()
    except inside.CannotRun as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"the image's steps can't be run: {error}")
        pytest.skip(f"the image's steps are not covered: {error}")


@pytest.fixture(scope="module")
def built(way: inside.Way) -> Iterator[Built]:
    """The image, built once; not in pytest's own folders, which are kept."""
    with tempfile.TemporaryDirectory(prefix="agentpod-image-") as folder:
        yield Builder(PROJECT, Path(folder), {"REVISION": "0123abc"}).build()


@pytest.mark.parametrize("one", PROOFS, ids=str)
def test_what_comes_out_is_as_promised(built: Built, one: Proof) -> None:
    assert list(one.problems(built)) == []


@pytest.mark.parametrize(
    ("path", "text", "finds"),
    [
        (f"usr/local/lib/{VERSION}/site-packages/pip/__init__.py", "", proof.no_build_tools),
        (f"usr/local/lib/{VERSION}/ensurepip/_bundled/pip-24-py3-none-any.whl", "", proof.no_build_tools),
        (f"{SITE}/setuptools/__init__.py", "", proof.no_build_tools),
        ("usr/bin/gcc", "", proof.no_build_tools),
        ("usr/local/bin/python3-config", "", proof.no_build_tools),
        (f"{APP}/sandbox/__init__.py", "", proof.nothing_foreign),
        (f"{APP}/bot/tests/test_it.py", "", proof.nothing_foreign),
        (f"{APP}/bot/.env", "A=1", proof.nothing_foreign),
        (f"{SITE}/settings.txt", "xoxb-" + "1234567890-secret", proof.nothing_foreign),
        ("root/.cache/pip/wheel", "", proof.nothing_foreign),
        ("src/requirements.txt", "", proof.nothing_foreign),
        (f"{SITE}/leftpad-1.0.dist-info/METADATA", "Name: leftpad\nVersion: 1.0\n", proof.exactly_the_lock),
        (f"{APP}/bot/adapters/broken.py", "import leftpad", proof.modules_load),
    ],
)
def test_what_should_not_be_in_it_is_found(built: Built, path: str, text: str, finds: object) -> None:
    planted = built.root / path
    top = next(parent for parent in (planted, *planted.parents) if parent.parent.exists())
    planted.parent.mkdir(parents=True, exist_ok=True)
    try:
        planted.write_text(text)
        (one,) = [one for one in PROOFS if one.problems is finds]
        assert list(one.problems(built))
    finally:
        shutil.rmtree(top) if top.is_dir() else top.unlink()


def test_a_file_that_anybody_could_change_is_found(built: Built) -> None:
    file = built.root / APP / "LICENSE"
    file.chmod(0o666)
    try:
        assert list(proof.numeric_user(built)) == [f"/{APP}/LICENSE can be changed by others than root"]
    finally:
        file.chmod(0o644)


def test_another_version_of_a_package_is_found(built: Built) -> None:
    (folder,) = (built.root / SITE).glob("httpx-*.dist-info")
    metadata = (folder / "METADATA").read_text()
    (folder / "METADATA").write_text(metadata.replace("\nVersion: ", "\nVersion: 9.", 1))
    try:
        assert [problem.split(" is ")[0] for problem in proof.exactly_the_lock(built)] == ["httpx"]
    finally:
        (folder / "METADATA").write_text(metadata)


def test_its_contents_are_listed_by_size(built: Built) -> None:
    sizes = [package.total for package in packages(built.root)]
    assert sizes == sorted(sizes, reverse=True)
    assert packages(built.root)[0].name == "kubernetes"
    assert any("together" in line for line in table(built))


def test_build_arguments_become_labels(built: Built) -> None:
    labels = {name.rsplit(".", 1)[1]: value for name, value in built.labels.items()}
    assert (labels["revision"], labels["version"], labels["licenses"]) == ("0123abc", __version__, "MIT")
    assert labels["source"] == ""  # nobody said where it is from


def test_the_cluster_runs_it_as_the_image_says(built: Built) -> None:
    deployed = container("base")
    security = deployed["securityContext"]
    assert built.ids == (security["runAsUser"], security["runAsGroup"])
    assert built.ports == tuple(str(port["containerPort"]) for port in deployed["ports"])
    assert "command" not in deployed
    assert built.environment["HOME"] == next(v["value"] for v in deployed["env"] if v["name"] == "HOME")


@pytest_asyncio.fixture
async def world() -> AsyncIterator[Sandbox]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as house:
        yield house


async def test_it_answers_in_slack_and_ends_at_sigterm(built: Built, world: Sandbox, tmp_path: Path) -> None:
    mounted = built.root / "etc/agentpod"
    mounted.mkdir()
    ours = {name: value for name, value in world.env().items() if name.startswith(("AGENTPOD_", "KUBECONFIG"))}
    for name in ("AGENTPOD_CONFIG", "KUBECONFIG"):
        shutil.copy(ours[name], mounted / name)
        (mounted / name).chmod(0o644)
        ours[name] = f"/etc/agentpod/{name}"
    ours["AGENTPOD_LEDGER__URL"] = "sqlite+aiosqlite:////tmp/agentpod.db"
    log = tmp_path / "log"
    process = inside.start(built.root, built.program(environment=ours), log)
    try:
        await world.workspace.wait_connected(timeout=60)
        answer = await World(world, world.bot()).ask("version")
        assert __version__ in answer.text
        os.kill(inside.pid(process), signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0, log.read_text()
        assert log.read_text().rstrip().endswith("stopped")
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(mounted)


@pytest.fixture
def project(tmp_path: Path, way: inside.Way) -> Path:
    """A folder with only what the builder wants."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(PROJECT / "requirements.txt", folder)
    (folder / ".dockerignore").write_text("secret\n")
    (folder / "secret").write_text("x")
    (tmp_path / "work").mkdir()
    return folder


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("RUN echo it broke >&2; exit 3", "line 2: RUN: exit code 3\nit broke"),
        ("RUN gcc --version", "gcc: not found"),
        ("RUN test -e /work", "exit code 1"),
        ("COPY secret /", "secret is not there, or .dockerignore leaves it out"),
        ("COPY nothing /", "nothing is not there"),
        ("COPY --from=later /a /a", "there is no stage 'later' before it"),
        ('CMD ["a"]\nUSER bot\nRUN true', "USER bot should be numbers"),
    ],
)
def test_a_step_that_fails_fails_the_build_in_its_own_words(project: Path, step: str, says: str) -> None:
    (project / "Dockerfile").write_text(f"FROM python:3.11-slim-bookworm\n{step}\n")
    with pytest.raises((StepFailed, DockerfileError)) as caught:
        Builder(project, project.parent / "work").build()
    assert says in str(caught.value)


def test_a_base_without_a_stand_in_and_an_unknown_argument_are_refused(project: Path) -> None:
    (project / "Dockerfile").write_text("FROM alpine:3\nCMD []\n")
    with pytest.raises(DockerfileError, match="alpine:3"):
        Builder(project, project.parent / "work").build()
    with pytest.raises(DockerfileError, match="no ARG is called REVISON"):
        Builder(PROJECT, project.parent / "work", {"REVISON": "x"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FROM a\nADD x y", "line 2: ADD: is not understood here"),
        ("FROM a\nHEALTHCHECK CMD x", "HEALTHCHECK"),
        ("RUN x", "line 1: RUN: stands before the first FROM"),
        ("# syntax=docker/dockerfile:1\nFROM a", "parser directives"),
        ("FROM a\nRUN <<END", "here-documents"),
        ("FROM --platform=x a", "should be 'FROM image'"),
        ("FROM a\nRUN x \\", "ends in the middle"),
        ("FROM a\nUSER", "has nothing after it"),
        ("", "has no FROM"),
    ],
)
def test_what_is_not_understood_is_an_error_with_its_line(text: str, says: str) -> None:
    with pytest.raises(DockerfileError, match=says):
        parse(text)


def test_comments_and_continuations_are_read_as_docker_does() -> None:
    (_, run) = instructions("FROM a\nRUN one && \\\n# between\n\n  two\n")
    assert (run.line, run.value) == (2, "one && two")


def test_variables_are_put_in_and_modifiers_refused() -> None:
    assert expand("$A/${B}$C.", {"A": "1", "B": "2"}) == "1/2."
    with pytest.raises(DockerfileError):
        expand("${A:-1}", {})


def test_the_shell_form_and_unknown_flags_are_refused() -> None:
    (_, cmd, flagged) = instructions("FROM a\nCMD agentpod run\nCOPY --chown=1 a b")
    with pytest.raises(DockerfileError, match="exec form"):
        exec_form(cmd)
    with pytest.raises(DockerfileError, match="--chown=1"):
        copy(flagged, {})


@pytest.mark.parametrize(
    ("patterns", "path", "left_out"),
    [
        ("docs", "docs/a/b.md", True),
        ("docs", "a/docs", False),
        ("*.md", "README.md", True),
        ("*.md", "a/README.md", False),
        ("**/*.md", "a/b/README.md", True),
        ("**/*.py[cod]", "a/b.pyc", True),
        ("**/*.py[cod]", "a/b.py", False),
        ("*\n!bot", "bot/app.py", False),
        ("*\n!bot\n**/.*", "bot/.env", True),
        ("*\n!bot\n**/__pycache__", "bot/a/__pycache__/x.pyc", True),
        ("# docs\n\n", "docs", False),
    ],
)
def test_dockerignore_is_read_as_docker_does(patterns: str, path: str, left_out: bool) -> None:
    assert context.ignored(path, context.read(patterns)) is left_out


@pytest.mark.parametrize("step", [s for s in FILE.steps("COPY") if not s.value.startswith("--from")], ids=str)
def test_what_is_copied_is_there_and_not_left_out(step: object) -> None:
    assert all(list(context.files(PROJECT, source, IGNORED)) for source in copy(step, {}).sources)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", [".git/config", ".env", "bot/.env", "settings.yaml", "tests/a.py", "sandbox/a.py"]
)
def test_nothing_else_is_given_to_the_builder(path: str) -> None:
    assert context.ignored(path, IGNORED)


def test_the_base_is_pinned_and_the_same_everywhere() -> None:
    assert FILE.arguments == {"PYTHON_IMAGE": "python:3.11-slim-bookworm"}
    assert {stage.base for stage in FILE.stages} <= {"${PYTHON_IMAGE}", *(stage.name for stage in FILE.stages)}


def test_the_version_is_the_codes_own() -> None:
    versions = {s.value for s in FILE.steps("ARG") if s.value.startswith("VERSION")}
    assert versions == {f"VERSION={__version__}"}


def test_the_program_is_started_without_a_shell() -> None:
    (entrypoint,), (command,) = FILE.steps("ENTRYPOINT"), FILE.steps("CMD")
    assert exec_form(entrypoint) + exec_form(command) == ["agentpod", "run"]


def test_python_keeps_to_itself(built: Built) -> None:
    ours = {name for name, value in built.environment.items() if name.startswith("PYTHON") and value == "1"}
    assert ours == {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE", "PYTHONSAFEPATH"}


def test_hadolint_finds_nothing() -> None:
    found = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("hadolint is missing: it comes with requirements-dev.txt")
        pytest.skip("hadolint is missing: its rules are not covered (it comes with requirements-dev.txt)")
    done = subprocess.run(
        [found, "--no-color", PROJECT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
