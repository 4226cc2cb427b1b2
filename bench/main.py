"""The benchmark's command line. `bench/run.sh --help` explains it, docs/performance.md the method."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import charts
import drivers
import install
import limits
import origin
import profiling
import report
import results
from peers import OURS, PEERS, Peer
from procs import BenchError, Cores, Procs, raise_file_limit
from rows import ROWS, Row, pick
from runner import Runner, Settings

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
# Git-ignored: numbers of quick runs, and what profilers write.
SCRATCH = RESULTS / "work"
DOCS = HERE.parent / "docs" / "performance.md"

FULL = Settings(rounds=5, seconds=4)
QUICK = Settings(rounds=2, seconds=1)
# Open files: a proxy with 12,000 connections to each side, as HAProxy counts them, and some to spare.
FILES_WANTED = 32_768
# Files the bench and a proxy need besides the idle connections themselves.
FILES_SPARE = 600
# More of the machine than this in others' hands, and the numbers are noise.
LOAD_AVERAGE_WARN = 0.5


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda number, _: sys.exit(128 + number))
    args = _arguments()
    try:
        return _run(args)
    except BenchError as err:
        print(f"bench: {err}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nbench: interrupted; everything it started has ended", file=sys.stderr)
        return 130


def _arguments() -> argparse.Namespace:
    names = " ".join(row.name for row in ROWS)
    parser = argparse.ArgumentParser(
        prog="bench/run.sh", description="Measures Bifrons beside nginx, HAProxy, Varnish and Envoy.", epilog=f"Rows: {names}",
    )
    parser.add_argument("rows", nargs="*", help="rows to measure (all without any)")
    parser.add_argument("--row", action="append", default=[], help="the same, as an option")
    parser.add_argument("--proxies", default="", help="only these, separated by commas")
    parser.add_argument("--rounds", type=int, help=f"rounds per row (default {FULL.rounds})")
    parser.add_argument("--seconds", type=float, help=f"seconds per round (default {FULL.seconds:g})")
    parser.add_argument("--quick", action="store_true", help="two short rounds; results go to bench/results/work")
    parser.add_argument("--out", type=Path, help="folder for results (default bench/results)")
    parser.add_argument("--check", action="store_true", help="compare with the design's limits; exit code 1 on FAIL")
    parser.add_argument("--report", action="store_true", help="measure nothing: tables and charts from saved results")
    parser.add_argument("--profile", choices=profiling.TOOLS, help="profile instead of measuring (Bifrons, one row)")
    parser.add_argument("--no-build", action="store_true", help="take the release binary as it is")
    args = parser.parse_args()
    words = " ".join([*args.rows, *args.row]).replace(",", " ").split()
    try:
        args.picked = pick(words)
    except KeyError as unknown:
        parser.error(f"unknown row {unknown}; rows: {names}")
    if args.profile and len(args.picked) != 1:
        parser.error("--profile needs exactly one row")
    wanted = [name for name in args.proxies.split(",") if name]
    if not wanted and args.profile:
        wanted = [OURS]
    known = {peer.name for peer in PEERS}
    if not known.issuperset(wanted):
        parser.error(f"unknown proxy in {args.proxies!r}; known: {' '.join(sorted(known))}")
    args.peers = [peer for peer in PEERS if not wanted or peer.name in wanted]
    return args


def _run(args: argparse.Namespace) -> int:
    out = (args.out or (SCRATCH / "quick" if args.quick else RESULTS)).resolve()
    if args.report:
        measured = results.load_all(out)
        _publish(out, measured)
        return _verdict(measured) if args.check else 0
    base = QUICK if args.quick else FULL
    settings = replace(base, rounds=args.rounds or base.rounds, seconds=args.seconds or base.seconds)
    install.debian()
    if any(peer.name == "envoy" for peer in args.peers):
        install.envoy()
    if not args.no_build and any(peer.name == OURS for peer in args.peers):
        _build_ours()
    peers = _present(args.peers)
    if os.getloadavg()[0] > LOAD_AVERAGE_WARN:
        print(f"! load average {os.getloadavg()[0]:.1f}: the machine is busy, numbers are noise", file=sys.stderr)
    # Before anything starts: the origin has as many connections as the proxies when they pass them on.
    idle_max = raise_file_limit(FILES_WANTED) - FILES_SPARE
    procs = Procs()
    try:
        cores = Cores.choose()
        runner = Runner(procs, cores, origin.start(procs, cores), settings)
        if args.profile:
            row = args.picked[0]
            for peer in peers:
                print(profiling.run(args.profile, runner, row, peer, SCRATCH / "profiles"))
            return 0
        measured = _measure(args.picked, peers, runner, (out, idle_max))
    finally:
        procs.close()
    _publish(out, results.load_all(out))
    return _verdict(measured) if args.check else 0


def _measure(rows: list[Row], peers: list[Peer], runner: Runner, where_to: tuple[Path, int]) -> list[dict]:
    """Runs the rows one after the other, printing and saving each as soon as it is there."""
    out, idle_max = where_to
    where, what = results.machine(runner.cores), results.source()
    measured = []
    for row in rows:
        # What is passed on is two sockets of the proxy.
        most = idle_max // 2 if row.layer4 else idle_max
        if row.kind == "idle" and row.conns > most:
            print(f"! only {most} idle connections: the limit of open files is too low", file=sys.stderr)
            row = replace(row, conns=most, title=row.title.replace(f"{row.conns:,}", f"{most:,}"))
        if row.kind in ("latency", "udp"):
            drivers.build_load()
        outcome = runner.run(row, peers)
        one = results.result(outcome, peers, where, what, runner.settings)
        print(report.terminal(one), end="\n\n", flush=True)
        if one["proxies"]:
            results.save(out, one)
        measured.append(one)
    return measured


def _publish(out: Path, measured: list[dict]) -> None:
    """Tables and charts over all saved rows; the docs page only shows full runs."""
    if not measured:
        return
    charts.write(out, measured)
    report.write(out, measured)
    print(f"written: {out}/*.json, table.md, *.svg")
    if out == RESULTS and DOCS.exists():
        report.splice_docs(DOCS, out, measured)


def _verdict(measured: list[dict]) -> int:
    lines, kept = limits.check(measured)
    print("\n".join(lines))
    return 0 if kept else 1


def _build_ours() -> None:
    """The numbers belong to the source that is checked out, so it is built first (no work when fresh)."""
    if os.environ.get("BIFRONS_BIN"):
        return
    argv = ["cargo", "build", "--release", "--package", "bifrons"]
    try:
        subprocess.run(argv, cwd=HERE.parent, check=True)
    except (OSError, subprocess.CalledProcessError) as err:
        raise BenchError(f"cannot build Bifrons ({err}); --no-build measures what is there") from err


def _present(peers: list[Peer]) -> list[Peer]:
    """Those that can run here, with a word about the others."""
    present = []
    for peer in peers:
        reason = peer.missing()
        if reason:
            print(f"! {peer.name} is left out: {reason}", file=sys.stderr)
        else:
            present.append(peer)
    if not present:
        raise BenchError("no proxy to measure")
    return present


if __name__ == "__main__":
    sys.exit(main())
