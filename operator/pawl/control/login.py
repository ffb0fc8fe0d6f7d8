"""Who we are to the API server, and by which way we reach it."""

from __future__ import annotations

import os
from urllib import request
from urllib.parse import urlsplit

import yaml
from kubernetes.aio import client, config

from pawl.errors import UserError


async def log_in(configuration: client.Configuration, kubeconfig: str | None) -> str:
    """Reads who we are into the configuration, and gives the context's namespace. UserError when
    that cannot be read."""
    namespace = "default"
    kubeconfig = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, client_configuration=configuration
            )
            contexts = config.list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call]
            namespace = contexts[1]["context"].get("namespace") or namespace
    except (config.ConfigException, yaml.YAMLError, OSError, TypeError, KeyError) as error:
        where = kubeconfig or "~/.kube/config"
        raise UserError(f"the kubeconfig {where} cannot be used: {error}") from error
    return namespace


def proxy(url: str) -> str | None:
    """What the environment says of one, read once: aiohttp would read it for every request, in a
    thread, and that is a third of what a request costs."""
    parts = urlsplit(url)
    if parts.hostname is None or request.proxy_bypass(parts.hostname):
        return None
    return request.getproxies().get(parts.scheme)
