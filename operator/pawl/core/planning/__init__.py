"""What a rollout needs before it is tried: requests and seconds until each gate can decide.

Two candidates are supposed: one as good as the stable version, which every gate should pass, and
one that is worse by the whole limit, which it should stop. Evidence adds over steps of different
weight (`stats.sequential.forecast`); all counts are medians.
"""

from pawl.core.planning._forecast import forecast_of
from pawl.core.planning._records import Forecast, Need, Step, Supposed, observed

__all__ = ["Forecast", "Need", "Step", "Supposed", "forecast_of", "observed"]
