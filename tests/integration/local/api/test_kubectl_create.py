"""kubectl create, run, expose, …: what its typed clients send is protobuf. The oracle is the same
command as JSON: `--dry-run=client -o json | kubectl apply`."""

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any

import pytest

NAMESPACED = [
    "configmap settings --from-literal=a=b --from-literal=c=",
    "secret generic keys --from-literal=a=b",
    "secret docker-registry pull --docker-server=s --docker-username=u --docker-password=p",
    "serviceaccount robot",
    "service clusterip web --tcp=80:8080 --tcp=443",
    "service clusterip headless --clusterip=None",
    "service nodeport node --tcp=80",
    "service loadbalancer outside --tcp=5678:8080",
    "service externalname far --external-name=example.com",
    "deployment web --image=python:3 --replicas=0 --port=80",
    "deployment pair --image=python:3 --image=busybox:1",
    "deployment run --image=python:3 -- python -m http.server",
    "job once --image=python:3 -- python -c print(1)",
    "role reader --verb=get,list --resource=pods,deployments.apps --resource-name=a",
    "rolebinding bind --role=reader --user=me --group=us --serviceaccount=default:robot",
    "rolebinding wide --clusterrole=view --user=me",
    "poddisruptionbudget budget --selector=app=web --min-available=50%",
    "poddisruptionbudget most --selector=app=web --max-unavailable=1",
]
CLUSTER = [
    "namespace {}",
    "clusterrole {} --verb=get --resource=nodes",
    "clusterrole {} --verb=get --non-resource-url=/metrics",
    "clusterrole {} --aggregation-rule=a=b",
    "clusterrolebinding {} --clusterrole=view --user=me",
]
PROTOBUF = "application/vnd.kubernetes.protobuf"
TOKEN = "a-token-for-tests"
OWN = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "namespace")


@pytest.fixture
def other(kubectl):
    """kubectl in another namespace."""
    name = f"{kubectl.namespace}-b"
    kubectl("create", "namespace", name)
    return replace(kubectl, namespace=name)


def stored(kubectl, *named: str) -> dict[str, Any]:
    """The object without what differs between any two."""
    obj = kubectl.json("get", *named)
    meta = obj["metadata"]
    for field in OWN:
        meta.pop(field, None)
    meta.get("annotations", {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    if not meta.get("annotations"):
        meta.pop("annotations", None)
    spec = obj.get("spec", {})
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    for port in spec.get("ports", ()):
        port.pop("nodePort", None)
    return obj


def as_json(kubectl, *command: str) -> None:
    """The same command, sent as JSON."""
    manifest = kubectl(*_before(command, "--dry-run=client", "-o", "json"))
    kubectl("apply", "-f-", stdin=manifest)


def _before(command: tuple[str, ...], *flags: str) -> list[str]:
    """Flags go before `--`."""
    at = command.index("--") if "--" in command else len(command)
    return [*command[:at], *flags, *command[at:]]


@pytest.mark.parametrize("command", NAMESPACED, ids=lambda text: " ".join(text.split()[:3]))
def test_create_in_a_namespace(kubectl, other, command):
    words = command.split()
    named = [words[0], words[2] if words[0] in ("secret", "service") else words[1]]
    assert "created" in kubectl("create", *words)
    as_json(other, "create", *words)
    _same_job(first := stored(kubectl, *named), second := stored(other, *named))
    assert first == second
    assert "already exists" in kubectl("create", *words, fails=True)


def _same_job(*jobs: dict[str, Any]) -> None:
    """The labels with which a job finds its pods have its uid."""
    for job in jobs:
        if job["kind"] == "Job":
            job["spec"].pop("selector")
            for labels in (
                job["metadata"]["labels"],
                job["spec"]["template"]["metadata"]["labels"],
            ):
                labels.pop("controller-uid")
                labels.pop("batch.kubernetes.io/controller-uid")


@pytest.mark.parametrize("command", CLUSTER)
def test_create_in_the_cluster(kubectl, command):
    kind = command.split()[0]
    first, second = (f"{kubectl.namespace}-{part}" for part in ("one", "two"))
    kubectl("create", *command.format(first).split())
    as_json(kubectl, "create", *command.format(second).split())
    renamed = json.dumps(stored(kubectl, kind, second)).replace(second, first)
    assert stored(kubectl, kind, first) == json.loads(renamed)


def test_create_a_tls_secret(kubectl, other, tmp_path):
    key, certificate = str(tmp_path / "key"), str(tmp_path / "certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    command = ("create", "secret", "tls", "tls", "--cert", certificate, "--key", key)
    kubectl(*command)
    as_json(other, *command)
    assert stored(kubectl, "secret", "tls") == stored(other, "secret", "tls")
    assert stored(kubectl, "secret", "tls")["type"] == "kubernetes.io/tls"


def test_create_checks_fields_and_values(kubectl):
    error = kubectl("create", "configmap", "Upper", fails=True)
    assert 'Invalid value: "Upper"' in error
    assert "created (server dry run)" in kubectl("create", "sa", "a", "--dry-run=server")
    assert "not found" in kubectl("get", "sa", "a", fails=True)


def test_run_and_expose(kubectl, other):
    run = ("run", "p", "--image=python:3", "--env=A=B", "--labels=app=p", "--port=80",
           "--restart=Never", "--command", "--", "python", "-c", "print(1)")  # fmt: skip
    kubectl(*run)
    as_json(other, *run)
    assert stored(kubectl, "pod", "p") == stored(other, "pod", "p")
    expose = ("expose", "pod", "p", "--port=80", "--target-port=http")
    kubectl(*expose)
    as_json(other, *expose)
    assert stored(kubectl, "service", "p") == stored(other, "service", "p")
    assert stored(kubectl, "service", "p")["spec"]["selector"] == {"app": "p"}


def test_set_and_annotate_a_deployment(kubectl):
    kubectl("create", "deployment", "web", "--image=python:3")
    kubectl("set", "image", "deployment/web", "python=python:3.12")
    kubectl("set", "env", "deployment/web", "A=B")
    kubectl("set", "resources", "deployment/web", "--limits=cpu=1,memory=100Mi")
    kubectl("annotate", "deployment", "web", "a=b")
    kubectl("label", "deployment", "web", "c=d")
    kubectl("scale", "deployment", "web", "--replicas=3")
    kubectl("rollout", "restart", "deployment", "web")
    live = kubectl.json("get", "deployment", "web")
    template = live["spec"]["template"]
    assert template["spec"]["containers"][0] | {"name": "python"} == {
        "name": "python", "image": "python:3.12", "env": [{"name": "A", "value": "B"}],
        "resources": {"limits": {"cpu": "1", "memory": "100Mi"}},
        "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }  # fmt: skip
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert live["metadata"]["annotations"]["a"] == "b"
    assert live["metadata"]["labels"] == {"app": "web", "c": "d"}
    assert live["spec"]["replicas"] == 3


def test_questions_about_access(kubectl):
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    assert "kubernetes-admin" in kubectl("auth", "whoami")
    assert "[*]" in kubectl("auth", "can-i", "--list")


def test_autoscale(kubectl, other):
    """kubectl up to 1.33 knows autoscaling/v1 only."""
    for one in (kubectl, other):
        one("create", "deployment", "web", "--image=python:3")
    command = ("autoscale", "deployment", "web", "--min=2", "--max=3", "--cpu-percent=50")
    kubectl(*command)
    as_json(other, *command)
    assert stored(kubectl, "hpa", "web") == stored(other, "hpa", "web")
    assert stored(kubectl, "hpa", "web")["apiVersion"] == "autoscaling/v2"
    first = "horizontalpodautoscalers.v1.autoscaling"
    assert kubectl.json("get", first, "web")["spec"] == {
        "maxReplicas": 3, "minReplicas": 2, "targetCPUUtilizationPercentage": 50,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
    }  # fmt: skip
    change = {"spec": {"targetCPUUtilizationPercentage": 70}}
    kubectl("patch", first, "web", "--type=merge", "-p", json.dumps(change))
    metrics = stored(kubectl, "hpa", "web")["spec"]["metrics"]
    assert metrics[0]["resource"]["target"]["averageUtilization"] == 70
    assert "autoscaling/v2" in kubectl("api-resources", "--api-group=autoscaling")


def test_create_token(api, kubectl):
    kubectl("create", "serviceaccount", "robot")
    assert kubectl("create", "token", "robot") == TOKEN
    told = kubectl("create", "token", "robot", "--duration=1m", fails=True)
    assert "may not specify a duration less than 10 minutes" in told
    assert "not found" in kubectl("create", "token", "nobody", fails=True)
    kubectl("create", "serviceaccount", "default")
    assert "issues no token" in kubectl("create", "token", "default", fails=True)


def test_streams_into_pods_are_refused_in_words(kubectl, tmp_path):
    kubectl("run", "p", "--image=python:3", "--restart=Never")
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/p/status"
    manifest = tmp_path / "status.json"
    status = {"phase": "Running", "podIP": "127.3.2.1"}
    live = kubectl.json("get", "pod", "p")
    manifest.write_text(json.dumps({**live, "status": status}))
    kubectl("replace", "--raw", path, "-f", str(manifest))
    words = "its pods are processes of this host"
    assert f"does not offer exec: {words}" in kubectl("exec", "p", "--", "ls", fails=True)
    assert f"does not offer attach: {words}" in kubectl("attach", "p", fails=True)
    forward = kubectl("port-forward", "p", "8080", fails=True)
    assert f"does not offer portforward: {words}; p can be reached at 127.3.2.1" in forward


def request(api, method: str, path: str, raw: bytes | None = None, **headers: str) -> Any:
    """Code, warnings and the decoded answer."""
    trusted = ssl.create_default_context(cadata=api.server.ca.decode())
    sent = {
        "Authorization": f"Bearer {TOKEN}",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    asked = urllib.request.Request(api.server.url + path, raw, sent, method=method)
    try:
        with urllib.request.urlopen(asked, context=trusted, timeout=30) as answer:
            return answer.status, answer.headers.get_all("Warning"), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None, json.load(error)


def test_answers_are_not_written_in_protobuf(api):
    path = "/api/v1/namespaces/default"
    assert request(api, "GET", path, Accept=PROTOBUF)[0] == 406
    code, _, shown = request(api, "GET", path, Accept=f"{PROTOBUF},application/json")
    assert (code, shown["kind"]) == (200, "Namespace")


def test_fields_that_do_not_exist(api, namespace):
    """A ConfigMap with field 99, as a later version of Kubernetes may have one."""
    metadata = b"\x0a\x03\x0a\x01c"
    raw = b"k8s\x00\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x08" + metadata + b"\x98\x06\x01"
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    code, _, refused = request(api, "POST", f"{path}?fieldValidation=Strict", raw,
                               Content_Type=PROTOBUF)  # fmt: skip
    assert code == 400
    assert 'unknown field "#99"' in refused["message"]
    code, warnings, created = request(api, "POST", path, raw, Content_Type=PROTOBUF)
    assert code == 201
    assert warnings == ['299 - "unknown field \\"#99\\""']
    assert "#99" not in created


def test_bodies_that_cannot_be_read(api, namespace):
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    code, _, refused = request(api, "POST", path, b"k8s\x00\x0a\xff", Content_Type=PROTOBUF)
    assert (code, refused["message"]) == (400, "protobuf parse error: unexpected EOF")
    path = f"/apis/pawl.dev/v1alpha1/namespaces/{namespace}/trainingjobs"
    named = b"\x0a\x11pawl.dev/v1alpha1\x12\x0bTrainingJob"
    raw = b"k8s\x00\x0a" + bytes([len(named)]) + named
    assert request(api, "POST", path, raw, Content_Type=PROTOBUF)[0] == 415


def test_a_list_is_applied_and_what_is_wrong_in_it_is_refused(kubectl):
    """kubectl looks at what a v1 List holds by /openapi/v2 as protobuf, and by nothing else."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {}}
    spec = {
        "model": "m",
        "data": {"uri": "s3://b/k", "target": "y", "task": "binary"},
        "trainer": {"container": {"image": "i"}},
    }
    job = {"apiVersion": "pawl.dev/v1alpha1", "kind": "TrainingJob", "spec": spec}
    job["metadata"] = {"name": "job"}
    listed = {"apiVersion": "v1", "kind": "List", "items": [config, job]}
    applied = kubectl("apply", "-f-", stdin=listed).splitlines()
    assert applied == ["configmap/one created", "trainingjob.pawl.dev/job created"]
    config["dada"] = {}
    told = kubectl("apply", "-f-", stdin=listed, fails=True)
    assert 'unknown field "dada"' in told
