"""What the API server can check of a schedule: that each of cron's five fields is one.

    field   term[,term]…
    term    * | value | value-value, each with or without /step; or what is counted from the end

Whatever cronsim takes passes, but for a step after L, which does nothing. That a range goes
backwards or that no such day ever comes (31 2) is left to the operator, as the time zone is.
"""

from __future__ import annotations

from typing import Any

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAYS = "sun|mon|tue|wed|thu|fri|sat"
_DAY = f"0*[0-7]|{_DAYS}"
#: Name, what it takes, its values, and what is counted from the end or within the month.
_FIELDS = (
    ("minute", "0 to 59", "0*[0-5]?[0-9]", ""),
    ("hour", "0 to 23", "0*(1?[0-9]|2[0-3])", ""),
    ("day of month", "1 to 31, L or LW", "0*([1-9]|[12][0-9]|3[01])", "|lw?"),
    ("month", "1 to 12 or JAN to DEC", f"0*([1-9]|1[0-2])|{_MONTHS}", ""),
    ("day of week", "0 to 7 or SUN to SAT, 5L or 5#2", _DAY, f"|0*[0-7]l|({_DAY})#0*[1-5]"),
)


def validations() -> dict[str, Any]:
    """`json_schema_extra` of a schedule."""
    rules = [
        {
            "rule": "self.matches('^[^ ]+( [^ ]+){4}$')",
            "message": "schedule has five fields: minute, hour, day of month, month, day of week, "
            "as in 0 3 * * 1; the time zone goes into timeZone",
        }
    ]
    for place, (name, takes, values, more) in enumerate(_FIELDS):
        term = f"(([*]|({values})(-({values}))?)(/0*[1-9][0-9]*)?{more})"
        before = f"[^ ]+( [^ ]+){{{place - 1}}} " if place else ""
        rules.append(
            {
                "rule": f"self.matches('(?i)^{before}{term}(,{term})*( |$)') || "
                "!self.matches('^[^ ]+( [^ ]+){4}$')",
                "message": f"schedule: the {name} takes {takes}, *, ranges like 1-5, lists like "
                "1,5 and steps like */2",
            }
        )
    return {"x-kubernetes-validations": rules}
