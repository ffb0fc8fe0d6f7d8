"""Pawl: a Kubernetes operator for machine-learning models."""

__version__ = "0.1.0"
