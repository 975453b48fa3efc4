"""The Helm chart: rendered by helm, held to the schemas of Kubernetes and of Prometheus' operator; and its alerts."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import promql_parser
import pytest
import yaml

from runtime.cli.main import COMMANDS
from runtime.config.settings import load
from tests.deploy_scripts import pages
from tests.host import TOOLCHAINS, require

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "vestibule"
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
KUBERNETES = ("1.28", "1.31", kubernetes_validate.latest_version())
LEAST: dict[str, Any] = {"store": {"secretName": "db"}, "tls": {"secretName": "tls"}}
MOST: dict[str, Any] = LEAST | {
    "image": {"repository": "registry.example.com/vestibule", "digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "tls": {"secretName": "tls", "clientCaKey": "ca.crt"},
    "continuationKeys": {"secretName": "keys"},
    "storeKeys": {"secretName": "store-keys", "key": "open"},
    "http": {"enabled": True},
    "config": {
        "drain_s": 20.5,
        "pool": {"max_workers": 1024, "memory_bytes": "1GiB", "long_run_share": 0.1},
        "sandbox": {"required_layers": ["seccomp", "landlock", "rlimits"]},
        "limits": {"max_in_flight": 250, "event_bytes": 65536},
        "tls": {"metrics": True, "http_clients": "optional"},
        "http": {"public_url": "https://a.example.com/x"},
    },
    "namespacesSeccompProfile": "profiles/vestibule.json",
    "autoscaling": {"enabled": True, "targetInFlightShare": 0.25},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"callers": [{"namespaceSelector": {"matchLabels": {"name": "gateways"}}}]},
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "priorityClassName": "high",
    "extraEnv": [{"name": "PGSSLROOTCERT", "value": "/etc/db/ca.pem"}],
    "extraVolumes": [{"name": "db", "configMap": {"name": "db-ca"}}],
    "extraVolumeMounts": [{"name": "db", "mountPath": "/etc/db"}],
}
MESH: dict[str, Any] = {"store": {"secretName": "db"}, "insecure": True, "config": {"auth": {"mode": "off"}},
                        "migrate": {"enabled": False}, "service": {"headless": False},
                        "podDisruptionBudget": {"enabled": False}, "networkPolicy": {"enabled": False},
                        "serviceAccount": {"create": False}}  # fmt: skip


def test_the_schema_of_values_is_what_the_settings_say() -> None:
    """`deploy/helm/schema` writes it; a setting that is added is a value at once."""
    done = subprocess.run([sys.executable, str(ROOT / "deploy/helm/schema"), "--check"], check=False, timeout=60)
    assert done.returncode == 0, "run deploy/helm/schema"


def test_the_values_fit_their_schema() -> None:
    """So do those of the tests; every value that the schema knows is in values.yaml."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for each in (values, LEAST, MOST, MESH):
        jsonschema.validate(each, schema)
    assert set(schema["properties"]) - {"global"} == set(values)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"config": {"pool": {"max_worker": 3}}}, schema)


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def test_the_alerts_are_those_of_the_operators_page() -> None:
    """Each row of What to watch is an alert with this very expression, or with a bound that the row leaves open."""
    page = (ROOT / "deploy" / "README.md").read_text().partition("## What to watch")[2].partition("\n## ")[0]
    rows = [re.search(r"`((?:[^`])+)`", line) for line in page.splitlines() if line.startswith("| `")]
    on_page = [found[1].replace("\\|", "|") for found in rows if found]
    exprs = [re.sub(r'\{job=~"[^"]+"\}', "", rule["expr"]) for rule in alerts()]
    assert len(on_page) == len(exprs) > 10
    assert [expr for expr in on_page if not any(made.startswith(expr) for made in exprs)] == []


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    """Their expressions parse, and each metric and label in them is one of the daemon's."""
    known = {row.split("|")[1].strip(" `"): row.split("|")[3] for row in pages.metrics().splitlines()[2:] if "|" in row}
    for rule in alerts():
        promql_parser.parse(rule["expr"])
        for name, labels in re.findall(r"\b((?:vestibule|grpc)_\w+)(?:\{(\w+))?", rule["expr"]):
            assert name in known, rule["alert"]
            assert labels in known[name]
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            assert label == "instance" or any(
                label in labels for name, labels in known.items() if name in rule["expr"]
            ), rule["alert"]
    with pytest.raises(ValueError, match="unexpected character"):
        promql_parser.parse("rate(vestibule_streams[5m)")


@pytest.fixture(scope="module")
def helm() -> Path:
    """helm, built by Go."""
    require(shutil.which("go") is not None, "Go: there is no go", unless=TOOLCHAINS)
    place = ROOT / "build" / "helm"
    done = subprocess.run(["go", "install", HELM], env=os.environ | {"GOBIN": str(place), "GOFLAGS": ""},
                          capture_output=True, text=True, check=False, timeout=1200)  # fmt: skip
    require(done.returncode == 0, f"Go: the module proxy does not answer: {done.stderr[-300:]}", unless=TOOLCHAINS)
    return place / "helm"


def rendered(helm: Path, values: dict[str, Any], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = [str(helm), "template", "live", str(CHART), "--namespace", "logins", "--kube-version", "1.31.0"]
    return subprocess.run([*command, "--values", str(file)], capture_output=True, text=True, check=False, timeout=120)


def documents(helm: Path, values: dict[str, Any], tmp_path: Path) -> list[dict[str, Any]]:
    done = rendered(helm, values, tmp_path)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def one(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (only,) = (each for each in found if each["kind"] == kind)
    return only


@pytest.mark.long
class TestTheChart:
    """What helm makes of it."""

    def test_helm_lint_finds_nothing(self, helm: Path) -> None:
        """As an author of charts would ask."""
        sets = ["--set", "store.secretName=db,tls.secretName=tls", "--strict"]
        done = subprocess.run([str(helm), "lint", str(CHART), *sets], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    def test_the_pages_command_renders(self, helm: Path) -> None:
        """The `helm install` of the operator's page, as `helm template`, which needs no cluster."""
        page = (ROOT / "deploy" / "README.md").read_text()
        (block,) = [each for each in pages.blocks(page, "") if each.startswith("helm install")]
        command = [str(helm), "template", "--kube-version", "1.31.0", *shlex.split(block.replace("\\\n", " "))[2:]]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "registry.example.com/vestibule" in done.stdout

    @pytest.mark.parametrize("values", [LEAST, MOST, MESH], ids=["least", "most", "mesh"])
    def test_everything_fits_the_schemas_of_kubernetes(
        self, helm: Path, tmp_path: Path, values: dict[str, Any]
    ) -> None:
        """Strictly: a member that a version of Kubernetes does not know is a fault."""
        own = json.loads((ROOT / "tests/schemas/prometheus-operator.json").read_text())
        found = documents(helm, values, tmp_path)
        for each in found:
            if each["apiVersion"].startswith("monitoring.coreos.com/"):
                jsonschema.validate(each, closed(own[each["kind"]]))
                continue
            for version in KUBERNETES:
                kubernetes_validate.validate(each, version, strict=True)
        if values is MOST:
            assert {each["kind"] for each in found} == {
                "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy", "PodDisruptionBudget",
                "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor",
            }  # fmt: skip
        broken = one(found, "Deployment")
        broken["spec"]["template"]["spec"]["enableServiceLink"] = False
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(broken, KUBERNETES[0], strict=True)

    @pytest.mark.parametrize("values", [LEAST, MOST, MESH], ids=["least", "most", "mesh"])
    def test_its_settings_are_the_daemons(self, helm: Path, tmp_path: Path, values: dict[str, Any]) -> None:
        """The file that pods get is read without a fault, and has what the values say; the grace outlasts a drain."""
        found = documents(helm, values, tmp_path)
        text = one(found, "ConfigMap")["data"]["vestibule.toml"]
        file = tmp_path / "vestibule.toml"
        file.write_text(text)
        config = load(file=file, env={"VESTIBULE_STORE": "postgresql://vestibule@db/vestibule"}).config
        given = values.get("config", {})
        assert config.pool.max_workers == given.get("pool", {}).get("max_workers", 4096)
        assert config.limits.max_in_flight == given.get("limits", {}).get("max_in_flight", 512)
        assert (config.drain_s, config.drain.delay_s) == (given.get("drain_s", 10), 5)
        assert tomllib.loads(text)["metrics_listen"] == "0.0.0.0:9464"
        pod = one(found, "Deployment")["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > config.drain_s + config.drain.delay_s
        (container,) = pod["containers"]
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        for path in (config.tls.cert_file, config.continuation.keys_file, config.catalog.keys_file):
            assert not path or str(Path(path).parent) in mounted
        if "storeKeys" in values:
            assert config.catalog.keys_file == "/run/vestibule/store-keys/open"
            (job,) = one(found, "Job")["spec"]["template"]["spec"]["containers"]
            assert {"name": "VESTIBULE_CATALOG_KEYS_FILE", "value": config.catalog.keys_file} in job["env"]
            assert "/run/vestibule/store-keys" in {mount["mountPath"] for mount in job["volumeMounts"]}
        schemes = {container[f"{name}Probe"]["httpGet"]["scheme"] for name in ("startup", "readiness", "liveness")}
        assert schemes == {"HTTPS" if config.tls.metrics else "HTTP"}

    def test_pods_are_held_and_leave_the_sandbox_its_layers(self, helm: Path, tmp_path: Path) -> None:
        """What tests/integration/test_docker.py runs the image with: there the required layers hold."""
        found = documents(helm, MOST, tmp_path)
        pods = [each["spec"]["template"]["spec"] for each in found if each["kind"] in ("Deployment", "Job")]
        assert len(pods) == 2
        for pod in pods:
            assert pod["enableServiceLinks"] is False
            assert pod["automountServiceAccountToken"] is False
            assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 65532)
            assert pod["securityContext"]["seccompProfile"]["type"] == "Localhost"
            for container in pod["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert container["args"][0].replace("-", "_") in COMMANDS
                assert "cpu" not in container["resources"]["limits"]
        plain = one(documents(helm, LEAST, tmp_path), "Deployment")["spec"]["template"]["spec"]
        assert plain["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}

    def test_the_autoscaler_asks_how_full_replicas_are(self, helm: Path, tmp_path: Path) -> None:
        """A share of limits.max_in_flight beside the processors' use; the deployment names no number then."""
        found = documents(helm, MOST, tmp_path)
        metrics = one(found, "HorizontalPodAutoscaler")["spec"]["metrics"]
        assert [each["type"] for each in metrics] == ["Resource", "Pods"]
        assert metrics[1]["pods"]["target"]["averageValue"] == "63"  # a quarter of 250
        assert "replicas" not in one(found, "Deployment")["spec"]

    def test_the_operators_alerts_are_the_rules(self, helm: Path, tmp_path: Path) -> None:
        """Word for word: nothing in them is taken for a template."""
        assert one(documents(helm, MOST, tmp_path), "PrometheusRule")["spec"]["groups"][0]["rules"] == alerts()

    @pytest.mark.parametrize(
        ("values", "fault"),
        [
            ({"tls": {"secretName": "t"}}, "store.secretName: name the secret with the setting `store`"),
            ({"store": {"secretName": "s"}}, "tls.secretName: name a secret of type kubernetes.io/tls"),
            (LEAST | {"config": {"pool": {"max_worker": 3}}}, "max_worker"),
            (LEAST | {"config": {"listen": "0.0.0.0:1"}}, "listen"),
            (LEAST | {"replicas": 0}, "replicas"),
            (LEAST | {"image": {"digest": "latest"}}, "digest"),
            (LEAST | {"hostNetwork": True}, "hostNetwork"),
        ],
    )
    def test_wrong_values_are_refused_before_anything_is_made(
        self, helm: Path, tmp_path: Path, values: dict[str, Any], fault: str
    ) -> None:
        """With the value's name."""
        done = rendered(helm, values, tmp_path)
        assert done.returncode != 0
        assert fault in done.stderr


def closed(schema: Any) -> Any:
    """Return a custom resource's schema in which an unknown member is a fault: the API server drops it silently."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if made.get("type") == "object" and isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
        free = not schema["properties"].keys() - {"apiVersion", "kind", "metadata"}
        made["additionalProperties"] = free
    return made
