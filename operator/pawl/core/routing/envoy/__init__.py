"""Envoy's configuration for a route (Envoy v3 API).

Static: the bootstrap with the public listener and the state listener. Dynamic, from files that the
kubelet swaps: clusters (`cds.yaml`), routes (`rds.yaml`) and, with TLS, where the certificate is
(`sds.yaml`). All of them are written as JSON, which is YAML and leaves nothing to quoting.
"""

from pawl.core.routing.envoy._bootstrap import CONFIG_DIR, TLS_DIR, bootstrap, secrets
from pawl.core.routing.envoy._clusters import clusters
from pawl.core.routing.envoy._names import READY
from pawl.core.routing.envoy._routes import routes

__all__ = ["CONFIG_DIR", "READY", "TLS_DIR", "bootstrap", "clusters", "routes", "secrets"]
