"""What pods ask of a cluster is in their spec, and told when there is none of it."""

from __future__ import annotations

import recipes
from harness import Space

TEMPLATE = {
    "resources": {"limits": {"nvidia.com/gpu": 1, "memory": "1Gi"}},
    "nodeSelector": {"pool": "gpu"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    "imagePullSecrets": ["registry"],
    "volumes": [
        {"mountPath": "/images", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
        {"mountPath": "/dev/shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ],
}


def test_a_pod_that_no_node_can_take_is_told_and_has_all_that_the_template_says(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    trainer = {"container": {"image": "pawl/trainer:0.1.0", "command": ["true"]}}
    spec = recipes.sklearn_job(uri, trainer=trainer, template=TEMPLATE)
    space.create("TrainingJob", "large", spec)
    assert "Unschedulable" in space.told("large", "RunBlocked")
    (pod,) = space.list("Pod", "pawl.dev/training-job=large")
    assert pod["spec"]["nodeSelector"] == TEMPLATE["nodeSelector"]
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert TEMPLATE["tolerations"][0] in pod["spec"]["tolerations"]
    (train,) = [c for c in pod["spec"]["initContainers"] if c["name"] == "train"]
    assert train["resources"]["limits"] == {"nvidia.com/gpu": "1", "memory": "1Gi"}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounted = {mount["mountPath"]: volumes[mount["name"]] for mount in train["volumeMounts"]}
    assert mounted["/images"]["persistentVolumeClaim"] == {"claimName": "data", "readOnly": True}
    assert mounted["/dev/shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}
