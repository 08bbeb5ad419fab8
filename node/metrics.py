"""Counters and stage timings of one process, as numbers for reports and as Prometheus text."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

PHASES = ("train", "encode", "store", "verify", "agree", "aggregate", "chain")


class Metrics:
    """Thread-safe seconds per phase and event counts. `phase` nests: inner time is not counted in the outer one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self._counts: dict[str, int] = defaultdict(int)
        self._local = threading.local()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a block as phase `name` (one of PHASES)."""
        if name not in self._seconds:
            raise ValueError(f"unknown phase {name!r}; valid: {', '.join(PHASES)}")
        stack: list[float] = getattr(self._local, "stack", [])
        self._local.stack = stack
        stack.append(0.0)
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - started
            inner = stack.pop()
            if stack:
                stack[-1] += elapsed
            with self._lock:
                self._seconds[name] += elapsed - inner

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += amount

    def seconds(self) -> dict[str, float]:
        """Seconds spent in each phase, own time only."""
        with self._lock:
            return dict(self._seconds)

    def prometheus(self) -> str:
        """All numbers in the Prometheus text format (version 0.0.4)."""
        with self._lock:
            lines = ["# TYPE credence_phase_seconds_total counter"]
            lines += [
                f'credence_phase_seconds_total{{phase="{name}"}} {value:.6f}' for name, value in self._seconds.items()
            ]
            for name, value in sorted(self._counts.items()):
                lines += [f"# TYPE credence_{name}_total counter", f"credence_{name}_total {value}"]
        return "\n".join(lines) + "\n"
