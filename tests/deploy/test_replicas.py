"""Two bots on one PostgreSQL: no ledger file or volume is left, and one bot always runs."""

from __future__ import annotations

from tests.deploy.rendered import container, pick, pod

FOLDER = "overlays/replicas"


def test_there_are_two_bots_and_one_always_runs() -> None:
    spec = pick(FOLDER, "Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert pick(FOLDER, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    [spread] = pod(FOLDER)["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == {"app": "agentpod"}


def test_the_ledger_url_comes_from_the_secret_and_there_is_no_file() -> None:
    env = {one["name"] for one in container(FOLDER)["env"]}
    assert "AGENTPOD_LEDGER__URL" not in env  # a variable would override the Secret's file
    assert "AGENTPOD_SECRETS_DIR" in env
    volumes = {one["name"] for one in pod(FOLDER)["spec"]["volumes"]}
    mounts = {one["name"] for one in container(FOLDER)["volumeMounts"]}
    assert volumes == mounts == {"settings", "secrets", "tmp"}


def test_postgresql_can_be_reached() -> None:
    egress = pick(FOLDER, "NetworkPolicy")["spec"]["egress"]
    assert {"ports": [{"protocol": "TCP", "port": 5432}]} in egress
