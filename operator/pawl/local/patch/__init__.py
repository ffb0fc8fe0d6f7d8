"""Patches: merge (RFC 7386), JSON (RFC 6902), strategic merge, and server-side apply (`managed`).

Pure functions: each returns a new object and leaves its arguments alone.
"""

from pawl.local.patch.errors import PatchError
from pawl.local.patch.json_patch import json_patch
from pawl.local.patch.merge import merge
from pawl.local.patch.strategic import strategic

__all__ = ["PatchError", "json_patch", "merge", "strategic"]
