"""The official Python clients and kopf against the API server."""

import asyncio
import contextlib
import threading
from typing import Any

import kopf
import kubernetes.aio.client as aio
import kubernetes.aio.config as aio_config
import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

CONFIG_MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a"},
    "data": {"k": "v"},
}


@pytest.fixture
def sync_client(api):
    with config.new_client_from_config(str(api.kubeconfig)) as made:
        yield made


@pytest.fixture
async def async_client(api):
    async with await aio_config.new_client_from_config(str(api.kubeconfig)) as made:
        yield made


def test_dynamic_client_over_the_life_of_an_object(sync_client, namespace):
    maps = dynamic.DynamicClient(sync_client).resources.get(api_version="v1", kind="ConfigMap")
    made = maps.create(body=CONFIG_MAP, namespace=namespace)
    assert made.metadata.uid
    stale = made.to_dict()
    maps.patch(
        body={"data": {"k": "w"}}, name="a", namespace=namespace,
        content_type="application/merge-patch+json",
    )  # fmt: skip
    with pytest.raises(ConflictError):
        maps.replace(body=stale, namespace=namespace)
    applied = maps.server_side_apply(
        body={**CONFIG_MAP, "data": {"n": "1"}}, namespace=namespace, field_manager="tester"
    )
    assert applied.data.to_dict() == {"k": "w", "n": "1"}
    assert [item.metadata.name for item in maps.get(namespace=namespace).items] == ["a"]
    maps.delete(name="a", namespace=namespace)
    with pytest.raises(NotFoundError):
        maps.get(name="a", namespace=namespace)


def test_dynamic_client_knows_custom_resources(sync_client, namespace):
    versions = dynamic.DynamicClient(sync_client).resources.get(
        api_version="pawl.dev/v1alpha1", kind="ModelVersion"
    )
    assert versions.get(namespace=namespace).items == []


def test_typed_client_reads_what_it_wrote(sync_client, namespace):
    apps = client.AppsV1Api(sync_client)
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"a": "b"}),
        spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="busybox:1")]),
    )
    selector = client.V1LabelSelector(match_labels={"a": "b"})
    body = client.V1Deployment(
        metadata=client.V1ObjectMeta(name="d"),
        spec=client.V1DeploymentSpec(selector=selector, template=template),
    )
    apps.create_namespaced_deployment(namespace, body)
    read = apps.read_namespaced_deployment("d", namespace)
    assert (read.spec.replicas, read.spec.strategy.type) == (1, "RollingUpdate")
    apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 4}})
    assert apps.read_namespaced_deployment_scale("d", namespace).spec.replicas == 4


def test_sync_watch_goes_on_from_a_resource_version(sync_client, namespace):
    core = client.CoreV1Api(sync_client)
    since = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, CONFIG_MAP)
    core.delete_namespaced_config_map("a", namespace)
    events = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version=since, timeout_seconds=10
    )
    with contextlib.closing(events) as stream:  # else its connection is left to the collector
        seen = [next(stream)["type"] for _ in range(2)]
    assert seen == ["ADDED", "DELETED"]


async def test_async_client_lists_and_watches(async_client, namespace):
    core = aio.CoreV1Api(async_client)
    await core.create_namespaced_config_map(namespace, CONFIG_MAP)
    listed = await core.list_namespaced_config_map(namespace, limit=1)
    assert [item.metadata.name for item in listed.items] == ["a"]


async def test_leader_election_has_one_leader_and_hands_over(async_client, namespace):
    led: list[str] = []
    won = {name: asyncio.Event() for name in ("one", "two")}

    def candidate(name: str) -> LeaderElection:
        async def lead() -> None:
            led.append(name)
            won[name].set()
            await asyncio.Event().wait()

        async def lost() -> None:
            won[name].clear()

        lock = LeaseLock("leader", namespace, name, async_client)
        return LeaderElection(
            Config(
                lock, lease_duration=4, renew_deadline=3, retry_period=1,
                onstarted_leading=lead, onstopped_leading=lost,
            )
        )  # fmt: skip

    # the lock of kubernetes 37 cannot make its Lease (it sends `pretty` as a boolean)
    lease = aio.V1Lease(metadata=aio.V1ObjectMeta(name="leader"))
    await aio.CoordinationV1Api(async_client).create_namespaced_lease(namespace, lease)
    async with asyncio.timeout(30):
        first = asyncio.create_task(candidate("one").run())
        await won["one"].wait()
        second = asyncio.create_task(candidate("two").run())
        await asyncio.sleep(0)
        assert led == ["one"]
        first.cancel()
        await won["two"].wait()
        second.cancel()
        await asyncio.wait({first, second})
    assert led == ["one", "two"]
    lease = await aio.CoordinationV1Api(async_client).read_namespaced_lease("leader", namespace)
    assert lease.spec.holder_identity == "two"


def test_a_kopf_operator_sees_objects_and_writes_their_status(
    api, sync_client, namespace, monkeypatch
):
    registry = kopf.OperatorRegistry()
    ready, stop = threading.Event(), threading.Event()

    @kopf.on.create("pawl.dev", "v1alpha1", "modelversions", registry=registry)
    def created(patch: kopf.Patch, spec: kopf.Spec, **_: Any) -> None:
        patch.status["stage"] = "Candidate"

    @kopf.on.startup(registry=registry)
    def login_is_ready(**_: Any) -> None:
        ready.set()

    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig))
    kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)

    def run() -> None:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        kopf.run(
            registry=registry, settings=settings, namespaces=[namespace], standalone=True,
            stop_flag=stop,
        )  # fmt: skip

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        versions = dynamic.DynamicClient(sync_client).resources.get(
            api_version="pawl.dev/v1alpha1", kind="ModelVersion"
        )
        versions.create(body=_model_version(), namespace=namespace)
        with contextlib.closing(
            versions.watch(namespace=namespace, name="churn-v1", timeout=30)
        ) as stream:
            stages = (event["object"].to_dict().get("status", {}).get("stage") for event in stream)
            assert "Candidate" in stages
    finally:
        stop.set()
        thread.join()


def _model_version() -> dict[str, Any]:
    digest = "sha256:" + "0" * 64
    uri = "file:///models/churn/1"
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": "churn-v1"},
        "spec": {
            "model": "churn",
            "version": 1,
            "artifact": {"uri": uri, "digest": digest, "format": "onnx", "sizeBytes": 1},
            "signature": {
                "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 1]}],
                "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1, 1]}],
            },
        },
    }
