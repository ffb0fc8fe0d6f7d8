"""Which form of an answer a client wants: the Accept header (apiserver pkg/endpoints/handlers/
negotiation). JSON and YAML; protobuf is read but not written, and clients that send it accept JSON
as well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pawl.local.api import errors

JSON = "application/json"
YAML = "application/yaml"
_META = "meta.k8s.io"
_TRANSFORMED = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True)
class Form:
    """`kind`: "" for objects as they are, Table, PartialObjectMetadata(List). `include`: what of
    the object a table row has: None, Metadata or Object."""

    kind: str = ""
    version: str = "v1"
    yaml: bool = False
    include: str = "Metadata"
    pretty: bool = False

    @property
    def content_type(self) -> str:
        if self.yaml:
            return YAML
        if not self.kind:
            return JSON
        return f"{JSON};as={self.kind};v={self.version};g={_META}"


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Form:
    """The first form of the header that is served. ApiError 406 when none is."""
    if not accept:
        return Form()
    for clause in accept.split(","):
        media, *parameters = [part.strip() for part in clause.split(";")]
        given = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media not in (JSON, YAML, "application/*", "*/*"):
            continue
        kind = given.get("as", "")
        if not kind:
            return Form(yaml=media == YAML)
        if given.get("g") == _META and given.get("v") in ("v1", "v1beta1") and kind in _TRANSFORMED:
            return Form(kind, given["v"], yaml=media == YAML)
    raise errors.not_acceptable([JSON, YAML])


def aggregated(accept: str) -> str:
    """The version of aggregated discovery that the client prefers, "" for the old documents."""
    for clause in accept.split(","):
        given = clause.replace(" ", "")
        if "as=APIGroupDiscoveryList" in given and "g=apidiscovery.k8s.io" in given:
            for version in ("v2beta1", "v2"):
                if f"v={version};" in given + ";":
                    return version
        elif given.split(";")[0] in (JSON, "*/*"):
            return ""
    return ""
