"""Every folder of `deploy/` renders to the expected objects in the expected namespaces, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bot.settings.loader import load
from tests.deploy.rendered import DEPLOY, FOLDERS, OPTIONS, ROOT, Object, documents, kustomize, of_kind, render

OWN = "secure-agent-pod"
BROUGHT = {
    "base": {
        ("ConfigMap", OWN),
        ("Deployment", OWN),
        ("NetworkPolicy", OWN),
        ("PersistentVolumeClaim", OWN),
        ("Role", OWN),
        ("RoleBinding", OWN),
        ("Service", OWN),
        ("ServiceAccount", OWN),
    },
    "options/admission": {
        ("ClusterRole", ""),
        ("ClusterRoleBinding", ""),
        ("ValidatingAdmissionPolicy", ""),
        ("ValidatingAdmissionPolicyBinding", ""),
    },
    "options/argocd": {("Role", "argocd"), ("RoleBinding", "argocd")},
    "options/cilium-repair": {
        ("Role", "kube-system"),
        ("RoleBinding", "kube-system"),
        ("Role", OWN),
        ("RoleBinding", OWN),
    },
    "options/configmaps": {("Role", OWN), ("RoleBinding", OWN)},
    "options/configs-rotate": {("Role", OWN), ("RoleBinding", OWN)},
    "options/egress": {("Role", OWN), ("RoleBinding", OWN)},
    "options/grafana": {("ConfigMap", "monitoring")},
    "options/http-mode": {("Service", OWN), ("NetworkPolicy", OWN)},
    "options/pushgateway": {
        ("NetworkPolicy", "monitoring"),
        ("Role", "monitoring"),
        ("RoleBinding", "monitoring"),
    },
    "options/servicemonitor": {("ServiceMonitor", OWN)},
}
"""The kinds of each folder's objects and the namespaces they are in; empty for the whole cluster."""
BROUGHT["overlays/example"] = BROUGHT["base"] | BROUGHT["options/argocd"] | BROUGHT["options/servicemonitor"]
BROUGHT["overlays/configs-rotate"] = BROUGHT["base"] | BROUGHT["options/configs-rotate"]
BROUGHT["overlays/replicas"] = BROUGHT["base"] - {("PersistentVolumeClaim", OWN)} | {("PodDisruptionBudget", OWN)}


def _place(thing: Object) -> str:
    """The namespace; empty for an object of the whole cluster."""
    return str(thing["metadata"].get("namespace", ""))


def test_the_folders_are_the_known_ones() -> None:
    assert sorted(BROUGHT) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_renders_the_expected_kinds_and_namespaces(folder: str) -> None:
    brought = [(o["kind"], _place(o)) for o in render(folder)]
    assert set(brought) == BROUGHT[folder]
    names = [(o["kind"], _place(o), o["metadata"]["name"]) for o in render(folder)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_of_a_folder_is_forgotten(folder: str) -> None:
    kustomization = (DEPLOY / folder / "kustomization.yaml").read_text()
    listed = yaml.safe_load(kustomization)
    files = {file for generator in listed.get("configMapGenerator", ()) for file in generator.get("files", ())}
    used = {"kustomization.yaml", *files, *listed.get("resources", ())}
    assert {p.name for p in (DEPLOY / folder).iterdir()} <= used


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_has_the_name_and_part_of_labels(folder: str) -> None:
    for thing in render(folder):
        labels = thing["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/part-of"] == "agentpod"


@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_is_in_the_base(option: str) -> None:
    base = {(o["kind"], _place(o), o["metadata"]["name"]) for o in render("base")}
    ours = {(o["kind"], _place(o), o["metadata"]["name"]) for o in render(option)}
    assert not base & ours


def test_an_overlay_can_include_every_option_at_once(tmp_path: Path) -> None:
    example = yaml.safe_load((DEPLOY / "overlays/example/kustomization.yaml").read_text())
    here = tmp_path / "deploy"
    (here / "overlays").mkdir(parents=True)
    for part in ("base", "options"):
        (here / part).symlink_to(DEPLOY / part)
    mine = here / "overlays" / "mine"
    mine.mkdir()
    (mine / "settings.yaml").write_text((DEPLOY / "overlays/example/settings.yaml").read_text())
    example["resources"] = ["../../base", *(f"../../{option}" for option in OPTIONS)]
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(example))
    done = kustomize(mine)
    assert (done.returncode, done.stderr) == (0, "")
    found = {(d["kind"], _place(d)) for d in yaml.safe_load_all(done.stdout)}
    assert found == set().union(*(BROUGHT[folder] for folder in ("base", *OPTIONS)))


def test_the_example_changes_only_image_settings_monitor_and_storage() -> None:
    (one,) = of_kind("overlays/example", "Deployment")
    (other,) = of_kind("base", "Deployment")
    here, there = (d["spec"]["template"]["spec"] for d in (one, other))
    assert here["containers"][0].pop("image") == "registry.example.com/agentpod:0.1.0"
    assert there["containers"][0].pop("image") == "agentpod:0.1.0"
    names = [next(v for v in spec["volumes"] if v["name"] == "settings") for spec in (here, there)]
    assert names[0]["configMap"].pop("name") != names[1]["configMap"].pop("name")
    assert here == there
    (monitor,) = of_kind("overlays/example", "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    (claim,) = of_kind("overlays/example", "PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"] == {"storage": "2Gi"}


def test_the_service_monitor_finds_the_service() -> None:
    (monitor,) = of_kind("options/servicemonitor", "ServiceMonitor")
    (service,) = of_kind("base", "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == (service["spec"]["ports"][0]["name"], "/metrics")
    assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"]


def test_the_secret_is_a_template_that_nothing_includes() -> None:
    assert not [folder for folder in FOLDERS if of_kind(folder, "Secret")]
    (secret,) = documents("secret.example.yaml")
    assert secret["metadata"]["namespace"] == OWN
    assert all(value.endswith("-REPLACE-ME") for value in secret["stringData"].values())
    tokens = [p for p in DEPLOY.rglob("*") if p.is_file() and re.search(r"xox[a-z]-\d|xapp-\d", p.read_text())]
    assert tokens == []


@pytest.mark.parametrize(
    "name",
    [
        "settings.example.yaml",
        "base/settings.yaml",
        "overlays/example/settings.yaml",
        "overlays/configs-rotate/settings.yaml",
    ],
)
def test_every_settings_file_loads(name: str) -> None:
    load(config=DEPLOY / name, environ={})


def _application() -> Object:
    (application,) = documents("argocd/application.yaml")
    return application


def test_the_argo_cd_application_has_an_existing_folder_and_a_placeholder_url() -> None:
    source = _application()["spec"]["source"]
    assert source["path"].removeprefix("deploy/") in FOLDERS
    assert re.match(r"https://git\.example\.com/", source["repoURL"])


def test_argo_cd_follows_git_without_creating_the_namespace_or_deleting_the_ledger() -> None:
    application = _application()
    assert application["metadata"]["namespace"] == "argocd"
    assert application["metadata"]["name"] != OWN  # which is the agent pod's
    assert "finalizers" not in application["metadata"]
    assert application["spec"]["destination"]["namespace"] == OWN
    policy = application["spec"]["syncPolicy"]
    assert (policy["automated"]["prune"], policy["automated"]["selfHeal"]) == (True, True)
    assert "CreateNamespace=false" in policy["syncOptions"]
    (claim,) = of_kind("base", "PersistentVolumeClaim")
    kept = claim["metadata"]["annotations"]["argocd.argoproj.io/sync-options"].split(",")
    assert {"Prune=false", "Delete=false"} <= set(kept)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(DEPLOY.rglob("*.yaml"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_or_a_comment_names_exists(page: Path) -> None:
    text = page.read_text()
    for path in re.findall(r"(?<!exec )\bdeploy/[\w./-]*\w", text):
        assert path.startswith("deploy/overlays/mine") or (ROOT / path).exists(), path
    if page.suffix == ".yaml":
        comments = " ".join(re.findall(r"#.*", text))
        for path in re.findall(r"(?<!\S)\.\./[\w./-]*\w", comments):
            assert (page.parent / path).exists(), path


def test_the_install_page_names_every_option() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs/install.md").read_text(), re.MULTILINE)
    assert [f"options/{name}" for name in sorted(told)] == OPTIONS


def test_the_example_offers_every_option() -> None:
    text = (DEPLOY / "overlays/example/kustomization.yaml").read_text()
    assert sorted(re.findall(r"^  (?:# )?- \.\./\.\./(options/[a-z-]+)", text, re.MULTILINE)) == OPTIONS
