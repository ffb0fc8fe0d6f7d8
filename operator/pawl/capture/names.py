"""What captured columns and files are called.

    <uri>/predictions/version=7/date=2026-11-26/churn-v7-6b5-x2f-0-1790000000123.parquet
    <uri>/feedback/date=2026-11-26/…

The date is UTC, of the file's first row. A file's last part is the pod, the number of its process
and when it was begun (epoch milliseconds): no two files have the same name. What replaces a file
after an erasure has the beginning of its own digest behind that.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final, Literal

Kind = Literal["predictions", "feedback"]

#: What all columns begin with that are no features.
OWN: Final = "pawl_"
ID: Final = "pawl_id"  # of the request: the first 16 characters of its token, else its request id
ROW: Final = "pawl_row"  # of the request, from 0
TIME: Final = "pawl_time"  # when it was answered, or when the truth came
MODEL: Final = "pawl_model"
VERSION: Final = "pawl_version"  # that predicted
LABEL: Final = "pawl_label"
VALUE: Final = "pawl_value"  # score of the second class, scores of all, or the number
GROUP: Final = "pawl_group"
WEIGHT: Final = "pawl_weight"  # share of the requests that the version got, 0 to 1
TRUTH: Final = "pawl_truth"  # as text
AGE: Final = "pawl_age"  # seconds from the prediction to its truth

#: The key of a parquet file's metadata under which a `tables.About` is.
ABOUT: Final = b"pawl"

_PATH = re.compile(
    r"(?P<kind>predictions/version=[A-Za-z0-9._-]+|feedback)/date=(?P<date>\d{4}-\d\d-\d\d)/"
    r"[^/]+\.parquet"
)


def path_of(kind: Kind, version: str, first: float, name: str) -> str:
    """Where below the URI a file belongs whose first row is of `first` (epoch seconds)."""
    day = datetime.fromtimestamp(first, UTC).date().isoformat()
    part = f"predictions/version={version}" if kind == "predictions" else kind
    return f"{part}/date={day}/{name}.parquet"


def date_of(path: str) -> date | None:
    """The date of a captured file; None when a path is none of them."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    try:
        return date.fromisoformat(found["date"])
    except ValueError:
        return None
