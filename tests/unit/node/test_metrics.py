"""Counters and timings: own time only, thread-safe, and valid Prometheus text."""

import re
import threading
import time

import pytest

from node.metrics import PHASES, Metrics


def test_seconds_start_at_zero_for_every_phase() -> None:
    assert Metrics().seconds() == dict.fromkeys(PHASES, 0.0)


def test_an_inner_phase_is_not_counted_in_the_outer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 1.0, 4.0, 10.0])  # outer starts, inner starts, inner ends, outer ends
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    metrics = Metrics()
    with metrics.phase("verify"), metrics.phase("store"):
        pass
    assert metrics.seconds()["store"] == 3.0
    assert metrics.seconds()["verify"] == 7.0


def test_a_phase_that_fails_is_timed_and_does_not_shift_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 2.0, 5.0, 6.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    metrics = Metrics()
    with pytest.raises(ZeroDivisionError), metrics.phase("train"):
        raise ZeroDivisionError
    with metrics.phase("train"):
        pass
    assert metrics.seconds()["train"] == 3.0


def test_an_unknown_phase_lists_the_valid_ones() -> None:
    with (
        pytest.raises(ValueError, match="unknown phase 'sleep'; valid: train, encode"),
        Metrics().phase("sleep"),
    ):
        pass


def test_threads_count_together_and_nest_apart() -> None:
    metrics, together = Metrics(), threading.Barrier(4)

    def work() -> None:
        with metrics.phase("verify"):
            together.wait(timeout=10)
            for _ in range(1_000):
                metrics.count("events")
            metrics.count("bulk", 5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    text = metrics.prometheus()
    assert "\ncredence_events_total 4000\n" in text
    assert "\ncredence_bulk_total 20\n" in text
    assert metrics.seconds()["verify"] >= 0


def test_the_text_is_prometheus_format() -> None:
    metrics = Metrics()
    metrics.count("pull_failures")
    lines = metrics.prometheus().splitlines()
    sample = re.compile(r'(# TYPE [a-z_]+ counter|[a-z_]+(\{[a-z]+="[a-z]+"\})? [0-9.]+)')
    assert all(sample.fullmatch(line) for line in lines)
    assert [line for line in lines if "pull" in line] == [
        "# TYPE credence_pull_failures_total counter",
        "credence_pull_failures_total 1",
    ]
    assert sum("phase=" in line for line in lines) == len(PHASES)
    assert metrics.prometheus().endswith("\n")
