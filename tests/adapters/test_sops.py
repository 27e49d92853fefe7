"""Decryption with the real sops: what it is given, what it finds out, and how its failures are said."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.adapters.sops import MAX_BYTES, Sops
from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.errors import AgentpodError, NotFound, Permanent, TimedOut
from tests.sops.build import CannotBuild, Programs, ensure

MANIFEST = """apiVersion: v1
kind: Secret
metadata: {name: agent-configs, namespace: secure-agent-pod}
stringData:
    kubeconfig: |
        apiVersion: v1
        kind: Config
    talosconfig: "hunter2-plain-words"
"""


@pytest.fixture(scope="session")
def programs() -> Programs:
    """The real programs, built once."""
    try:
        return ensure()
    except CannotBuild as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"not covered: {error}")


@dataclass(frozen=True)
class Place:
    """A folder with a key and files that are encrypted for it."""

    programs: Programs
    folder: Path

    @property
    def spec(self) -> ConfigsRotateSpec:
        return self.of(self.folder / "configs.yaml")

    def of(self, path: Path, **more: str) -> ConfigsRotateSpec:
        given = {
            "encrypted_file": str(path),
            "key_file": str(self.folder / "key"),
            "sops": str(self.programs.sops),
        }
        return ConfigsRotateSpec.model_validate(given | more)

    def key(self, name: str = "key") -> str:
        """Make a key; returns its public part."""
        path = self.folder / name
        subprocess.run([self.programs.age_keygen, "-o", path], check=True, capture_output=True)
        path.chmod(0o600)
        said = subprocess.run([self.programs.age_keygen, "-y", path], check=True, capture_output=True, text=True)
        return said.stdout.strip()

    def encrypt(self, text: str, recipient: str, *more: str, name: str = "configs.yaml") -> Path:
        """Encrypt a text into a file."""
        plain = self.folder / f"plain-{name}"
        plain.write_text(text)
        argv = [str(self.programs.sops), "--encrypt", "--age", recipient, *more, str(plain)]
        done = subprocess.run(argv, check=True, capture_output=True)
        path = self.folder / name
        path.write_bytes(done.stdout)
        return path


@pytest.fixture
def place(programs: Programs, tmp_path: Path) -> Place:
    return Place(programs, tmp_path)


async def refused(spec: ConfigsRotateSpec, kind: type[AgentpodError] = Permanent, **how: float) -> str:
    with pytest.raises(kind) as raised:
        await Sops(**how).decrypt(spec)
    text = f"{raised.value.message} {raised.value.remedy}"
    assert "hunter2" not in text
    return text


@pytest.mark.parametrize("more", [(), ("--encrypted-regex", "^(data|stringData)$")])
async def test_a_manifest_is_decrypted(place: Place, more: tuple[str, ...]) -> None:
    path = place.encrypt(MANIFEST, place.key(), *more)
    found = await Sops().decrypt(place.spec)
    assert found.document["stringData"]["kubeconfig"] == "apiVersion: v1\nkind: Config\n"
    assert found.document["metadata"] == {"name": "agent-configs", "namespace": "secure-agent-pod"}
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == await Sops().digest(place.spec)
    assert "hunter2" not in repr(found)


async def test_json_is_decrypted(place: Place) -> None:
    path = place.encrypt(json.dumps({"a": "hunter2", "b": ""}), place.key(), name="configs.json")
    assert (await Sops().decrypt(place.of(path))).document == {"a": "hunter2", "b": ""}


async def test_the_wrong_key_is_named_with_the_right_ones_public_part(place: Place) -> None:
    wanted = place.key()
    place.encrypt(MANIFEST, wanted)
    place.key("other")
    said = await refused(place.of(place.folder / "configs.yaml", key_file=str(place.folder / "other")))
    assert "does not decrypt configs.yaml: it is the wrong one." in said
    assert f"encrypted for {wanted}" in said


async def test_a_file_that_is_no_key_is_said(place: Place) -> None:
    place.encrypt(MANIFEST, place.key())
    (place.folder / "key").write_text("hunter2\n")
    assert "holds no age key" in await refused(place.spec)


async def test_a_plain_text_file_is_refused_loudly(place: Place) -> None:
    place.key()
    (place.folder / "configs.yaml").write_text(MANIFEST)
    said = await refused(place.spec)
    assert said.startswith("Treat the values in configs.yaml as leaked: it is NOT ENCRYPTED, so it is not used.")


async def test_a_value_in_plain_text_is_refused_loudly(place: Place) -> None:
    place.encrypt(MANIFEST, place.key(), "--encrypted-regex", "^kubeconfig$")
    assert "It is encrypted only in part: talosconfig is in PLAIN TEXT." in await refused(place.spec)


async def test_a_changed_file_is_refused(place: Place) -> None:
    path = place.encrypt(MANIFEST, place.key(), "--encrypted-regex", "^(data|stringData)$")
    path.write_text(path.read_text().replace("name: agent-configs", "name: agent-other"))
    assert "was changed after it was encrypted" in await refused(place.spec)


async def test_a_damaged_value_is_refused(place: Place) -> None:
    path = place.encrypt(MANIFEST, place.key())
    path.write_text(path.read_text().replace("data:", "data:AAAA", 1))
    assert "is damaged" in await refused(place.spec)


async def test_several_documents_are_refused(place: Place) -> None:
    place.encrypt("a: hunter2\n---\na: other\n", place.key())
    assert "is not one document of YAML" in await refused(place.spec)


VALUES = ["!!bool hunter2", "!!timestamp hunter2", "!!int hunter2", "!!null hunter2", "!hunter2", "*hunter2"]
VALUES += ["!!int ''", "!!float ''", "ENC[a]\n  token: hunter2", "[" * 60_000, "1" + ":1" * 500_000]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
async def test_what_yaml_can_not_read_is_refused_without_the_value(place: Place, value: str) -> None:
    place.key()
    (place.folder / "configs.yaml").write_text(f"kind: Secret\nstringData:\n  token: {value}\nsops: {{mac: a}}\n")
    assert "configs.yaml is not one document of YAML: see line" in await refused(place.spec)
    [(said, _)] = Sops().problems(place.spec)
    assert said.startswith("configs.yaml is not one document of YAML")


async def test_aliases_that_unfold_without_end_are_refused(place: Place) -> None:
    place.key()
    more = (f"a{at}: &a{at} {{<<: [*a{at - 1}, *a{at - 1}]}}" for at in range(1, 40))
    (place.folder / "configs.yaml").write_text("\n".join(["a0: &a0 {k: v}", *more]))
    assert "is not one document of YAML" in await refused(place.spec)


async def test_json_with_one_name_twice_is_refused(place: Place) -> None:
    place.key()
    path = place.folder / "configs.json"
    path.write_text('{"a": "hunter2", "a": "ENC[x]", "sops": {"mac": "x", "age": [{"recipient": "age1"}]}}')
    assert "configs.json is not one document of JSON." in await refused(place.of(path))


async def test_names_that_yaml_takes_for_something_else_are_decrypted(place: Place) -> None:
    place.encrypt('"on": hunter2\n"no": hunter2\n', place.key())
    path = place.folder / "configs.yaml"
    path.write_text(path.read_text().replace('"on"', "on").replace('"no"', "no"))
    assert (await Sops().decrypt(place.spec)).document == {"on": "hunter2", "no": "hunter2"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"- a\n", b"{", b"a: [" * 5000, b"a: &a [*a]\n"])
async def test_what_is_no_such_file_is_refused(place: Place, content: bytes) -> None:
    place.key()
    (place.folder / "configs.yaml").write_bytes(content)
    assert "configs.yaml" in await refused(place.spec)


async def test_a_file_for_another_kind_of_key_is_refused(place: Place) -> None:
    path = place.encrypt(MANIFEST, place.key())
    path.write_text(path.read_text().replace("    age:\n", "    pgp:\n"))
    assert "is not encrypted for an age key" in await refused(place.spec)


async def test_what_is_missing_is_named_before_anything_runs(place: Place) -> None:
    path = place.encrypt(MANIFEST, place.key())
    none = str(place.folder / "none")
    assert f"There is no program {none}." in await refused(place.of(path, sops=none))
    assert f"There is no key file {none}." in await refused(place.of(path, key_file=none))
    assert f"There is no file {none}.yaml." in await refused(place.of(Path(f"{none}.yaml")))
    with pytest.raises(NotFound):
        await Sops().digest(place.of(Path(f"{none}.yaml")))
    assert "is not executable" in await refused(place.of(path, sops=str(place.folder / "key")))
    (place.folder / "key").chmod(0o644)
    assert "Everybody may read the key file" in await refused(place.spec)


async def test_what_is_wrong_is_found_without_running_anything(place: Place) -> None:
    path = place.encrypt(MANIFEST, place.key())
    assert Sops().problems(place.spec) == ()
    assert [said for said, _ in Sops().problems(place.of(path, sops="/none", key_file="/none"))] == [
        "There is no program /none.",
        "There is no key file /none.",
    ]
    path.write_text(MANIFEST)
    [(said, remedy)] = Sops().problems(place.spec)
    assert said == "Treat the values in configs.yaml as leaked: it is NOT ENCRYPTED, so it is not used."
    assert remedy.startswith("Make new ones")


async def test_a_file_that_is_too_large_is_not_read(place: Place) -> None:
    place.key()
    (place.folder / "configs.yaml").write_bytes(b"a" * (MAX_BYTES + 1))
    assert "has more than 4 MiB" in await refused(place.spec)
    with pytest.raises(Permanent):
        await Sops().digest(place.spec)


async def test_a_secret_of_a_mebibyte_is_decrypted(place: Place) -> None:
    content = base64.b64encode(os.urandom((1 << 20) - 10)).decode()
    place.encrypt(f"apiVersion: v1\nkind: Secret\ndata:\n  a: {content}\n", place.key())
    assert (await Sops().decrypt(place.spec)).document["data"]["a"] == content


def pretended(place: Place, body: str) -> ConfigsRotateSpec:
    """A program in the place of sops, and a file for it."""
    path = place.encrypt(MANIFEST, place.key())
    program = place.folder / "program"
    program.write_text(f"#!{sys.executable}\nimport os, subprocess, sys, time\n{body}\n")
    program.chmod(0o755)
    return place.of(path, sops=str(program))


async def test_it_gets_nothing_but_the_file_and_the_keys_path(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTPOD_SLACK__BOT_TOKEN", "xoxb-hunter2")
    said = "sys.stdin.buffer.read(); import json; env = dict(os.environ); env.pop('LC_CTYPE', None)\n"
    spec = pretended(place, f"{said}json.dump([env, sys.argv[1:], os.getcwd()], sys.stdout)")
    environment, argv, folder = (await Sops().decrypt(spec)).document
    assert environment == {"SOPS_AGE_KEY_FILE": spec.key_file, "HOME": "/nonexistent", "PATH": ""}
    assert argv == ["--decrypt", "--input-type", "yaml", "--output-type", "json", "/dev/stdin"]
    assert folder == "/"


def runs(pid: int) -> bool:
    """Whether the process runs; one that has ended may wait for its parent."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().split()[2] != "Z"


async def test_a_program_that_hangs_is_killed_with_what_it_started(place: Place) -> None:
    pid = place.folder / "pid"
    start = (
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\nopen({str(pid)!r}, 'w')"
    )
    spec = pretended(place, f"{start}.write(str(child.pid))\ntime.sleep(60)")
    assert "did not decrypt configs.yaml in 2 s" in await refused(spec, TimedOut, seconds=2.0)
    assert not runs(int(pid.read_text()))


async def test_more_output_than_a_secret_can_hold_is_not_kept(place: Place) -> None:
    spec = pretended(place, f"sys.stdout.write('a' * {MAX_BYTES + 1})")
    assert "decrypts to more than 4 MiB" in await refused(spec)


async def test_output_that_is_nested_too_deeply_is_refused(place: Place) -> None:
    assert "something other than JSON" in await refused(pretended(place, "sys.stdout.write('[' * 200_000)"))


@pytest.mark.parametrize("printed", ["", "hunter2", '{"a": "hunter2'])
async def test_output_that_is_no_json_is_not_quoted(place: Place, printed: str) -> None:
    assert "something other than JSON" in await refused(pretended(place, f"sys.stdout.write({printed!r})"))


@pytest.mark.parametrize("code", [1, 3, 24, 51, 128, -9])
async def test_what_it_says_on_stderr_is_not_quoted(place: Place, code: int) -> None:
    end = f"sys.exit({code})" if code > 0 else f"os.kill(os.getpid(), {-code})"
    words_ = "cannot unmarshal hunter2 into Go value, ghp_a1B2 <!channel> "
    spec = pretended(place, f"sys.stderr.write({words_!r} * 500); sys.stderr.flush(); {end}")
    said = await refused(spec)
    assert not any(word in said for word in ("unmarshal", "ghp_", "channel"))


async def test_a_failure_of_no_known_kind_says_how_to_see_its_words(place: Place) -> None:
    said = await refused(pretended(place, "sys.stderr.write('hunter2'); sys.exit(3)"))
    assert said.startswith("sops could not decrypt configs.yaml: it ended with exit code 3. ")
    key, program, path = (place.folder / name for name in ("key", "program", "configs.yaml"))
    assert said.endswith(f"SOPS_AGE_KEY_FILE={key} {program} --decrypt --input-type yaml {path} > /dev/null")


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
async def test_what_is_no_regular_file_is_refused_at_once(place: Place, kind: str) -> None:
    place.encrypt(MANIFEST, place.key())
    path = place.folder / f"{kind}.yaml"
    make = {"fifo": os.mkfifo, "device": lambda it: it.symlink_to("/dev/zero"), "folder": Path.mkdir}
    make[kind](path)
    spec = place.of(path, key_file=str(place.folder / "key"))
    assert f"{path} is not a regular file." in await asyncio.wait_for(refused(spec), 20)
    with pytest.raises(Permanent, match="is not a regular file"):
        await asyncio.wait_for(Sops().digest(spec), 20)
    assert [text for text, _ in Sops().problems(spec)] == [f"{path} is not a regular file."]
