"""From rounds to results: medians, ratios to the best peer, and one JSON file per row."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from pathlib import Path

from metrics import METRICS, Metric, main_metric
from peers import Peer, REFERENCE, REFERENCE_CACHE
from procs import Cores
from rows import ROWS
from runner import Outcome, Settings, medians, spread

ROOT = Path(__file__).resolve().parent.parent


def machine(cores: Cores) -> dict:
    """Where the numbers come from."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "pinning": {"proxy": cores.proxy, "origin": cores.origin, "load": cores.load},
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "kernel": platform.release(),
        "load_average_at_start": os.getloadavg()[0],
    }


def source() -> dict:
    """Which Bifrons: the commit, and whether the tree differed from it."""
    changed = _git("status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock")
    return {"commit": _git("rev-parse", "--short=12", "HEAD"), "changed": bool(changed)}


def result(outcome: Outcome, peers: list[Peer], where: dict, what: dict, settings: Settings) -> dict:
    """Everything about one measured row, ready for JSON."""
    row = outcome.row
    middle = {name: medians(rounds) for name, rounds in outcome.rounds.items()}
    versions = {peer.name: peer.version() for peer in peers if peer.name in middle}
    kind = "cache" if row.cache and row.is_flat_out else row.kind
    kind = "zipf" if row.script == "zipf" else kind
    main = main_metric(kind)
    reference = REFERENCE_CACHE if row.cache else REFERENCE
    return {
        "row": row.name,
        "title": row.title,
        "group": row.group,
        "kind": kind,
        "reference": reference,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": where,
        "source": what,
        "rounds": settings.rounds,
        "seconds_per_round": settings.seconds,
        "conns": row.conns,
        "best_peer": best_peer(middle, main, reference),
        "skipped": outcome.skipped,
        "proxies": {
            name: {
                "version": versions[name],
                "median": values,
                "ratio": ratios(values, middle, METRICS[kind], reference),
                "spread": spread(outcome.rounds[name], main.key),
                "rounds": outcome.rounds[name],
            }
            for name, values in middle.items()
        },
    }


def ratios(
    values: dict, middle: dict[str, dict], metrics: tuple[Metric, ...], reference: tuple[str, ...],
) -> dict[str, float]:
    """Each metric divided by that of the peer which is best in it."""
    found = {}
    for metric in metrics:
        best = best_peer(middle, metric, reference) if metric.ratio else None
        if best and middle[best][metric.key] > 0:
            found[metric.key] = values[metric.key] / middle[best][metric.key]
    return found


def best_peer(middle: dict[str, dict], metric: Metric, reference: tuple[str, ...]) -> str | None:
    """The better one of `reference` in `metric`."""
    names = [name for name in reference if name in middle]
    pick = max if metric.high_is_better else min
    return pick(names, key=lambda name: middle[name][metric.key]) if names else None


def save(folder: Path, row_result: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(row_result, indent=1, ensure_ascii=False, default=float)
    (folder / f"{row_result['row']}.json").write_text(text + "\n")


def load_all(folder: Path) -> list[dict]:
    """The saved results in the order of the rows."""
    paths = [folder / f"{row.name}.json" for row in ROWS]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
