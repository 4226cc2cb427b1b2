"""`--profile`: one proxy under strace, perf or callgrind while a row's load runs."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import drivers
import install
import measure
from peers import Peer
from procs import BenchError, tail
from rows import Row
from runner import Runner

TOOLS = ("strace", "perf", "callgrind")
# Time for a profiler to attach to all threads before the load starts.
ATTACH_SECONDS = 1.0
# So many requests, slowed down as they are, that the calls of setting up the connections vanish among them.
STRACE_SECONDS_MIN = 6.0
TOP_LINES = 40


def run(tool: str, runner: Runner, row: Row, peer: Peer, folder: Path) -> str:
    """Profiles `peer` under `row`'s load and returns what to print. Files go to `folder`."""
    if not row.is_flat_out:
        raise BenchError(f"--profile needs a row that goes as fast as it can, {row.name} does not")
    command = "valgrind" if tool == "callgrind" else tool
    if not shutil.which(command):
        install.debian({command: install.PROFILERS[tool]})
    folder.mkdir(parents=True, exist_ok=True)
    return {"strace": _strace, "perf": _perf, "callgrind": _callgrind}[tool](runner, row, peer, folder)


def _strace(runner: Runner, row: Row, peer: Peer, folder: Path) -> str:
    """System calls per request. strace slows the proxy down, so only the counts mean something."""
    one = runner.start(row, peer)
    out = folder / f"{row.name}-{peer.name}.strace"
    drivers.flat_out(runner.procs, runner.cores, one.port, row, 1)  # pools are full before we count
    pids = [word for pid in measure.tree(one.child.pid) for word in ("-p", str(pid))]
    log = runner.procs.work / "strace.log"
    tracer = runner.procs.spawn(["strace", "-f", "-c", "-o", str(out), *pids], runner.cores.load, log)
    time.sleep(ATTACH_SECONDS)
    _still_runs(tracer, log)
    load = drivers.flat_out(runner.procs, runner.cores, one.port, row, max(STRACE_SECONDS_MIN, runner.settings.seconds))
    runner.procs.stop(tracer, signal.SIGINT)
    runner.procs.stop(one.child)
    lines = [f"{peer.name}, {row.name}: system calls per request ({load.requests:,} requests under strace)"]
    total = 0.0
    for name, calls, errors in _strace_rows(out.read_text()):
        per_request = calls / load.requests
        total += per_request
        if per_request >= 0.001:
            failed = f"   ({errors / load.requests:.3f} failed)" if errors else ""
            lines.append(f"  {per_request:8.3f}  {name}{failed}")
    return "\n".join([*lines, f"  {total:8.3f}  in all", f"  whole table: {out}"])


def _strace_rows(text: str) -> list[tuple[str, int, int]]:
    """(name, calls, failed calls) from `strace -c`'s table; the column of errors may be empty."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) in (5, 6) and re.fullmatch(r"[\d.]+", words[0]) and words[-1] != "total":
            found.append((words[-1], int(words[3]), int(words[4]) if len(words) == 6 else 0))
    return sorted(found, key=lambda row: -row[1])


def _perf(runner: Runner, row: Row, peer: Peer, folder: Path) -> str:
    """Where the CPU time goes, by symbol. Virtual machines often have no cycle counter: then by the clock."""
    one = runner.start(row, peer)
    data = folder / f"{row.name}-{peer.name}.perf.data"
    log = runner.procs.work / "perf.log"
    pids = ",".join(str(pid) for pid in measure.tree(one.child.pid))
    event = "cycles" if _has_cycles() else "cpu-clock"
    argv = ["perf", "record", "-e", event, "-F", "2999", "-g", "-o", str(data), "-p", pids]
    tracer = runner.procs.spawn(argv, runner.cores.load, log)
    time.sleep(ATTACH_SECONDS)
    _still_runs(tracer, log)
    load = drivers.flat_out(runner.procs, runner.cores, one.port, row, runner.settings.seconds)
    runner.procs.stop(tracer, signal.SIGINT)
    runner.procs.stop(one.child)
    report = subprocess.run(
        ["perf", "report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.5", "-i", str(data)],
        capture_output=True, text=True, errors="replace",
    ).stdout
    body = [line for line in report.splitlines() if line.strip() and not line.startswith("#")][:TOP_LINES]
    head = f"{peer.name}, {row.name}: {event} by symbol ({load.requests:,} requests)"
    return "\n".join([head, *body, f"  call graphs: perf report -i {data}"])


def _has_cycles() -> bool:
    done = subprocess.run(["perf", "stat", "-e", "cycles", "true"], capture_output=True, text=True)
    return done.returncode == 0 and "not supported" not in done.stderr


def _callgrind(runner: Runner, row: Row, peer: Peer, folder: Path) -> str:
    """Instructions per request in user space, by function. Runs some fifty times slower."""
    out = folder / f"{row.name}-{peer.name}.callgrind"
    for old in folder.glob(out.name + "*"):
        old.unlink()
    wrapper = ["valgrind", "--tool=callgrind", "--trace-children=yes", "--instr-atstart=no",
               f"--callgrind-out-file={out}.%p"]
    one = runner.start(row, peer, wrapper)
    drivers.flat_out(runner.procs, runner.cores, one.port, row, 1)
    pids = [str(pid) for pid in measure.tree(one.child.pid)]
    _control(["-i", "on", *pids])
    load = drivers.flat_out(runner.procs, runner.cores, one.port, row, runner.settings.seconds)
    _control(["-i", "off", *pids])
    runner.procs.stop(one.child)
    files = [path for path in folder.glob(out.name + ".*") if "totals:" in path.read_text(errors="replace")]
    if not files:
        raise BenchError("callgrind wrote no output")
    report = subprocess.run(
        ["callgrind_annotate", "--auto=no", str(max(files, key=_instructions))],
        capture_output=True, text=True, errors="replace",
    ).stdout
    per_request = sum(map(_instructions, files)) / load.requests
    head = f"{peer.name}, {row.name}: {per_request:,.0f} instructions per request ({load.requests:,} requests)"
    return "\n".join([head, *report.splitlines()[:TOP_LINES], f"  files: {out}.*"])


def _instructions(path: Path) -> int:
    found = re.search(r"^totals: (\d+)", path.read_text(errors="replace"), re.MULTILINE)
    return int(found.group(1)) if found else 0


def _control(argv: list[str]) -> None:
    done = subprocess.run(["callgrind_control", *argv], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"callgrind_control failed: {done.stderr.strip() or done.stdout.strip()}")


def _still_runs(tracer: subprocess.Popen, log: Path) -> None:
    if tracer.poll() is not None:
        raise BenchError(f"{tracer.args[0]} ended at once:\n{tail(log)}")
