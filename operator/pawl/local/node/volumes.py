"""The volumes of a pod as directories of this host.

configMap, secret, downwardAPI and projected are written atomically and follow their sources;
emptyDir lives and dies with the pod; a persistentVolumeClaim is a directory of the cluster's data
directory that stays as long as the cluster does; hostPath is the path itself. `readOnly` and size
limits are not enforced: the process runs as the user who started the cluster.

A file of a `subPath` in a written volume is a copy made when the container starts, and, as on a
kubelet, does not follow later changes.
"""

import base64
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pawl.errors import PawlError
from pawl.local.node.atomic import FileContent, write
from pawl.local.node.environment import (
    ConfigError,
    Lookup,
    allocatable,
    decoded,
    expand,
    field_value,
    resource_value,
)

Obj = dict[str, Any]

_WRITTEN = ("configMap", "secret", "downwardAPI", "projected")


class VolumeError(PawlError):
    """The volume cannot be set up (yet); the pod waits."""

    reason = "FailedMount"


@dataclass(frozen=True)
class PodVolumes:
    """Sets up the volumes of one pod below `root`.

    `token()` is the token for the API of this pod's service account; it raises VolumeError when
    the pod gets none.
    """

    root: Path
    claims: Path
    find: Lookup
    token: Callable[[], bytes]

    def set_up(self, pod: Obj) -> None:
        """Make every volume ready. Raises VolumeError with the kubelet's sentence."""
        for volume in pod["spec"].get("volumes") or ():
            try:
                self._set_up(volume, pod)
            except (VolumeError, ConfigError) as error:
                raise VolumeError(
                    f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                ) from error

    def refresh(self, pod: Obj) -> bool:
        """Follow the sources of written volumes; what is missing now keeps its old content."""
        changed = False
        for volume in pod["spec"].get("volumes") or ():
            if any(kind in volume for kind in _WRITTEN):
                try:
                    changed |= write(self._path(volume, pod), self._files(volume, pod))
                except (VolumeError, ConfigError):
                    continue
        return changed

    def mounts(self, container: Obj, pod: Obj, env: Mapping[str, str]) -> dict[str, str]:
        """Mount path -> host path for one container. Raises ConfigError."""
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
        found = {}
        for index, mount in enumerate(container.get("volumeMounts") or ()):
            volume = volumes.get(mount["name"])
            if volume is None:
                raise ConfigError(f'cannot find volume "{mount["name"]}" to mount into container')
            below = expand(mount.get("subPathExpr") or "", env) or mount.get("subPath") or ""
            path = self._path(volume, pod)
            if below:
                copy = self.root / "subpaths" / container["name"] / str(index)
                path = self._sub_path(volume, path, below, copy)
            found[mount["mountPath"]] = str(path)
        return found

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def _path(self, volume: Obj, pod: Obj) -> Path:
        namespace = self.claims / str(pod["metadata"]["namespace"])
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        if "persistentVolumeClaim" in volume:
            return namespace / str(volume["persistentVolumeClaim"]["claimName"])
        if "ephemeral" in volume:
            return namespace / f"{pod['metadata']['name']}-{volume['name']}"
        return self.root / str(volume["name"])

    def _set_up(self, volume: Obj, pod: Obj) -> None:
        path = self._path(volume, pod)
        if any(kind in volume for kind in _WRITTEN):
            write(path, self._files(volume, pod))
        elif "hostPath" in volume:
            _check_host_path(path, volume["hostPath"].get("type") or "")
        elif "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            if self.find("persistentvolumeclaims", claim) is None:
                raise VolumeError(f'persistentvolumeclaim "{claim}" not found')
            path.mkdir(parents=True, exist_ok=True)
        elif "emptyDir" in volume or "ephemeral" in volume or set(volume) == {"name"}:
            path.mkdir(parents=True, exist_ok=True)
        else:
            kind = next(key for key in volume if key != "name")
            raise VolumeError(f"the embedded cluster has no volume plugin for {kind}")

    def _sub_path(self, volume: Obj, root: Path, below: str, copy: Path) -> Path:
        path = root / below
        if not path.resolve().is_relative_to(root.resolve()):
            raise ConfigError(f'subPath "{below}" must not leave its volume')
        if any(kind in volume for kind in _WRITTEN) and path.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            shutil.copy(path, copy)
            return copy
        if not path.exists():
            path.mkdir(parents=True)
        return path

    def _files(self, volume: Obj, pod: Obj) -> dict[str, FileContent]:
        if "projected" in volume:
            mode = volume["projected"].get("defaultMode", 0o644)
            files: dict[str, FileContent] = {}
            for source in volume["projected"].get("sources") or ():
                files.update(self._source_files(source, pod, mode))
            return files
        kind = next(key for key in _WRITTEN if key in volume)
        mode = volume[kind].get("defaultMode", 0o644)
        return self._source_files(volume, pod, mode)

    def _source_files(self, source: Obj, pod: Obj, mode: int) -> dict[str, FileContent]:
        """One source of a projected volume, or the volume itself: both name their kind alike."""
        if "configMap" in source:
            config = source["configMap"]
            return self._keys(config, config["name"], "configmaps", "configmap", mode)
        if "secret" in source:
            secret = source["secret"]
            name = secret.get("secretName") or secret["name"]
            return self._keys(secret, name, "secrets", "secret", mode)
        if "downwardAPI" in source:
            items = source["downwardAPI"].get("items") or ()
            return {
                item["path"]: FileContent(_downward(item, pod), item.get("mode", mode))
                for item in items
            }
        if "serviceAccountToken" in source:
            return {source["serviceAccountToken"]["path"]: FileContent(self.token(), 0o600)}
        kind = next(iter(source), "")
        raise VolumeError(f"the embedded cluster has no projection for {kind}")

    def _keys(
        self, source: Obj, name: str, resource: str, kind: str, mode: int
    ) -> dict[str, FileContent]:
        optional = bool(source.get("optional"))
        found = self.find(resource, name)
        if found is None:
            if optional:
                return {}
            raise VolumeError(f'{kind} "{name}" not found')
        content = _content(resource, found)
        items = source.get("items")
        if not items:
            return {key: FileContent(data, mode) for key, data in content.items()}
        files = {}
        for item in items:
            if item["key"] in content:
                data = content[item["key"]]
                files[item["path"]] = FileContent(data, item.get("mode", mode))
            elif not optional:
                word = "secret" if kind == "secret" else "config"
                raise VolumeError(f"references non-existent {word} key: {item['key']}")
        return files


def _content(resource: str, obj: Obj) -> dict[str, bytes]:
    if resource == "secrets":
        return decoded(obj)
    text = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {**text, **binary}


def _downward(item: Obj, pod: Obj) -> bytes:
    if "fieldRef" in item:
        return field_value(item["fieldRef"]["fieldPath"], pod).encode()
    reference = item["resourceFieldRef"]
    name = reference["containerName"]
    container = next(each for each in pod["spec"]["containers"] if each["name"] == name)
    return resource_value(reference, container, allocatable()).encode()


def _check_host_path(path: Path, kind: str) -> None:
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        path.touch(exist_ok=True)
    elif (kind == "Directory" and not path.is_dir()) or (kind == "File" and not path.is_file()):
        raise VolumeError(f"hostPath type check failed: {path} is not a {kind.lower()}")
