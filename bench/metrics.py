"""What is shown of each kind of row: names, units, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Metric:
    """One column. `ratio` says whether it stands beside its ratio to the best peer."""

    key: str
    title: str
    show: Callable[[float], str]
    ratio: bool = False
    high_is_better: bool = False


def micros(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def latency(us: float) -> str:
    """Microseconds as milliseconds, with the digits that mean something."""
    return f"{us / 1000:.3f}"


def count(value: float) -> str:
    return f"{value:,.0f}"


def mebi(kib: float) -> str:
    return f"{kib / 1024:.1f}"


def kibi(value: float) -> str:
    return f"{value / 1024:.2f}"


def seconds(value: float) -> str:
    return f"{value:.2f}"


def share(part: float) -> str:
    return f"{part * 100:.1f}%"


def percent(part: float) -> str:
    return f"{part * 100:.0f}%"


CPU = Metric("cpu_us", "CPU µs/req", micros, ratio=True)


def flat_out(cpu: Metric, rate: str) -> tuple[Metric, ...]:
    """What a row tells whose clients ask as fast as they can: `cpu` and `rate` name what is counted."""
    return (
        cpu,
        Metric("user_us", "user", micros),
        Metric("sys_us", "sys", micros),
        Metric("rps", rate, count, ratio=True, high_is_better=True),
        Metric("p50_us", "p50 ms", latency, ratio=True),
        Metric("p99_us", "p99 ms", latency, ratio=True),
        Metric("rss_kib", "RSS MiB", mebi, ratio=True),
        Metric("core_used", "core", percent),
    )


FLAT_OUT = flat_out(CPU, "req/s")

METRICS: dict[str, tuple[Metric, ...]] = {
    "wrk": FLAT_OUT,
    "h2load": FLAT_OUT,
    "udp": flat_out(Metric("cpu_us", "CPU µs/question", micros, ratio=True), "questions/s"),
    "cache": (*FLAT_OUT, Metric("hit_ratio", "hits", share)),
    "zipf": (*FLAT_OUT, Metric("hit_ratio", "hits", share), Metric("best_ratio", "best policy simulated", share)),
    "stampede": (
        Metric("upstream", "requests to the origin", count),
        CPU,
        Metric("p50_us", "p50 ms", latency),
        Metric("p99_us", "p99 ms", latency),
        Metric("seconds", "all done after s", seconds),
        Metric("rss_kib", "RSS MiB", mebi),
    ),
    "latency": (
        Metric("added_p50_us", "added p50 ms", latency, ratio=True),
        Metric("added_p99_us", "added p99 ms", latency, ratio=True),
        Metric("p50_us", "p50 ms", latency),
        Metric("p99_us", "p99 ms", latency),
        Metric("direct_p50_us", "direct p50", latency),
        Metric("direct_p99_us", "direct p99", latency),
        CPU,
        Metric("rps", "req/s", count),
    ),
    "idle": (
        Metric("rss_conn_bytes", "RSS KiB/conn", kibi, ratio=True),
        Metric("pss_conn_bytes", "PSS KiB/conn", kibi, ratio=True),
        Metric("rss_before_kib", "RSS before MiB", mebi),
        Metric("rss_kib", "RSS after MiB", mebi, ratio=True),
    ),
}


def main_metric(kind: str) -> Metric:
    """The one a row is judged by and charted with."""
    return METRICS[kind][0]
