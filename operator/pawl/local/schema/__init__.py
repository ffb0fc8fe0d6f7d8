"""Kubernetes' schemas: structural schemas of CRDs, the built-in kinds, OpenAPI documents.

Pure functions over plain dicts; the only I/O is reading the definitions that the
`kubernetes-validate` package carries, on first use.
"""
