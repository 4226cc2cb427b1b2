"""Bar charts as hand-written SVG: one per group of rows, one panel per row, one bar per proxy."""

from __future__ import annotations

from html import escape
from pathlib import Path

from metrics import Metric, main_metric
from peers import OURS
from rows import GROUPS, Group

WIDTH = 760
LABEL_WIDTH = 130
VALUE_WIDTH = 190
BAR_HEIGHT = 20
BAR_GAP = 7
PANEL_HEAD = 34
PANEL_GAP = 16
TOP = 52
BOTTOM = 56

# (user or whole, system): ours strong, peers quiet. Readable in grey as well.
COLOURS = {True: ("#0b6e4f", "#5fb49c"), False: ("#5b6b7f", "#a9b4c2")}
FONT = "font-family=\"system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\""


def write(folder: Path, results: list[dict]) -> None:
    """Writes GROUP.svg for every group with results."""
    for group in GROUPS:
        members = [one for one in results if one["group"] == group.name and one["proxies"]]
        if members:
            (folder / f"{group.name}.svg").write_text(chart(group, members))


def chart(group: Group, results: list[dict]) -> str:
    """The whole picture of one group."""
    metric = main_metric(results[0]["kind"])
    stacked = metric.key == "cpu_us"
    parts, y = [], TOP
    for one in results:
        drawn, y = _panel(one, metric, stacked, y)
        parts.extend(drawn)
    height = y + BOTTOM
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" {FONT}>',
        f"<title>{escape(group.title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(16, 26, group.title, size=17, weight="600"),
        *_legend(stacked),
    ]
    return "\n".join([*head, *parts, _footer(results, height), "</svg>"]) + "\n"


def _panel(result: dict, metric: Metric, stacked: bool, y: int) -> tuple[list[str], int]:
    """One row's bars on a scale of their own, and where the next panel starts."""
    parts = [_text(16, y + 20, f"{result['row']}: {result['title']}", size=13, weight="600")]
    y += PANEL_HEAD
    largest = max((max(0.0, one["median"][metric.key]) for one in result["proxies"].values()), default=0.0)
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    for name, proxy in result["proxies"].items():
        value = max(0.0, proxy["median"][metric.key])
        length = room * value / largest if largest else 0.0
        colours = COLOURS[name == OURS]
        parts.append(_text(LABEL_WIDTH - 8, y + 15, f"{name} {proxy['version']}", anchor="end", size=12))
        parts.extend(_bar(proxy["median"], length, colours, stacked, y))
        label = f"{metric.show(proxy['median'][metric.key])} {_unit(metric)}"
        ratio = proxy["ratio"].get(metric.key)
        if ratio is not None:
            label += f"  ·  {ratio:.2f}× best peer"
        weight = "600" if name == OURS else "400"
        parts.append(_text(LABEL_WIDTH + length + 8, y + 15, label, size=12, weight=weight))
        y += BAR_HEIGHT + BAR_GAP
    axis_height = len(result["proxies"]) * (BAR_HEIGHT + BAR_GAP)
    parts.append(f'<path d="M{LABEL_WIDTH} {y - axis_height - 3}V{y - BAR_GAP + 3}" stroke="#333" stroke-width="1"/>')
    return parts, y + PANEL_GAP


def _bar(values: dict, length: float, colours: tuple[str, str], stacked: bool, y: int) -> list[str]:
    if not stacked or not values["cpu_us"]:
        return [_rect(LABEL_WIDTH, y, length, colours[0])]
    user = length * values["user_us"] / values["cpu_us"]
    return [_rect(LABEL_WIDTH, y, user, colours[0]), _rect(LABEL_WIDTH + user, y, length - user, colours[1])]


def _legend(stacked: bool) -> list[str]:
    note = "Shorter is better. Each row has its own scale."
    if not stacked:
        return [_text(16, 45, note, size=12, fill="#555")]
    return [_text(16, 45, f"{note} Dark: user time, light: system time.", size=12, fill="#555")]


def _footer(results: list[dict], height: int) -> str:
    """Machine and age: a chart travels without its page."""
    where, what = results[0]["machine"], results[0]["source"]
    commit = what["commit"] or "an unknown commit"
    machine = f"{where['cpu']}, Linux {where['kernel']}; Bifrons at {commit}, {results[0]['date'][:10]}"
    better = "nginx and Varnish" if "varnish" in results[0].get("reference", ()) else "nginx and HAProxy"
    method = f"One worker each, medians of interleaved rounds. Best peer: the better of {better}."
    return "\n".join(
        _text(16, height - below, line, size=10.5, fill="#555") for line, below in ((machine, 30), (method, 14))
    )


def _unit(metric: Metric) -> str:
    units = {"cpu_us": "µs", "added_p50_us": "ms at p50", "rss_conn_bytes": "KiB"}
    return units.get(metric.key, "")


def _rect(x: float, y: float, width: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y}" width="{max(width, 0.0):.1f}" height="{BAR_HEIGHT}" fill="{fill}"/>'


def _text(
    x: float, y: float, text: str, *, size: float, weight: str = "400", anchor: str = "start", fill: str = "#1a1a1a",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
    )
