"""Which predictions are captured, and that nothing waits for it."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest

from pawl.capture import spool
from pawl.errors import UserError
from pawl.serving import counters as c
from pawl.serving.capture import outlet
from pawl.serving.capture.capture import capture_of as start_capture
from pawl.serving.capture.columns import Columns
from pawl.serving.capture.exposition import exposition

CaptureOf = Callable[..., Any]
JobOf = Callable[..., Any]


def tokens(count: int) -> list[bytes]:
    return [urlsafe_b64encode(os.urandom(60)) for _ in range(count)]


def test_feedback_is_captured_exactly_of_the_predictions_that_are(
    capture_of: CaptureOf, job_of: JobOf
) -> None:
    predicting, taking = capture_of(percent=30), capture_of(percent=30)
    made = tokens(400)
    for token in made:
        predicting.answer(job_of(), tokens=[token])
        taking.capture.told(token.decode(), "7", 1.0, None, ["yes"])
    captured = {line["id"] for line in predicting.lines()}
    assert 60 < len(captured) < 180
    assert captured == {line["id"] for line in taking.lines("feedback")}
    assert captured < {token[:16].decode() for token in made}


def test_a_token_is_named_alike_in_either_alphabet(capture_of: CaptureOf, job_of: JobOf) -> None:
    taken = capture_of()
    taken.answer(job_of(), tokens=[b"a-_-" * 8])
    taken.capture.told("a+/+" * 8, "7", 1.0, None, ["yes"])
    assert [line["id"] for line in taken.lines()] == [
        line["id"] for line in taken.lines("feedback")
    ]


def test_more_percent_takes_all_that_fewer_take(capture_of: CaptureOf, job_of: JobOf) -> None:
    few, many = capture_of(percent=10), capture_of(percent=50)
    for token in tokens(200):
        few.answer(job_of(), tokens=[token])
        many.answer(job_of(), tokens=[token])
    assert {line["id"] for line in few.lines()} < {line["id"] for line in many.lines()}


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        pytest.param({"request_id": b"r-1"}, "r-1", id="the header"),
        pytest.param({}, "", id="none: made up"),
    ],
)
def test_without_a_token_the_request_id_is_the_name(
    asked: dict[str, Any], name: str, capture_of: CaptureOf, job_of: JobOf
) -> None:
    taken = capture_of()
    taken.answer(job_of(**asked))
    (line,) = taken.lines()
    assert line["id"] == name or (not name and len(line["id"]) == 16)


def test_every_request_of_a_batch_has_its_own_rows(capture_of: CaptureOf, job_of: JobOf) -> None:
    taken = capture_of()
    first = job_of(2, group="new", headers={b"x-pawl-weight": b"25"})
    taken.answer(first, job_of(1), tokens=[b"a" * 80, b"b" * 80])
    one, two = taken.lines()
    assert (one["n"], one["g"], one["w"]) == (2, "new", 0.25)
    assert (two["n"], two["g"], two["w"]) == (1, None, 1.0)
    assert one["v"] == [[0, 1], [1, 1], ["pro", "pro"], ["u0@x.org", "u1@x.org"]]
    assert (one["y"], one["p"]) == (["yes", "yes"], [0.75, 0.75])
    assert (two["y"], two["p"]) == (["yes"], [0.75])
    assert taken.count(c.CAPTURED) == 3


def test_of_a_batch_only_the_chosen_requests_are_written(
    capture_of: CaptureOf, job_of: JobOf
) -> None:
    """As if each came alone."""
    together, alone = capture_of(percent=50), capture_of(percent=50)
    made = tokens(40)
    jobs = [job_of(1 + number % 3) for number in range(40)]
    together.answer(*jobs, tokens=made)
    for one, token in zip(jobs, made, strict=True):
        alone.answer(one, tokens=[token])
    assert 5 < len(alone.lines()) < 35
    assert together.lines() == alone.lines()


def test_long_requests_become_several_lines(capture_of: CaptureOf, job_of: JobOf) -> None:
    taken = capture_of()
    taken.answer(job_of(600))
    lines = taken.lines()
    assert [(line["r"], line["n"]) for line in lines] == [(0, 256), (256, 256), (512, 88)]
    assert [age for line in lines for age in line["v"][0]] == list(range(600))


@pytest.mark.parametrize(
    ("limit", "value"),
    [pytest.param("QUEUE_ROWS", 10, id="rows"), pytest.param("QUEUE_BYTES", 20, id="bytes")],
)
def test_what_finds_no_room_in_the_queue_is_dropped_and_counted(
    limit: str, value: int, capture_of: CaptureOf, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, limit, value)
    taken = capture_of()
    for _ in range(15):
        taken.answer(job_of())
    assert taken.count(c.DROPPED_QUEUE) == 5
    assert len(taken.lines()) == 10
    taken.answer(job_of())
    assert len(taken.lines()) == 11


def test_rows_are_dropped_while_too_much_waits_for_the_writer(
    capture_of: CaptureOf, job_of: JobOf
) -> None:
    taken = capture_of(settings={"spool_bytes": 1000})
    taken.answer(job_of(20))
    assert len(taken.lines()) == 1
    taken.answer(job_of(3))
    assert len(taken.lines()) == 1
    assert taken.count(c.DROPPED_SPOOL) == 3
    for path in spool.names(taken.folder):
        os.truncate(path, 0)  # the writer took it
    taken.answer(job_of(2))
    assert taken.count(c.DROPPED_SPOOL) == 5  # until it is looked again
    taken.capture.outlet.drain()
    taken.answer(job_of(4))
    taken.capture.outlet.drain()
    assert taken.count(c.CAPTURED) == 24


def test_rows_that_cannot_be_written_are_counted_and_the_rest_goes_on(
    capture_of: CaptureOf, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = capture_of()
    taken.answer(job_of())
    taken.capture.outlet.drain()
    with monkeypatch.context() as patch:

        def full(descriptor: int, data: Any) -> int:
            if len(data) > 10:
                return real(descriptor, data[:10])
            raise OSError(28, "No space left on device")

        real = os.write
        patch.setattr(os, "write", full)
        taken.answer(job_of(2))
        taken.capture.outlet.drain()
    taken.answer(job_of())
    assert [line["n"] for line in taken.lines()] == [1, 1]
    assert taken.count(c.DROPPED_ERROR) == 2


def test_a_segment_ends_when_it_is_full_and_another_is_there_before(
    capture_of: CaptureOf, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MAX_ROWS", 3)
    monkeypatch.setattr(outlet, "_AT_ONCE", 1)
    taken = capture_of()
    for _ in range(7):
        taken.answer(job_of())
    taken.capture.outlet.drain()
    assert [len(rows) for _, *rows in taken.segments()] == [3, 3, 1]
    finished = []
    for path in spool.names(taken.folder):
        with spool.claim(path) as file:
            finished.append(file is not None)
    assert finished == [True, True, False]


def test_a_segment_ends_in_time_but_not_without_rows(capture_of: CaptureOf, job_of: JobOf) -> None:
    taken = capture_of(settings={"roll_seconds": 0.0})
    taken.capture.outlet.drain()
    assert len(taken.segments()) == 1
    taken.answer(job_of())
    taken.capture.outlet.drain()
    assert [len(rows) for _, *rows in taken.segments()] == [1, 0]


def test_what_was_captured_is_written_when_it_ends(capture_of: CaptureOf, job_of: JobOf) -> None:
    taken = capture_of()
    taken.capture.outlet.start()
    taken.answer(job_of())
    taken.capture.outlet.close()
    ((_, line),) = taken.segments()
    assert line["n"] == [1]
    empty = capture_of()
    empty.capture.outlet.close()
    assert empty.segments() == []


def test_a_server_whose_capture_is_wrong_serves_without(
    bundles: Any, signature: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from pawl.capture.config import CaptureSettings, Choice
    from pawl.serving.counters import Counters

    chosen = CaptureSettings(Choice(percent=1, drop=("nothing",)), tmp_path / "spool", "pod")
    settings = bundles.classifier(capture=chosen)
    assert start_capture(settings, signature("a", "b"), Counters()) is None
    assert "nothing is captured" in caplog.text


def test_hashes_need_a_key(signature_of_capture: Any) -> None:
    from pawl.capture.config import Choice

    with pytest.raises(UserError, match="needs a key"):
        Columns(signature_of_capture, Choice(percent=1, hash=("email",)), None)


def test_counters_are_told(capture_of: CaptureOf, job_of: JobOf) -> None:
    taken = capture_of()
    taken.answer(job_of(2))
    taken.capture.told("a" * 40, "7", 1.0, None, ["yes"])
    taken.capture.outlet.drain()
    lines = list(exposition(taken.counters, taken.capture.outlet.waiting))
    assert "pawl_capture_active 1" in lines
    assert 'pawl_capture_rows_total{kind="predictions"} 2' in lines
    assert 'pawl_capture_rows_total{kind="feedback"} 1' in lines
    assert 'pawl_capture_dropped_total{reason="queue"} 0' in lines
    assert f"pawl_capture_spool_bytes {spool.size(taken.folder)}" in lines


def test_lines_of_many_requests_are_written_at_once(
    capture_of: CaptureOf, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = capture_of()
    written: list[int] = []
    append = spool.Segment.append

    def counted(segment: spool.Segment, lines: bytes, rows: int, now: float) -> None:
        written.append(rows)
        append(segment, lines, rows, now)

    monkeypatch.setattr(spool.Segment, "append", counted)
    for _ in range(7):
        taken.answer(job_of())
    taken.capture.outlet.drain()
    assert written == [7]
    assert [len(rows) for _, *rows in taken.segments()] == [7]
