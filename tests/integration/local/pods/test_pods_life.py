"""A pod from start to end: order, exit codes, restarts, messages, limits."""

import sys
from contextlib import aclosing
from typing import Any

import pytest

from pawl.local.api.podlogs import LogOptions

Obj = dict[str, Any]


async def test_a_pod_runs_to_completion_and_keeps_its_log(pods: Any, words: Any) -> None:
    pods.run("echo out; echo err >&2")
    pod = await pods.finished()
    status = pod["status"]
    assert words.phase(pod) == "Succeeded"
    ended = words.container(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert sorted((await pods.logs()).split()) == ["err", "out"]
    assert status["podIP"].startswith("127.")
    assert (
        status["hostIP"]
        == pods.registry.get("nodes", None, "local")["status"]["addresses"][0]["address"]
    )
    assert status["qosClass"] == "BestEffort"
    assert [c["type"] for c in status["conditions"] if c["status"] == "True"] == [
        "Initialized",
        "PodScheduled",
    ]
    assert [reason for _, reason, _ in pods.events()] == [
        "Scheduled",
        "Pulled",
        "Created",
        "Started",
    ]


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [
        ("exit 7", 7, "Error"),
        ("kill -TERM $$$$", 143, "Error"),
        ("kill -KILL $$$$", 137, "Error"),
    ],
)
async def test_failures(pods: Any, words: Any, script: str, code: int, reason: str) -> None:
    pods.run(script)
    pod = await pods.finished()
    ended = words.container(pod)["state"]["terminated"]
    assert (words.phase(pod), ended["exitCode"], ended["reason"]) == ("Failed", code, reason)


async def test_stages_run_in_order_and_share_a_directory(pods: Any, words: Any) -> None:
    mounts = [{"name": "work", "mountPath": "/work"}]
    pods.create(
        {
            "restartPolicy": "Never",
            "volumes": [{"name": "work", "emptyDir": {}}],
            "initContainers": [
                words.sh("echo 1 >> /work/log", "prepare", volumeMounts=mounts),
                words.sh("echo 2 >> /work/log", "train", volumeMounts=mounts),
            ],
            "containers": [words.sh("cat /work/log", volumeMounts=mounts)],
        }
    )
    assert words.phase(await pods.finished()) == "Succeeded"
    assert await pods.logs() == "1\n2\n"


async def test_a_failed_stage_ends_the_pod(pods: Any, words: Any) -> None:
    pods.create(
        {
            "restartPolicy": "Never",
            "initContainers": [words.sh("exit 10", "prepare"), words.sh("true", "train")],
            "containers": [words.sh("true")],
        }
    )
    pod = await pods.finished()
    assert words.phase(pod) == "Failed"
    assert words.container(pod, "prepare")["state"]["terminated"]["exitCode"] == 10
    assert words.waiting(pod, "train") == words.waiting(pod) == "PodInitializing"


async def test_a_sidecar_starts_first_and_does_not_keep_the_pod(pods: Any, words: Any) -> None:
    sidecar = words.sh("trap 'exit 0' TERM; echo side; while :; do sleep 0.05; done", "side")
    pods.create(
        {
            "restartPolicy": "Never",
            "initContainers": [{**sidecar, "restartPolicy": "Always"}, words.sh("true", "init")],
            "containers": [words.sh("true")],
        }
    )
    pod = await pods.finished()
    assert words.phase(pod) == "Succeeded"
    side = words.container(pod, "side")["state"]["terminated"]
    main = words.container(pod)["state"]["terminated"]
    assert side["startedAt"] <= main["startedAt"]
    assert await pods.logs("side") == "side\n"


async def test_a_sidecar_that_crashes_does_not_hold_up_the_end(pods: Any, words: Any) -> None:
    mounts = [{"name": "w", "mountPath": "/w"}]
    flag = "test -e /w/up && exit 1; touch /w/up; sleep 0.2; exit 1"
    sidecar = {**words.sh(flag, "side", volumeMounts=mounts), "restartPolicy": "Always"}
    pods.create(
        {
            "restartPolicy": "Never",
            "volumes": [{"name": "w", "emptyDir": {}}],
            "initContainers": [sidecar],
            "containers": [
                words.sh("until test -e /w/go; do sleep 0.02; done", volumeMounts=mounts)
            ],
        }
    )
    pod = await pods.until(lambda pod: words.waiting(pod, "side") == "CrashLoopBackOff")
    root = pods.cluster.host.pods / pod["metadata"]["uid"]
    (root / "volumes" / "w" / "go").touch()
    assert words.phase(await pods.finished()) == "Succeeded"


async def test_a_failed_stage_ends_a_pod_with_sidecars_too(pods: Any, words: Any) -> None:
    sidecar = {**words.sh("sleep 600", "side"), "restartPolicy": "Always"}
    pods.create(
        {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "initContainers": [sidecar, words.sh("exit 10", "init")],
            "containers": [words.sh("true")],
        }
    )
    pod = await pods.finished()
    assert words.phase(pod) == "Failed"
    assert "terminated" in words.container(pod, "side")["state"]


async def test_a_sidecar_is_told_when_an_init_container_is(pods: Any, words: Any) -> None:
    mounts = [{"name": "w", "mountPath": "/w"}]
    waits = "trap 'touch /w/told; exit 0' TERM; touch /w/side; while :; do sleep 0.02; done"
    side = {**words.sh(waits, "side", volumeMounts=mounts), "restartPolicy": "Always"}
    # it ends only when the sidecar was told
    train = "trap 'until test -e /w/told; do sleep 0.02; done; exit 0' TERM; "
    train += "until test -e /w/side; do sleep 0.02; done; echo up; while :; do sleep 0.02; done"
    pods.create(
        {
            "volumes": [{"name": "w", "emptyDir": {}}],
            "initContainers": [side, words.sh(train, "train", volumeMounts=mounts)],
            "containers": [words.sh("true")],
        }
    )
    await pods.until(lambda pod: "running" in words.container(pod, "train")["state"])
    following = LogOptions(follow=True)
    async with aclosing(pods.cluster.node.logs("default", "p", "train", following)) as log:
        while b"up" not in await anext(log):
            pass
    pods.delete()
    await pods.gone(limit=10)  # else after 30 s


async def test_a_pod_that_waits_can_be_deleted(pods: Any, words: Any) -> None:
    crashing = {"containers": [words.sh("exit 1")]}
    pods.create(crashing, "crashing")
    pods.create({"containers": [words.sh("true", image="nobody/knows")]}, "pulling")
    volumes = [{"name": "v", "configMap": {"name": "missing"}}]
    pods.create({"volumes": volumes, "containers": [words.sh("true")]}, "mounting")
    sidecar = {**words.sh("exit 1", "side"), "restartPolicy": "Always"}
    pods.create({**crashing, "initContainers": [sidecar]}, "sidecar")
    await pods.until(lambda pod: words.waiting(pod) == "CrashLoopBackOff", "crashing")
    await pods.until(lambda pod: words.waiting(pod) == "ImagePullBackOff", "pulling")
    await pods.event("FailedMount", "mounting")
    await pods.until(lambda pod: words.waiting(pod, "side") == "CrashLoopBackOff", "sidecar")
    for name in ("crashing", "pulling", "mounting", "sidecar"):
        pods.delete(name)
        await pods.gone(name, limit=5)


async def test_a_crashing_container_backs_off(pods: Any, words: Any) -> None:
    pods.create({"containers": [words.sh("echo run; exit 3")]})
    pod = await pods.until(lambda pod: words.waiting(pod) == "CrashLoopBackOff")
    found = words.container(pod)
    assert found["restartCount"] == 1  # the first restart is immediate
    assert found["lastState"]["terminated"]["exitCode"] == 3
    uid = pod["metadata"]["uid"]
    assert found["state"]["waiting"]["message"] == (
        f"back-off 10s restarting failed container=c pod=p_default({uid})"
    )
    message = f"Back-off restarting failed container c in pod p_default({uid})"
    assert ("Warning", "BackOff", message) in pods.events()
    assert words.phase(pod) == "Running"
    assert await pods.logs() == await pods.logs(previous=True) == "run\n"


@pytest.mark.parametrize(
    ("policy", "script", "expected"),
    [
        ("OnFailure", "exit 0", "Succeeded"),
        ("OnFailure", "test -e /w/x || { touch /w/x; exit 1; }", "Succeeded"),
        ("Never", "exit 1", "Failed"),
    ],
)
async def test_restart_policy(
    pods: Any, words: Any, policy: str, script: str, expected: str
) -> None:
    mounts = [{"name": "w", "mountPath": "/w"}]
    pods.create(
        {
            "restartPolicy": policy,
            "volumes": [{"name": "w", "emptyDir": {}}],
            "containers": [words.sh(script, volumeMounts=mounts)],
        }
    )
    assert words.phase(await pods.finished()) == expected


async def test_a_termination_message_is_read_from_its_file(pods: Any, words: Any) -> None:
    pods.run("echo -n bye > $MESSAGE; exit 1", env=[{"name": "MESSAGE", "value": "/out/m"}],
             terminationMessagePath="/out/m")  # fmt: skip
    ended = words.container(await pods.finished())["state"]["terminated"]
    assert ended["message"] == "bye"


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [("FallbackToLogsOnError", 1, "why\n"), ("FallbackToLogsOnError", 0, None), ("File", 1, None)],
)
async def test_an_error_may_be_told_by_the_log(
    pods: Any, words: Any, policy: str, code: int, expected: str | None
) -> None:
    pods.run(f"echo why; exit {code}", terminationMessagePolicy=policy)
    ended = words.container(await pods.finished())["state"]["terminated"]
    assert ended.get("message") == expected


async def test_a_long_termination_message_is_cut(pods: Any, words: Any) -> None:
    pods.run("head -c 9000 /dev/zero | tr '\\0' x > /dev/termination-log")
    ended = words.container(await pods.finished())["state"]["terminated"]
    assert len(ended["message"]) == 4096


async def test_too_much_memory_is_oom_killed(pods: Any, words: Any) -> None:
    code = "import time; x = bytearray(120 << 20); time.sleep(600)"
    limits = {"limits": {"memory": "64Mi"}}
    pods.create(
        {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "c",
                    "image": "python:3",
                    "command": ["python", "-c", code],
                    "resources": limits,
                }
            ],
        }
    )
    ended = words.container(await pods.finished())["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


async def test_a_pod_past_its_deadline_fails(pods: Any, words: Any) -> None:
    spec: Obj = {"activeDeadlineSeconds": 1, "terminationGracePeriodSeconds": 1}
    pods.create({**spec, "restartPolicy": "Never", "containers": [words.sh("sleep 600")]})
    pod = await pods.finished()
    assert (words.phase(pod), pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")


async def test_a_program_that_is_not_there(pods: Any, words: Any) -> None:
    container = {"name": "c", "image": "busybox", "command": ["no-such-program"]}
    pods.create({"restartPolicy": "Never", "containers": [container]})
    pod = await pods.finished()
    ended = words.container(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "executable file not found in $PATH" in ended["message"]


async def test_an_unknown_image_cannot_be_pulled_until_it_is_corrected(
    pods: Any, words: Any
) -> None:
    container = {"name": "c", "image": "nobody/knows:1", "command": ["true"]}
    pods.create({"restartPolicy": "Never", "containers": [container]})
    await pods.until(lambda pod: words.waiting(pod) == "ErrImagePull")
    pod = await pods.until(lambda pod: words.waiting(pod) == "ImagePullBackOff")
    assert words.phase(pod) == "Pending"
    reasons = [(reason, message) for _, reason, message in pods.events()]
    assert ("Failed", "Error: ErrImagePull") in reasons
    assert ("BackOff", 'Back-off pulling image "nobody/knows:1"') in reasons
    pods.patch("pods", "p", {"spec": {"containers": [{"name": "c", "image": "busybox"}]}})
    assert words.phase(await pods.finished()) == "Succeeded"


async def test_a_container_sees_a_clean_environment(
    pods: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    pods.run("env; python -c 'import sys; print(sys.prefix)'")
    await pods.finished()
    lines = (await pods.logs()).splitlines()
    assert not [line for line in lines if line.startswith("SECRET_OF_THE_CALLER")]
    assert "HOSTNAME=p" in lines
    assert sys.prefix in lines


async def test_a_pod_that_a_finalizer_keeps_is_not_started_again(pods: Any, words: Any) -> None:
    spec = {"terminationGracePeriodSeconds": 1, "containers": [words.sh("echo run; sleep 600")]}
    pods.create(spec, finalizers=["pawl.dev/test"])
    await pods.ready()
    pods.delete()
    kept = await pods.finished()
    assert words.phase(kept) == "Failed"
    await pods.until(lambda pod: pod["metadata"].get("deletionGracePeriodSeconds") == 0)
    pods.patch("pods", "p", {"metadata": {"labels": {"touched": "yes"}}})
    pods.run("true", "later")
    await pods.finished("later")  # the node has seen the change before it
    assert await pods.logs() == "run\n"
    assert [reason for _, reason, _ in pods.events()].count("Started") == 1
    pods.registry.patch(
        "pods",
        "default",
        "p",
        [{"op": "remove", "path": "/metadata/finalizers"}],
        kind="json",
        manager="test",
    )
    await pods.gone()


@pytest.mark.parametrize(
    ("container", "previous", "message"),
    [
        ("x", False, "container x is not valid for pod p"),
        ("c", True, 'previous terminated container "c" in pod "p" not found'),
        ("late", False, 'container "late" in pod "p" is waiting to start: image can\'t be pulled'),
    ],
)
async def test_logs_that_are_not_there(
    pods: Any, words: Any, container: str, previous: bool, message: str
) -> None:
    late = words.sh("true", "late", image="nobody/knows")
    running = words.sh("sleep 600")
    pods.create({"terminationGracePeriodSeconds": 1, "containers": [running, late]})
    await pods.until(
        lambda pod: (
            words.waiting(pod, "late") == "ErrImagePull"
            and "running" in words.container(pod)["state"]
        )
    )
    with pytest.raises(words.ApiError) as caught:
        await pods.logs(container, previous=previous)
    assert (caught.value.code, caught.value.message) == (400, message)


async def test_logs_can_be_cut_by_time(pods: Any) -> None:
    pods.run("echo a; sleep 1.1; echo b")
    await pods.finished()
    lines = (await pods.logs(timestamps=True)).split()
    second = lines[2]
    assert await pods.logs(since_time=second) == "b\n"
    assert await pods.logs(since_seconds=3600) == "a\nb\n"
    assert await pods.logs(tail_lines=1) == "b\n"
