"""The Kubernetes manifests: what they name is there, each finds the other, and nobody is cut off."""

from pathlib import PurePosixPath
from typing import Any

import pytest

from sensos_auth.server.client_address import TRUSTED_PROXIES, trusted_proxies
from sensos_auth.server.draining import LEAVING_SECONDS
from sensos_auth.server.health_endpoints import ALIVE_PATH, READY_PATH
from sensos_auth.server.serving import DRAIN_SECONDS
from tests.deploy.declared import DEPLOY, check_arguments, check_environment, documents

FOLDER = DEPLOY / "kubernetes"
_NAME = "app.kubernetes.io/name"


@pytest.fixture(scope="module")
def kustomization() -> dict[str, Any]:
    """Return what puts the manifests together."""
    return documents(FOLDER / "kustomization.yaml")[0]


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    """Return all manifests, by their kind."""
    files = [path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml"]
    found = [document for path in files for document in documents(path)]
    by_kind = {document["kind"]: document for document in found}
    assert len(by_kind) == len(found)
    return by_kind


@pytest.fixture(scope="module")
def node(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the pod of a node."""
    template: dict[str, Any] = manifests["Deployment"]["spec"]["template"]
    return template


@pytest.fixture(scope="module")
def settings(kustomization: dict[str, Any]) -> dict[str, str]:
    """Return the settings of the nodes."""
    (generated,) = kustomization["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generated["literals"])


def _containers(manifests: dict[str, dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    pods = [manifests[kind]["spec"]["template"]["spec"] for kind in ("Deployment", "Job")]
    return [(pod, container) for pod in pods for container in pod["containers"]]


def test_every_manifest_is_used(kustomization: dict[str, Any]) -> None:
    """But for the autoscaler, which is a choice."""
    assert {path.name for path in FOLDER.glob("*.yaml")} == {
        *kustomization["resources"],
        "kustomization.yaml",
        "autoscaler.yaml",
    }


def test_commands_and_settings_are_the_programs(
    manifests: dict[str, dict[str, Any]], kustomization: dict[str, Any], settings: dict[str, str]
) -> None:
    """The program takes each command, and doctor finds nothing to mend in the settings."""
    check_environment(settings)
    images = {image["name"] for image in kustomization["images"]}
    for _, container in _containers(manifests):
        check_arguments(container["args"])
        check_environment({each["name"]: each["value"] for each in container.get("env", [])})
        assert container["image"] in images


def test_secrets_are_files(manifests: dict[str, dict[str, Any]], settings: dict[str, str]) -> None:
    """They are mounted where the settings say, for the program's group alone, and are in no variable."""
    for pod, container in _containers(manifests):
        (volume,) = pod["volumes"]
        source = volume["projected"]
        assert source["defaultMode"] == 0o440
        (mount,) = container["volumeMounts"]
        needed, optional = (
            {
                str(PurePosixPath(mount["mountPath"], item["path"]))
                for each in source["sources"]
                if each["secret"].get("optional", False) is is_optional
                for item in each["secret"]["items"]
            }
            for is_optional in (False, True)
        )
        variables = {each["name"]: each["value"] for each in container.get("env", [])}
        told = variables | (settings if "envFrom" in container else {})
        assert {value for name, value in told.items() if name.endswith("_FILE")} == needed
        assert optional == {"/run/secrets/sensos-auth/ca.crt"}  # as the page has it in the URL
        assert optional.pop() in (DEPLOY / "README.md").read_text("utf-8")
        assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_pods_are_restricted(manifests: dict[str, dict[str, Any]]) -> None:
    """As the namespace's Pod Security Standard demands; no token of the cluster's, no variables of its services'."""
    assert manifests["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod, container in _containers(manifests):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])


def test_probes_ask_what_there_is(node: dict[str, Any]) -> None:
    """A node begins once it can issue; afterwards it stays in the Service also while the database is away."""
    (container,) = node["spec"]["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"startupProbe": READY_PATH, "readinessProbe": ALIVE_PATH, "livenessProbe": ALIVE_PATH}
    (port,) = container["ports"]
    assert {container[probe]["httpGet"]["port"] for probe in paths} == {port["name"]}
    assert port["containerPort"] == 8000  # what `serve` listens on, unless it is told otherwise


def test_nodes_have_time_to_drain(node: dict[str, Any]) -> None:
    """After everybody has heard that it leaves, what is under way has its time."""
    (container,) = node["spec"]["containers"]
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert int(seconds) > LEAVING_SECONDS
    assert node["spec"]["terminationGracePeriodSeconds"] >= int(seconds) + DRAIN_SECONDS + 5


def test_each_finds_the_nodes(manifests: dict[str, dict[str, Any]], node: dict[str, Any]) -> None:
    """Service, budget, policy and spread select the nodes, and but for the policy not the upgrade."""
    labels = node["metadata"]["labels"].items()
    upgrade = ({_NAME: "sensos-auth"} | manifests["Job"]["spec"]["template"]["metadata"]["labels"]).items()
    selectors = [
        manifests["Service"]["spec"]["selector"],
        manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        manifests["Deployment"]["spec"]["selector"]["matchLabels"],
        *(spread["labelSelector"]["matchLabels"] for spread in node["spec"]["topologySpreadConstraints"]),
    ]
    for selector in selectors:
        assert selector.items() <= labels
        assert not selector.items() <= upgrade
    for pod in (labels, upgrade):
        assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= pod
    (path,) = manifests["Ingress"]["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": manifests["Service"]["metadata"]["name"], "port": {"name": "http"}}
    target = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", manifests["Deployment"]["metadata"]["name"])


def test_ingress_hands_on_what_a_node_that_is_cut_off_refuses(manifests: dict[str, dict[str, Any]]) -> None:
    """A 503 goes on to another node, unless the request is a POST, as nginx has it; and the host has a certificate."""
    ingress = manifests["Ingress"]
    handed_on = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-next-upstream"].split()
    assert set(handed_on) == {"error", "timeout", "http_503"}
    assert ingress["spec"]["ingressClassName"] == "nginx"
    (tls,) = ingress["spec"]["tls"]
    assert tls["hosts"] == [rule["host"] for rule in ingress["spec"]["rules"]]
    assert f"`{tls['secretName']}`" in (DEPLOY / "README.md").read_text("utf-8")


def test_names_are_looked_up_in_the_cluster_and_on_the_machine(manifests: dict[str, dict[str, Any]]) -> None:
    """The cluster's DNS and, where there is one, the machine's cache of it: they alone are asked."""
    (lookups,) = [
        rule
        for rule in manifests["NetworkPolicy"]["spec"]["egress"]
        if {"port": 53, "protocol": "UDP"} in rule["ports"]
    ]
    in_cluster, on_machine = lookups["to"]
    assert in_cluster["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kube-system"}
    assert on_machine == {"ipBlock": {"cidr": "169.254.20.10/32"}}


def test_few_are_believed_about_whose_request_it_is(settings: dict[str, str]) -> None:
    """One network of a cluster, and not all that a company has."""
    assert all(network.prefixlen >= 16 for network in trusted_proxies(settings[TRUSTED_PROXIES]))


def test_upgrades_take_no_node_away(manifests: dict[str, dict[str, Any]]) -> None:
    """One more starts before one ends, and a drained machine takes one at a time."""
    assert manifests["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert manifests["Deployment"]["spec"]["replicas"] >= 2
    assert manifests["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
