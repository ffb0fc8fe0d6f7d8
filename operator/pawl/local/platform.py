"""Where the embedded cluster can run, said in a sentence where it cannot."""

import os
import sys

from pawl.local.state import LocalError


def require() -> None:
    """Raises LocalError on anything but a Linux with /proc and pidfds (5.3, 2019)."""
    if sys.platform != "linux":
        raise LocalError(
            "the embedded cluster runs on Linux only (it needs /proc and 127.0.0.0/8). "
            "Elsewhere use a cluster in containers: kind (https://kind.sigs.k8s.io), then "
            "install Pawl from manifests/"
        )
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        raise LocalError(
            f"the embedded cluster needs Linux 5.3 or newer (pidfd_open: {error.strerror}). "
            "Use kind (https://kind.sigs.k8s.io) instead"
        ) from None
