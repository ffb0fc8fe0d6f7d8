"""Mount paths are only a convention on this node: containers see host directories.

A kubelet mounts a volume at `mountPath`; a host process cannot have mounts of its own without
privileges. So every place in the command, the arguments, the environment and the working
directory where a mount path stands as a path (`/data`, `/data/x.csv`, `file:///data/x`,
`--out=/data`) is replaced by the host directory. What a process composes for itself, or reads
from a file, is not seen here: it has to be told its paths.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# What may stand before a path: the start, white space, quotes, and what shells, flags, lists and
# URIs put there. `${DIR}/data` or `bucket/data` must not match.
_BEFORE = r"""(?:(?<=^)|(?<=[\s"'`=:,;(<>|&\[{@])|(?<=://))"""
_AFTER = r"(?=$|[^\w.\-]|\.(?:$|\s))"

# 0.0.0.0 stands for "all of my own addresses"; a pod here has exactly one.
_ANY_ADDRESS = re.compile(r"(?<![\d.])0\.0\.0\.0(?![\d.])")


@dataclass(frozen=True)
class Rewriter:
    """Rewrites mount paths to host paths, and 0.0.0.0 to the pod's address."""

    _pattern: re.Pattern[str] | None
    _hosts: Mapping[str, str]
    _address: str

    @classmethod
    def of(cls, mounts: Mapping[str, str], address: str) -> "Rewriter":
        """`mounts`: container path -> host path. The longest container path wins."""
        hosts = {path.rstrip("/"): host for path, host in mounts.items() if path.rstrip("/")}
        if not hosts:
            return cls(None, {}, address)
        longest_first = sorted(hosts, key=len, reverse=True)
        paths = "|".join(re.escape(path) for path in longest_first)
        return cls(re.compile(f"{_BEFORE}({paths}){_AFTER}"), hosts, address)

    def __call__(self, text: str) -> str:
        text = _ANY_ADDRESS.sub(self._address, text)
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._hosts[match.group(1)], text)
