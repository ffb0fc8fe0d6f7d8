"""Numbers that several processes add up."""

from __future__ import annotations

import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pawl.serving import counters as c
from pawl.serving.counters import Counters, request_slot, shared_memory
from pawl.serving.metrics import exposition

INFO = {"model": "churn", "version": "7", "engine": "onnx", "digest": 'sha256:"\\\n'}


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def shared(blocks: int) -> list[Counters]:
    memory = shared_memory(blocks)
    try:
        return [Counters(blocks, index, memory) for index in range(blocks)]
    finally:
        os.close(memory)


def test_slots_do_not_overlap() -> None:
    slots = [request_slot(o, code) for o in c.OPERATIONS for code in c.CODES]
    for histogram in (c.LATENCY, c.BATCH):
        slots += range(histogram.at, histogram.at + histogram.size)
    slots += range(c.IN_FLIGHT, c.DROPPED_ERROR + 1)
    assert sorted(slots) == list(range(c.BLOCK))


def test_an_unusual_code_makes_no_new_series() -> None:
    assert request_slot("infer", 418) == request_slot("infer", 500)


def test_processes_are_summed() -> None:
    first, second = shared(2)
    first.mine[c.ROWS] += 3
    second.mine[c.ROWS] += 4
    assert first.total(c.ROWS) == second.total(c.ROWS) == 7


def test_a_replaced_process_keeps_its_counts_and_resets_its_gauges() -> None:
    memory = shared_memory(1)
    first = Counters(1, 0, memory)
    first.mine[c.ROWS] += 3
    first.mine[c.IN_FLIGHT] += 2
    second = Counters(1, 0, memory)
    os.close(memory)
    assert second.mine[c.ROWS] == 3
    assert second.mine[c.IN_FLIGHT] == 0


@pytest.mark.parametrize(
    ("states", "ready"),
    [
        pytest.param([c.STATE_READY, c.STATE_READY], True, id="all"),
        pytest.param([c.STATE_READY, c.STATE_ABSENT], True, id="one died"),
        pytest.param([c.STATE_READY, c.STATE_LOADING], False, id="one takes but cannot answer"),
        pytest.param([c.STATE_READY, c.STATE_DRAINING], False, id="one drains"),
        pytest.param([c.STATE_ABSENT, c.STATE_ABSENT], False, id="none"),
    ],
)
def test_ready_means_that_whoever_takes_a_request_can_answer(
    states: list[int], ready: bool
) -> None:
    both = shared(2)
    for counters, state in zip(both, states, strict=True):
        counters.mine[c.STATE] = state
    assert both[0].ready is ready


def test_a_process_that_is_expected_keeps_the_others_from_being_ready() -> None:
    memory = shared_memory(2)
    first = Counters(2, 0, memory)
    first.expect(1)
    first.mine[c.STATE] = c.STATE_READY
    assert not first.ready
    second = Counters(2, 1, memory)
    os.close(memory)
    assert not first.ready
    second.mine[c.STATE] = c.STATE_READY
    assert first.ready
    first.clear(1)
    assert first.ready


@pytest.mark.parametrize(
    ("value", "below"),
    [(0.0001, "0.00025"), (0.00025, "0.00025"), (0.0003, "0.0005"), (99.0, "+Inf")],
)
def test_a_histogram_counts_up_to_and_including_its_bounds(value: float, below: str) -> None:
    counters = Counters()
    counters.observe(c.LATENCY, value)
    found = samples(exposition(counters, INFO))
    name = "pawl_server_infer_duration_seconds"
    bounds = [f"{bound:g}" for bound in c.LATENCY_BOUNDS] + ["+Inf"]
    counts = [found[(f"{name}_bucket", (("le", bound),))] for bound in bounds]
    assert counts == [0.0] * bounds.index(below) + [1.0] * (len(bounds) - bounds.index(below))
    assert found[(f"{name}_sum", ())] == value
    assert found[(f"{name}_count", ())] == 1


def test_the_exposition_can_be_read_and_says_what_happened() -> None:
    first, second = shared(2)
    for counters in (first, second):
        counters.mine[c.STATE] = c.STATE_READY
        counters.mine[request_slot("infer", 200)] += 2
    second.mine[request_slot("infer", 429)] += 1
    first.mine[c.ENGINE_SECONDS] += 0.5
    found = samples(exposition(first, INFO))
    requests = "pawl_server_requests_total"
    assert found[(requests, (("code", "200"), ("operation", "infer")))] == 4
    assert found[(requests, (("code", "429"), ("operation", "infer")))] == 1
    assert found[("pawl_server_model_info", tuple(sorted(INFO.items())))] == 1
    assert found[("pawl_server_engine_seconds_total", ())] == 0.5
    assert found[("pawl_server_ready", ())] == 1
    assert found[("process_resident_memory_bytes", ())] > 1e6
    assert found[("process_cpu_seconds_total", ())] > 0


def test_a_process_that_is_gone_uses_nothing() -> None:
    counters = Counters()
    counters.mine[c.PID] = 2**22 + 1  # beyond the kernel's largest
    assert samples(exposition(counters, INFO))[("process_resident_memory_bytes", ())] == 0
