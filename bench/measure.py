"""CPU time and memory of a process tree, read from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")


@dataclass
class Usage:
    """CPU used so far by a process tree.

    `run_ns` is the scheduler's own count for each thread (nanoseconds, from `schedstat`); the ticks of
    `stat` only say how that time divides between user and system.
    """

    run_ns: dict[tuple[int, int], int] = field(default_factory=dict)
    wait_ns: int = 0
    """Time that threads were ready and another had their core."""
    user_ticks: int = 0
    sys_ticks: int = 0


@dataclass(frozen=True)
class Cpu:
    """CPU used between two readings, in microseconds."""

    total_us: float
    user_us: float
    sys_us: float
    waited_us: float


@dataclass(frozen=True)
class Memory:
    """Memory of a process tree in KiB. PSS divides shared pages among those who share them."""

    rss_kib: int
    pss_kib: int


def tree(root: int) -> list[int]:
    """`root` and all its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir(PROC):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, []))
    return found


def pin(pids: list[int], core: int) -> None:
    """Moves all threads of `pids` to `core`."""
    for pid in pids:
        for tid in _threads(pid):
            try:
                os.sched_setaffinity(tid, {core})
            except ProcessLookupError:
                continue


def usage(pids: list[int]) -> Usage:
    """Reads the CPU time of all threads of `pids`."""
    reading = Usage()
    for pid in pids:
        fields = _stat(pid)
        if not fields:
            continue
        reading.user_ticks += int(fields[11])
        reading.sys_ticks += int(fields[12])
        for tid in _threads(pid):
            try:
                text = (PROC / str(pid) / "task" / str(tid) / "schedstat").read_text()
            except OSError:
                continue
            run_ns, wait_ns, _ = text.split()
            reading.run_ns[(pid, tid)] = int(run_ns)
            reading.wait_ns += int(wait_ns)
    return reading


def between(before: Usage, after: Usage) -> Cpu:
    """What was used from `before` to `after`. A thread born in between counts from zero."""
    run_ns = sum(now - before.run_ns.get(key, 0) for key, now in after.run_ns.items())
    user = after.user_ticks - before.user_ticks
    system = after.sys_ticks - before.sys_ticks
    total = run_ns / 1000.0
    share = user / (user + system) if user + system else 0.0
    waited = (after.wait_ns - before.wait_ns) / 1000.0
    return Cpu(total_us=total, user_us=total * share, sys_us=total * (1.0 - share), waited_us=waited)


def memory(pids: list[int]) -> Memory:
    """Resident memory of all `pids` together."""
    rss = pss = 0
    for pid in pids:
        try:
            text = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1])
            elif line.startswith("Pss:"):
                pss += int(line.split()[1])
    return Memory(rss_kib=rss, pss_kib=pss)


def _threads(pid: int) -> list[int]:
    try:
        return [int(tid) for tid in os.listdir(PROC / str(pid) / "task")]
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state, ppid, …; empty when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()
