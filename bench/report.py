"""Tables: for the terminal, and in Markdown for bench/results/table.md and docs/performance.md."""

from __future__ import annotations

from pathlib import Path

from metrics import METRICS, main_metric
from peers import REFERENCE
from rows import GROUPS

TABLE_BEGIN = "<!-- bench:begin (written by bench/run.sh) -->"
TABLE_END = "<!-- bench:end -->"
# Rounds further apart than this make a ratio of two decimals a guess.
SPREAD_WARN = 0.10
# A proxy that waited longer than this part of a round for its own core shared it with somebody.
WAITED_WARN = 0.05


def terminal(result: dict) -> str:
    """One row as an aligned table with its warnings."""
    cells = [["", *_titles(result["kind"]), "spread"]]
    for name, proxy in result["proxies"].items():
        cells.append([f"{name} {proxy['version']}", *_values(result["kind"], proxy), f"{proxy['spread'] * 100:.0f}%"])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [f"{result['row']}: {result['title']}"]
    for line in cells:
        first = line[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))
        lines.append("  " + "  ".join((first, *rest)).rstrip())
    lines.append(f"  ({_terms(result)})")
    lines.extend(f"  {name} left out: {reason}" for name, reason in result["skipped"].items())
    lines.extend(f"  ! {warning}" for warning in _warnings(result))
    return "\n".join(lines)


def markdown(results: list[dict]) -> str:
    """All rows as Markdown tables, one per row, with the machine they were measured on."""
    if not results:
        return "Nothing measured yet.\n"
    parts = []
    for result in results:
        titles = ["proxy", *_titles(result["kind"])]
        lines = [f"**{result['row']}**: {result['title']}. {_capital(_terms(result))}.", ""]
        lines.append("| " + " | ".join(titles) + " |")
        lines.append("|---|" + "---:|" * (len(titles) - 1))
        for name, proxy in result["proxies"].items():
            cells = [f"{name} {proxy['version']}", *_values(result["kind"], proxy)]
            lines.append("| " + " | ".join(cells) + " |")
        lines.extend(["", *_notes(result)])
        parts.append("\n".join(lines).rstrip() + "\n")
    return "\n".join([*(f"{line}\n" for line in _machines(results)), *parts])


def write(folder: Path, results: list[dict]) -> None:
    """bench/results/table.md."""
    method = "the method is in [docs/performance.md](../../docs/performance.md)"
    head = f"# Results\n\nWritten by `bench/run.sh`; {method}.\n\n"
    (folder / "table.md").write_text(head + markdown(results))


def splice_docs(page: Path, folder: Path, results: list[dict]) -> None:
    """Puts charts and tables between the two markers of docs/performance.md."""
    text = page.read_text()
    if TABLE_BEGIN not in text or TABLE_END not in text:
        return
    before, rest = text.split(TABLE_BEGIN, 1)
    after = rest.split(TABLE_END, 1)[1]
    measured = {result["group"] for result in results}
    charts = [
        f"![{group.title}](../bench/results/{group.name}.svg)\n"
        for group in GROUPS if group.name in measured and (folder / f"{group.name}.svg").exists()
    ]
    middle = "\n".join(["", *charts, markdown(results)])
    page.write_text(f"{before}{TABLE_BEGIN}\n{middle.rstrip()}\n\n{TABLE_END}{after}")


def _titles(kind: str) -> list[str]:
    titles = []
    for metric in METRICS[kind]:
        titles.append(metric.title)
        if metric.ratio:
            titles.append("×")
    return titles


def _values(kind: str, proxy: dict) -> list[str]:
    cells = []
    for metric in METRICS[kind]:
        cells.append(metric.show(proxy["median"][metric.key]))
        if metric.ratio:
            ratio = proxy["ratio"].get(metric.key)
            cells.append("" if ratio is None else f"{ratio:.2f}")
    return cells


def _terms(result: dict) -> str:
    best = result["best_peer"] or "none"
    rounds = max((len(proxy["rounds"]) for proxy in result["proxies"].values()), default=0)
    return f"median of {rounds} rounds; × is the ratio to the better of {_reference(result)}, here {best}"


def _reference(result: dict) -> str:
    names = {"nginx": "nginx", "haproxy": "HAProxy", "varnish": "Varnish"}
    return " and ".join(names.get(name, name) for name in result.get("reference", REFERENCE))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _notes(result: dict) -> list[str]:
    notes = [f"{name} left out: {reason.splitlines()[0]}." for name, reason in result["skipped"].items()]
    notes.extend(f"{warning}." for warning in _warnings(result))
    return [" ".join(notes)] if notes else []


def _warnings(result: dict) -> list[str]:
    title = main_metric(result["kind"]).title
    warnings = []
    for name, proxy in result["proxies"].items():
        if proxy["median"]["errors"]:
            errors = f"{proxy['median']['errors']:.0f} errors (failed requests or missing log lines)"
            warnings.append(f"{name}: {errors}, its numbers mean nothing")
        if proxy["spread"] > SPREAD_WARN:
            warnings.append(f"{name}: rounds differ by {proxy['spread'] * 100:.0f}% in {title}")
        # In the latency row the origin shares the core on purpose.
        waited = proxy["median"]["core_waited"] if result["kind"] in ("wrk", "h2load", "udp", "cache", "zipf") else 0.0
        # Threads of its own that wait for each other come to more than the whole time.
        if WAITED_WARN < waited <= 1:
            warnings.append(f"{name}: waited {waited * 100:.0f}% of the time for its core, which others used too")
    return warnings


def _machines(results: list[dict]) -> list[str]:
    """One line per machine and commit that the results come from."""
    lines = []
    for result in results:
        where, what = result["machine"], result["source"]
        changed = " with local changes" if what["changed"] else ""
        pins = where["pinning"]
        line = (
            f"Measured on {where['cpu']}, {where['cores']} cores, Linux {where['kernel']}; proxy on core "
            f"{pins['proxy']}, origin on {pins['origin']}, load on {pins['load']}; "
            f"Bifrons at {what['commit'] or 'an unknown commit'}{changed}, {result['date'][:10]}."
        )
        if line not in lines:
            lines.append(line)
    return lines
