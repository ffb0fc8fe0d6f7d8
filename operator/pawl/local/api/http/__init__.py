"""The Kubernetes API over HTTPS, served from a `registry.Registry`."""
