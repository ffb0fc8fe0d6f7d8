"""Imports every module that registers functions."""

from pawl.local.schema.cel import kubernetes, lists, operators, semver, strings, times

LIBRARIES = (operators, strings, lists, times, kubernetes, semver)
