"""The model server: Open Inference Protocol v2 over HTTP for one version of one model.

protocol (JSON <-> tensors) -> codec (tensors <-> what a model is fed) -> engine (ONNX or skops)
-> dataplane (batching, metrics, errors; knows no transport) -> http. Run by `python -m
pawl.serving`; its settings are environment variables (`settings`).
"""
