"""What containers see of ConfigMaps, Secrets, claims and of their own pod."""

import base64
from pathlib import Path
from typing import Any

import pytest

Obj = dict[str, Any]

CONFIG = {"metadata": {"name": "cfg"}, "data": {"a": "1", "b": "2"}}
SECRET = {"metadata": {"name": "sec"}, "data": {"pw": base64.b64encode(b"geheim").decode()}}


def one(script: str, words: Any, volume: Obj, **container: Any) -> Obj:
    """A pod spec with `volume` mounted at /v."""
    mounts = [{"name": "v", "mountPath": "/v"}]
    return {
        "restartPolicy": "Never",
        "volumes": [{"name": "v", **volume}],
        "containers": [words.sh(script, volumeMounts=mounts, **container)],
    }


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param({"configMap": {"name": "cfg"}}, "a=1 b=2", id="configmap"),
        pytest.param(
            {"configMap": {"name": "cfg", "items": [{"key": "b", "path": "x"}]}}, "x=2", id="items"
        ),
        pytest.param({"secret": {"secretName": "sec"}}, "pw=geheim", id="secret"),
        pytest.param({"configMap": {"name": "no", "optional": True}}, "", id="optional"),
        pytest.param(
            {
                "projected": {
                    "sources": [
                        {"configMap": {"name": "cfg", "items": [{"key": "a", "path": "a"}]}},
                        {"secret": {"name": "sec"}},
                        {
                            "downwardAPI": {
                                "items": [
                                    {
                                        "path": "labels",
                                        "fieldRef": {"fieldPath": "metadata.labels"},
                                    }
                                ]
                            }
                        },
                    ]
                }
            },
            'a=1 labels=x="y" pw=geheim',
            id="projected",
        ),
    ],
)
async def test_volumes(pods: Any, words: Any, volume: Obj, expected: str) -> None:
    pods.make("configmaps", CONFIG)
    pods.make("secrets", SECRET)
    script = "cd /v; for f in *; do test -e $f && printf '%s=%s ' $f \"`cat $f`\"; done; true"
    pods.create(one(script, words, volume), labels={"x": "y"})
    assert words.phase(await pods.finished()) == "Succeeded"
    assert (await pods.logs()).strip() == expected


async def test_a_pod_waits_for_its_config_map(pods: Any, words: Any) -> None:
    pods.create(one("cat /v/a", words, {"configMap": {"name": "cfg"}}))
    message = await pods.event("FailedMount")
    assert message == 'MountVolume.SetUp failed for volume "v" : configmap "cfg" not found'
    assert words.waiting(pods.get()) == "ContainerCreating"
    pods.make("configmaps", CONFIG)
    assert words.phase(await pods.finished()) == "Succeeded"


async def test_a_container_waits_for_what_its_environment_refers_to(pods: Any, words: Any) -> None:
    reference = {"secretKeyRef": {"name": "sec", "key": "pw"}}
    pods.run("echo $PW", env=[{"name": "PW", "valueFrom": reference}])
    pod = await pods.until(lambda pod: words.waiting(pod) == "CreateContainerConfigError")
    assert words.container(pod)["state"]["waiting"]["message"] == 'secret "sec" not found'
    pods.make("secrets", SECRET)
    await pods.finished()
    assert await pods.logs() == "geheim\n"


async def test_a_mounted_config_map_follows_its_object(pods: Any, words: Any) -> None:
    pods.make("configmaps", CONFIG)
    script = "until grep -q new /v/a; do sleep 0.02; done; cat /v/a /v/c; test ! -e /v/b"
    pods.create(one(script, words, {"configMap": {"name": "cfg"}}))
    await pods.until(lambda pod: "running" in words.container(pod)["state"])
    pods.patch("configmaps", "cfg", {"data": {"a": "new", "b": None, "c": "3"}})
    assert words.phase(await pods.finished()) == "Succeeded"
    assert await pods.logs() == "new3"


async def test_the_downward_api_follows_labels(pods: Any, words: Any) -> None:
    items = [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels['x']"}}]
    script = "until grep -q two /v/l; do sleep 0.02; done"
    pods.create(one(script, words, {"downwardAPI": {"items": items}}), labels={"x": "one"})
    await pods.until(lambda pod: "running" in words.container(pod)["state"])
    pods.patch("pods", "p", {"metadata": {"labels": {"x": "two"}}})
    assert words.phase(await pods.finished()) == "Succeeded"


async def test_a_sub_path_is_one_file(pods: Any, words: Any) -> None:
    pods.make("configmaps", CONFIG)
    spec = one("cat /etc/app.conf", words, {"configMap": {"name": "cfg"}})
    spec["containers"][0]["volumeMounts"] = [
        {"name": "v", "mountPath": "/etc/app.conf", "subPath": "b"}
    ]
    pods.create(spec)
    await pods.finished()
    assert await pods.logs() == "2"


async def test_a_claim_is_bound_and_outlives_its_pods(pods: Any, words: Any) -> None:
    volume = {"persistentVolumeClaim": {"claimName": "data"}}
    pods.create(one("echo kept > /v/f", words, volume), "writer")
    assert "persistentvolumeclaim" in await pods.event("FailedMount", "writer")
    resources = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources}
    pods.make("persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": spec})
    await pods.finished("writer")
    pods.delete("writer")
    await pods.gone("writer")
    pods.create(one("cat /v/f", words, volume), "reader")
    await pods.finished("reader")
    assert await pods.logs(name="reader") == "kept\n"
    claim = pods.registry.get("persistentvolumeclaims", "default", "data")
    assert claim["status"]["phase"] == "Bound"


async def test_a_host_path_is_the_path_itself(pods: Any, words: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("host")
    pods.create(one("cat /v/f", words, {"hostPath": {"path": str(tmp_path)}}))
    await pods.finished()
    assert await pods.logs() == "host"


async def test_variables_paths_and_directory_of_a_container(pods: Any, words: Any) -> None:
    env = [
        {"name": "DIR", "value": "/v"},
        {"name": "FILE", "value": "file://$(DIR)/x"},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    script = 'echo x > "${FILE#file://}"; cat x; test "$IP" = "$1" && echo $(DIR) > out'
    spec = one(script, words, {"emptyDir": {}}, env=env, workingDir="/v")
    spec["containers"][0]["args"] = ["-", "$(IP)"]
    pods.create(spec)
    pod = await pods.finished()
    assert words.phase(pod) == "Succeeded"
    assert await pods.logs() == "x\n"


async def test_a_pod_gets_the_api_only_when_it_plainly_asks(pods: Any, words: Any) -> None:
    script = 'echo "${KUBECONFIG:-none}"'
    containers = [words.sh(script)]
    spec: Obj = {"restartPolicy": "Never", "containers": containers}
    pods.make("serviceaccounts", {"metadata": {"name": "operator"}})
    account = {"serviceAccountName": "operator"}
    pods.create(spec, "plain")
    pods.create({**spec, **account, "automountServiceAccountToken": False}, "refused")
    pods.create({**spec, **account, "automountServiceAccountToken": True}, "granted")
    for name in ("plain", "refused", "granted"):
        await pods.finished(name)
    assert await pods.logs(name="plain") == await pods.logs(name="refused") == "none\n"
    assert await pods.logs(name="granted") == f"{pods.cluster.kubeconfig}\n"
