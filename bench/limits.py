"""The limits of the design (§7 "Speed and cost") and whether a run keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from peers import OURS
from rows import ROWS

# Our CPU per request with many routes over that with one. Comparing a path with log2(10,000) = 13 others costs
# some 0.2 µs of 13; the rest is room for noise.
GROWTH_MAX = 1.15
# "No row above 1.0": the limit of rows the design gives none of their own.
RATIO_MAX = 1.0


@dataclass(frozen=True)
class Limit:
    """`at_most` bounds the ratio to the best peer, the value itself, or the ratio to our own `other` row."""

    row: str
    metric: str
    at_most: float
    kind: str = "ratio"
    other: str = ""


_OWN_RATIO = {
    "h1-64": 0.85, "h1-512": 0.75, "h1-64-log": 0.95, "h1-64k": 0.75, "h1-1m": 0.6,
    "tls-handshake": 0.75, "tls-h1": 0.95, "h2c": 0.95, "h2-tls": 0.95, "l4-small": 0.9, "l4-1m": 0.5,
    "cache-hit": 0.6, "cache-hit-64k": 0.6,
}

LIMITS = (
    *(Limit(row.name, "cpu_us", _OWN_RATIO.get(row.name, RATIO_MAX)) for row in ROWS if row.is_flat_out),
    Limit("routes-100", "cpu_us", GROWTH_MAX, kind="growth", other="routes-1"),
    Limit("routes-10000", "cpu_us", GROWTH_MAX, kind="growth", other="routes-1"),
    Limit("h1-idle", "rss_conn_bytes", 4096, kind="value"),
    Limit("idle-tls", "rss_conn_bytes", 24 << 10, kind="value"),
    Limit("cache-stampede", "upstream", 1, kind="value"),
    Limit("cache-zipf", "behind_best", 0.02, kind="value"),
    Limit("h1-latency", "added_p50_us", 150, kind="value"),
    Limit("h1-latency", "added_p99_us", 500, kind="value"),
)


def check(results: list[dict]) -> tuple[list[str], bool]:
    """One line per limit that concerns `results`, and whether all are kept."""
    by_row = {one["row"]: one for one in results}
    lines, kept = [], True
    for limit in LIMITS:
        if limit.row not in by_row or (limit.other and limit.other not in by_row):
            continue
        value = _value(limit, by_row)
        errors = _errors(by_row[limit.row])
        passed = value is not None and value <= limit.at_most and not errors
        kept = kept and passed
        lines.append(_line(limit, value, passed, errors))
    if not lines:
        return ["nothing measured that has a limit"], False
    return lines, kept


def _value(limit: Limit, by_row: dict[str, dict]) -> float | None:
    ours = by_row[limit.row]["proxies"].get(OURS)
    if not ours:
        return None
    if limit.kind == "ratio":
        return ours["ratio"].get(limit.metric)
    if limit.kind == "value":
        return ours["median"][limit.metric]
    other = by_row[limit.other]["proxies"].get(OURS)
    return ours["median"][limit.metric] / other["median"][limit.metric] if other else None


def _errors(row_result: dict) -> int:
    ours = row_result["proxies"].get(OURS)
    return int(ours["median"]["errors"]) if ours else 0


def _line(limit: Limit, value: float | None, passed: bool, errors: int) -> str:
    verdict = "PASS" if passed else "FAIL"
    what = {"ratio": "× best peer", "value": "", "growth": f"× own {limit.other}"}[limit.kind]
    shown = "not measured" if value is None else f"{value:.2f}"
    trouble = f", {errors} errors" if errors else ""
    return f"{verdict}  {limit.row:<13} {limit.metric:<15} {shown} (at most {limit.at_most:g}) {what}{trouble}".rstrip()
