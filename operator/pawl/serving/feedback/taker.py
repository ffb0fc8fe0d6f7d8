"""A feedback request: every token is opened and every truth checked before anything is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final

import orjson

from pawl.errors import SignatureError
from pawl.serving.errors import TokenError, TooLargeError
from pawl.serving.feedback.ledger import Judged, Ledger
from pawl.serving.feedback.message import Entry, parse_feedback
from pawl.serving.feedback.seen import Seen
from pawl.serving.feedback.tokens import Opened, Opener, fingerprint, label_hash
from pawl.serving.monitor.memory import CONFUSION, VALUES
from pawl.serving.protocol import shown

#: Of all tokens of one request: it is handled on the event loop.
MAX_TRUTHS: Final = 10_000
#: Larger ones count as this, so that sums of squares stay finite.
_MAX_ERROR: Final = 1e150
#: Token, version, when the prediction was made (epoch seconds), group, truth of each row.
Told = Callable[[str, str, float, str | None, list[Any]], None]


class Taker:
    """Takes feedback for any version of one model, at a pod that serves one."""

    def __init__(
        self,
        opener: Opener,
        ledger: Ledger,
        seen: Seen,
        *,
        classes: Sequence[Any],
        max_age: float,
        second: Callable[[], int],
        told: Told | None = None,
    ) -> None:
        """`classes` of the version here, for tokens of versions with the same; `second` gives the
        epoch second in which feedback is counted; older tokens than `max_age` seconds expire.
        `told` gets every truth that comes for the first time."""
        self._opener = opener
        self._ledger = ledger
        self._seen = seen
        self._classes = classes
        self._hashes = frozenset(map(label_hash, classes))
        self._fingerprint = fingerprint(classes)
        self._two = tuple(map(label_hash, classes)) if len(classes) == 2 else None
        self._max_age = max_age
        self._second = second
        self._told = told

    def take(self, body: bytes) -> bytes:
        """How many tokens were accepted, repeated and expired. SignatureError or TooLargeError when
        one entry is wrong; then none was counted."""
        entries = parse_feedback(body)
        if sum(len(entry.truth) for entry in entries) > MAX_TRUTHS:
            raise TooLargeError(f"feedback: at most {MAX_TRUTHS} truths are taken in one request")
        opened = [self._opened(entry) for entry in entries]
        judged = [self._judged(*pair) for pair in zip(entries, opened, strict=True)]
        new = self._seen.add([token.id for token in opened])
        second = self._second()
        accepted = expired = 0
        for verdict, first, entry in zip(judged, new, entries, strict=True):
            if not first:
                continue
            if self._told is not None:
                self._told(entry.token, verdict.version, verdict.made, verdict.group, entry.truth)
            if second - verdict.made > self._max_age:
                self._ledger.late(verdict.version, verdict.kind, second)
                expired += 1
            elif self._ledger.add(verdict, second):
                accepted += 1
            else:  # of a version that nothing is counted of any more
                expired += 1
        repeated = new.count(False)
        return orjson.dumps({"accepted": accepted, "repeated": repeated, "expired": expired})

    def _opened(self, entry: Entry) -> Opened:
        try:
            opened = self._opener.open(entry.token)
        except TokenError as error:
            field = f"feedback[{entry.place}].token"
            raise SignatureError(f"{field}: {error}", field=field) from None
        if len(entry.truth) != len(opened.rows):
            field = f"feedback[{entry.place}].truth"
            raise SignatureError(
                f"{field}: {len(entry.truth)} for a prediction of {len(opened.rows)} rows",
                field=field,
            )
        return opened

    def _judged(self, entry: Entry, token: Opened) -> Judged:
        """Rows without truth are left out, and values without a finite prediction; a label that was
        not given is wrong."""
        n = wrong = 0
        errors = []
        confusion = [0] * len(CONFUSION)
        two = self._two if token.classes == self._fingerprint else None
        for truth, said in zip(entry.truth, token.rows, strict=True):
            if truth is None:
                continue
            if isinstance(said, float):
                error = abs(self._number(truth, entry) - said)
                if isfinite(said):
                    errors.append(min(error, _MAX_ERROR))
            else:
                label = self._label(truth, entry, token)
                n += 1
                wrong += said != label
                if two is not None and said in two:
                    confusion[2 * (said != two[1]) + (label != two[1])] += 1
        return Judged(
            version=token.version,
            kind=token.kind,
            made=token.made,
            weight=token.weight,
            group=entry.group or token.group,
            n=len(errors) if token.kind == VALUES else n,
            wrong=wrong,
            errors=tuple(errors),
            confusion=tuple(confusion) if any(confusion) else None,
        )

    def _number(self, truth: Any, entry: Entry) -> float:
        if type(truth) not in (int, float) or abs(truth) > 1e300:
            field = f"feedback[{entry.place}].truth"
            raise SignatureError(f"{field}: {shown(truth)} is no number", field=field)
        return float(truth)

    def _label(self, truth: Any, entry: Entry, token: Opened) -> bytes:
        hash_ = label_hash(truth)
        if self._hashes and token.classes == self._fingerprint and hash_ not in self._hashes:
            field = f"feedback[{entry.place}].truth"
            some = ", ".join(shown(value) for value in self._classes[:10])
            raise SignatureError(
                f"{field}: {shown(truth)} is none of the classes {some}", field=field
            )
        return hash_
