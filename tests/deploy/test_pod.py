"""The bot's pod: its security, its resources, and valid settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from bot import __version__
from bot.adapters.metrics import Metrics, OpsServer
from bot.app import DRAIN_SECONDS
from bot.errors import SettingsError
from bot.settings.loader import Loaded, load
from tests.deploy.pod_security import WEAKENINGS, Weakening, violations
from tests.deploy.rendered import WITH_THE_BOT, Object, container, documents, pick, pod

Start = Callable[..., Loaded]

pytestmark = pytest.mark.parametrize("folder", WITH_THE_BOT)
SEVERAL = ("overlays/replicas",)
"""The overlay in which several bots share an external database."""


def test_the_pod_passes_the_restricted_level(folder: str) -> None:
    assert violations(pod(folder)["spec"]) == []


@pytest.mark.parametrize("weakening", WEAKENINGS, ids=str)
def test_every_weakening_of_the_pod_is_found(folder: str, weakening: Weakening) -> None:
    assert violations(weakening.of(pod(folder)["spec"]))


def test_nothing_but_the_ledger_and_scratch_space_can_be_written(folder: str) -> None:
    assert container(folder)["securityContext"]["readOnlyRootFilesystem"] is True
    writable = {m["name"]: m["mountPath"] for m in container(folder)["volumeMounts"] if not m.get("readOnly")}
    ledger = {} if folder in SEVERAL else {"ledger": "/var/lib/agentpod"}
    assert writable == {**ledger, "tmp": "/tmp"}  # noqa: S108 - in the container


def test_the_pod_has_resource_requests_and_limits(folder: str) -> None:
    resources = container(folder)["resources"]
    for kind in ("requests", "limits"):
        assert set(resources[kind]) == {"cpu", "memory", "ephemeral-storage"}
    volumes = pod(folder)["spec"]["volumes"]
    assert all("sizeLimit" in v["emptyDir"] for v in volumes if "emptyDir" in v)


def test_one_replica_is_replaced_and_never_doubled(folder: str) -> None:
    if folder in SEVERAL:
        return  # tested in test_replicas.py
    spec = pick(folder, "Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert pick(folder, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"]


async def test_the_probes_use_paths_that_the_ops_port_serves(folder: str) -> None:
    one = container(folder)
    server = OpsServer(Metrics(__version__), list)
    port = await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            for probe, path in (("startup", "/healthz"), ("liveness", "/healthz"), ("readiness", "/readyz")):
                assert one[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "ops"}
                async with session.get(path) as answer:
                    assert answer.status == 200
    finally:
        await server.stop()


def test_the_bot_has_a_minute_to_start_and_time_to_stop(folder: str) -> None:
    startup = container(folder)["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 60
    assert pod(folder)["spec"]["terminationGracePeriodSeconds"] >= DRAIN_SECONDS + 15


def test_the_cause_of_termination_is_visible_without_the_log(folder: str) -> None:
    assert container(folder)["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_the_version_is_the_codes_own(folder: str) -> None:
    assert pod(folder)["metadata"]["labels"]["app.kubernetes.io/version"] == __version__
    assert container(folder)["image"].rsplit(":", 1)[1] == __version__


def test_the_labels_are_the_recommended_ones_and_selectors_keep_to_their_own(folder: str) -> None:
    recommended = {f"app.kubernetes.io/{name}" for name in ("name", "component", "part-of", "version")}
    deployment = pick(folder, "Deployment")
    for labels in (deployment["metadata"]["labels"], deployment["spec"]["template"]["metadata"]["labels"]):
        assert recommended <= set(labels)
        assert "app.kubernetes.io/instance" not in labels  # Argo CD may set this label
    assert deployment["spec"]["selector"] == {"matchLabels": {"app": "agentpod"}}


def test_everything_that_the_pod_refers_to_exists(folder: str) -> None:
    spec = pod(folder)["spec"]
    assert spec["serviceAccountName"] == pick(folder, "ServiceAccount")["metadata"]["name"]
    volumes = {v["name"]: v for v in spec["volumes"]}
    assert volumes["settings"]["configMap"]["name"] == pick(folder, "ConfigMap")["metadata"]["name"]
    if folder not in SEVERAL:
        claim = pick(folder, "PersistentVolumeClaim")["metadata"]["name"]
        assert volumes["ledger"]["persistentVolumeClaim"]["claimName"] == claim
    (secret,) = documents("secret.example.yaml")
    assert volumes["secrets"]["secret"]["secretName"] == secret["metadata"]["name"]
    assert {m["name"] for m in container(folder)["volumeMounts"]} == set(volumes)


def test_changed_settings_restart_the_bot(folder: str) -> None:
    name = pick(folder, "ConfigMap")["metadata"]["name"]
    assert name.removeprefix("agentpod-settings-").isalnum()


@pytest.fixture
def start(folder: str, tmp_path: Path) -> Start:
    """Load the settings as the container would: its environment, its ConfigMap, and a Secret as a volume."""

    def load_them(**more: str) -> Loaded:
        environment = {v["name"]: v["value"] for v in container(folder)["env"]} | more
        settings = tmp_path / "settings.yaml"
        settings.write_text(pick(folder, "ConfigMap")["data"]["settings.yaml"])
        assert environment["AGENTPOD_CONFIG"] == "/etc/agentpod/settings.yaml"
        assert environment["AGENTPOD_SECRETS_DIR"] == "/run/secrets/agentpod"
        here = {"AGENTPOD_CONFIG": str(settings), "AGENTPOD_SECRETS_DIR": str(secret_volume(tmp_path / "secret"))}
        return load(environ=environment | here)

    return load_them


def secret_volume(folder: Path) -> Path:
    """The template's Secret as the kubelet mounts it: through two links, so that it can be replaced atomically."""
    (secret,) = documents("secret.example.yaml")
    real = folder / "..2026_01_01_00_00_00.1"
    real.mkdir(parents=True, exist_ok=True)
    (folder / "..data").symlink_to(real.name)
    for key, value in secret["stringData"].items():
        (real / key).write_text(value)
        (folder / key).symlink_to(f"..data/{key}")
    return folder


def test_the_settings_load(folder: str, start: Start) -> None:
    settings = start().settings
    assert settings.slack.bot_token is not None
    assert settings.slack.app_token is not None
    if folder not in SEVERAL:  # replicas take theirs from the Secret
        assert settings.ledger.url == "sqlite+aiosqlite:////var/lib/agentpod/ledger.db"
    (port,) = container(folder)["ports"]
    assert (port["name"], port["containerPort"]) == ("ops", settings.ops.port)
    assert (
        len({t.namespace for t in settings.targets} | {pick(folder, "Deployment")["metadata"]["namespace"]}) == 1
    )


def test_the_base_grants_no_role_and_no_folder_grants_one_to_everybody(folder: str, start: Start) -> None:
    rules = start().settings.access.rules
    assert (rules == ()) is (folder == "base")
    assert not any("*" in rule.users for rule in rules)


def test_service_variables_would_be_refused_and_are_disabled(folder: str, start: Start) -> None:
    assert pod(folder)["spec"]["enableServiceLinks"] is False
    assert pick(folder, "Service")["metadata"]["name"] == "agentpod"
    with pytest.raises(SettingsError, match="AGENTPOD_PORT is not a setting"):
        start(AGENTPOD_PORT="tcp://10.96.0.7:8080")


def test_the_account_is_the_only_way_to_a_token(folder: str) -> None:
    assert pick(folder, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod(folder)["spec"]["automountServiceAccountToken"] is True


def _selects(selector: Object, labels: Object) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def test_the_service_finds_the_pod(folder: str) -> None:
    service = pick(folder, "Service")["spec"]
    assert _selects(service["selector"], pod(folder)["metadata"]["labels"])
    assert service["ports"][0]["targetPort"] == container(folder)["ports"][0]["name"]
    assert service["publishNotReadyAddresses"] is True  # its metrics matter most when it isn't ready
