"""kubectl apply, diff, create, patch, edit: the ways to write."""

from pathlib import Path
from typing import Any

import pytest

CONFIG_MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "labels": {"app": "demo"}},
    "data": {"colour": "red"},
}


def changed(**data: str) -> dict[str, Any]:
    return {**CONFIG_MAP, "data": data}


def deployment(image: str = "busybox:1") -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }


def test_apply_creates_then_leaves_alone_then_configures(kubectl):
    assert kubectl("apply", "-f-", stdin=CONFIG_MAP) == "configmap/settings created\n"
    assert kubectl("apply", "-f-", stdin=CONFIG_MAP) == "configmap/settings unchanged\n"
    assert kubectl("apply", "-f-", stdin=changed(colour="blue")) == (
        "configmap/settings configured\n"
    )
    assert kubectl.json("get", "cm", "settings")["data"] == {"colour": "blue"}


def test_apply_removes_what_the_manifest_no_longer_has(kubectl):
    kubectl("apply", "-f-", stdin=changed(a="1", b="2"))
    kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"other": "3"}}')
    kubectl("apply", "-f-", stdin=changed(a="1"))
    assert kubectl.json("get", "cm", "settings")["data"] == {"a": "1", "other": "3"}


def test_server_side_apply_conflicts_until_forced(kubectl):
    kubectl("apply", "--server-side", "-f-", stdin=CONFIG_MAP)
    other = ("apply", "--server-side", "--field-manager=other", "-f-")
    error = kubectl(*other, stdin=changed(colour="blue"), fails=True)
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .data.colour' in error
    kubectl(*other, "--force-conflicts", stdin=changed(colour="blue"))
    live = kubectl.json("get", "cm", "settings", "--show-managed-fields")
    owners = {
        entry["manager"]
        for entry in live["metadata"]["managedFields"]
        if "f:data" in entry["fieldsV1"]
    }
    assert owners == {"other"}


def test_server_side_apply_removes_fields_that_nobody_owns_any_more(kubectl):
    kubectl("apply", "--server-side", "-f-", stdin=changed(a="1", b="2"))
    kubectl("apply", "--server-side", "--field-manager=other", "-f-", stdin=changed(b="2"))
    kubectl("apply", "--server-side", "-f-", stdin=changed(c="3"))
    assert kubectl.json("get", "cm", "settings")["data"] == {"b": "2", "c": "3"}


def test_diff_shows_what_apply_would_do_and_does_nothing(kubectl):
    kubectl("apply", "-f-", stdin=CONFIG_MAP)
    done = kubectl.raw("diff", "-f-", stdin=changed(colour="blue"))
    assert done.returncode == 1, done.stderr
    assert "-  colour: red\n+  colour: blue\n" in done.stdout
    assert kubectl.json("get", "cm", "settings")["data"] == {"colour": "red"}
    assert kubectl.raw("diff", "-f-", stdin=CONFIG_MAP).returncode == 0


@pytest.mark.parametrize("mode", ["server", "client"])
def test_dry_run_stores_nothing(kubectl, mode):
    kubectl("apply", f"--dry-run={mode}", "-f-", stdin=CONFIG_MAP)
    assert "NotFound" in kubectl("get", "cm", "settings", fails=True)


def test_create_twice_says_that_it_exists(kubectl):
    kubectl("create", "-f-", stdin=CONFIG_MAP)
    error = kubectl("create", "-f-", stdin=CONFIG_MAP, fails=True)
    assert error == (
        'Error from server (AlreadyExists): error when creating "STDIN": configmaps "settings" '
        "already exists\n"
    )


def test_generate_name_makes_a_new_object_every_time(kubectl):
    body = {**CONFIG_MAP, "metadata": {"generateName": "settings-"}}
    names = {kubectl("create", "-f-", "-o", "name", stdin=body) for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("configmap/settings-") for name in names)


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        pytest.param("strategic", '{"spec":{"template":{"spec":{"containers":[{"name":"main",'
                     '"image":"busybox:2"}]}}}}', id="strategic"),
        pytest.param("merge", '{"spec":{"template":{"spec":{"containers":[{"name":"main",'
                     '"image":"busybox:2"}]}}}}', id="merge"),
        pytest.param("json", '[{"op":"replace","path":"/spec/template/spec/containers/0/image",'
                     '"value":"busybox:2"}]', id="json"),
    ],
)  # fmt: skip
def test_patches_change_the_spec_and_its_generation(kubectl, kind, patch):
    kubectl("apply", "-f-", stdin=deployment())
    kubectl("patch", "deploy", "web", f"--type={kind}", "-p", patch)
    live = kubectl.json("get", "deploy", "web")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:2"
    assert live["metadata"]["generation"] == 2


def test_labels_and_annotations_are_no_new_generation(kubectl):
    kubectl("apply", "-f-", stdin=deployment())
    kubectl("label", "deploy", "web", "tier=front")
    kubectl("annotate", "deploy", "web", "note=hello")
    meta = kubectl.json("get", "deploy", "web")["metadata"]
    assert (meta["labels"]["tier"], meta["annotations"]["note"]) == ("front", "hello")
    assert meta["generation"] == 1


def test_edit_through_an_editor(kubectl):
    kubectl("apply", "-f-", stdin=CONFIG_MAP)
    kubectl.env["EDITOR"] = "sed -i s/red/green/"
    assert "edited" in kubectl("edit", "cm", "settings")
    assert kubectl.json("get", "cm", "settings")["data"] == {"colour": "green"}


def test_replace_with_a_stale_resource_version_is_a_conflict(kubectl):
    kubectl("create", "-f-", stdin=CONFIG_MAP)
    stale = kubectl.json("get", "cm", "settings")
    kubectl("label", "cm", "settings", "a=b")
    error = kubectl("replace", "-f-", stdin=stale, fails=True)
    assert (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; '
        "please apply your changes to the latest version and try again" in error
    )


def test_scale(kubectl):
    kubectl("apply", "-f-", stdin=deployment())
    assert kubectl("scale", "deploy/web", "--replicas=3") == "deployment.apps/web scaled\n"
    live = kubectl.json("get", "deploy", "web")
    assert (live["spec"]["replicas"], live["metadata"]["generation"]) == (3, 2)


def test_set_image_and_restart(kubectl):
    kubectl("apply", "-f-", stdin=deployment())
    kubectl("set", "image", "deploy/web", "main=busybox:9")
    kubectl("rollout", "restart", "deploy/web")
    assert kubectl.json("get", "deploy", "web")["metadata"]["generation"] == 3


def test_kustomize(kubectl, tmp_path: Path):
    (tmp_path / "base.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: b}\n"
    )
    (tmp_path / "kustomization.yaml").write_text(
        "namePrefix: my-\nresources: [base.yaml]\n"
        "configMapGenerator: [{name: made, literals: [x=y]}]\n"
    )
    out = kubectl("apply", "-k", str(tmp_path))
    assert "configmap/my-plain created" in out
    assert "configmap/my-made-" in out
    assert "unchanged" in kubectl("apply", "-k", str(tmp_path))


def test_immutable_fields_are_refused_with_the_field_named(kubectl):
    kubectl("apply", "-f-", stdin=deployment())
    body = deployment()
    body["spec"]["selector"]["matchLabels"]["x"] = "y"
    body["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    error = kubectl("apply", "-f-", stdin=body, fails=True)
    assert "spec.selector: Invalid value" in error
    assert "field is immutable" in error


@pytest.mark.parametrize(
    ("mode", "fails", "said"),
    [
        pytest.param("strict", True, "strict decoding error: unknown field", id="strict"),
        pytest.param("warn", False, 'Warning: unknown field "spec.tempalte"', id="warn"),
        pytest.param("ignore", False, "", id="ignore"),
    ],
)  # fmt: skip
def test_unknown_fields_by_validation_mode(kubectl, mode, fails, said):
    body = deployment()
    body["spec"]["tempalte"] = {}
    done = kubectl.raw("create", f"--validate={mode}", "-f-", stdin=body)
    assert (done.returncode != 0) is fails, done.stderr
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)
