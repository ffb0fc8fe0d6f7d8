"""The API server of the embedded cluster: store, registry, HTTP.

`registry.Registry` is the API machinery without a transport; `http.server.Server` serves it.
What it answers is what kube-apiserver answers; a difference is a bug.
"""
