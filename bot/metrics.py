"""Counters and gauges for Prometheus, at `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.01, 0.05, 0.1, 0.15, 0.25, 0.5, 0.8, 1.5, 3, 5, 10, 30, 60)


class Metrics:
    """One registry per server, so that tests can run several in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._deliveries = Counter(
            "openinspect_deliveries",
            "Deliveries taken, by event and whether they were new",
            ["event", "kind"],
            registry=self._registry,
        )
        self._decisions = Counter(
            "openinspect_decisions", "Decisions, by outcome", ["outcome"], registry=self._registry
        )
        self._turns = Counter(
            "openinspect_turns",
            "Turns that ended, by outcome",
            ["outcome"],
            registry=self._registry,
        )
        self._effects = Histogram(
            "openinspect_effect_seconds",
            "Time that one effect took, by kind and result",
            ["kind", "result"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._github = Histogram(
            "openinspect_github_request_seconds",
            "Requests to GitHub, by endpoint and status",
            ["endpoint", "status"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._sessions = Gauge(
            "openinspect_open_sessions", "Sessions being seen to", registry=self._registry
        )
        self._cost = Counter(
            "openinspect_model_microdollars",
            "Cost of model calls in millionths of a US dollar",
            registry=self._registry,
        )

    def delivery(self, event: str, kind: str) -> None:
        known = event if event.replace("_", "").isalpha() and len(event) < 40 else "other"
        self._deliveries.labels(known, kind).inc()

    def decision(self, outcome: str) -> None:
        self._decisions.labels(outcome).inc()

    def turn(self, outcome: str) -> None:
        self._turns.labels(outcome).inc()

    def effect(self, kind: str, result: str, seconds: float) -> None:
        self._effects.labels(kind, result).observe(seconds)

    def github(self, endpoint: str, status: int | None, seconds: float) -> None:
        self._github.labels(endpoint, str(status or "none")).observe(seconds)

    def open_sessions(self, count: int) -> None:
        self._sessions.set(count)

    def cost(self, microdollars: int) -> None:
        self._cost.inc(microdollars)

    def text(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
