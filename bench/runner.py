"""Runs one row: starts the proxies, lets them take turns, and gathers what each round showed."""

from __future__ import annotations

import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import drivers
import measure
import origin as origins
import policies
from origin import Origin
from peers import Job, OURS, Peer, REFERENCE
from procs import BenchError, Cores, Procs
from rows import Row, WARMUP_REQUESTS, route_path
from stampede import stampede

# Fills connection pools and caches before a round counts.
WARMUP_SECONDS = 1.0
WARMUP_SECONDS_MAX = 60.0
# Idle rows: memory varies little between rounds, and 10,000 connections take a while.
IDLE_ROUNDS_MAX = 3
IDLE_SETTLE_SECONDS = 1.0
# Envoy writes its log out every ten seconds, the others sooner.
LOG_SETTLE_SECONDS = 11.0
# "Half load": this part of what the slowest of ours and the reference peers can do.
LOAD_PART = 0.5


@dataclass(frozen=True)
class Settings:
    """How long and how often."""

    rounds: int
    seconds: float


@dataclass
class Running:
    """A proxy at work."""

    peer: Peer
    child: subprocess.Popen
    port: int
    access_log: Path | None
    answers: int = 0
    """Answers so far, for comparison with the lines of the access log."""


@dataclass
class Outcome:
    """All rounds of one row, by proxy, and why some proxies have none."""

    row: Row
    rounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def skip(self, peer: Peer, err: BenchError) -> None:
        """Leaves `peer` out of this row, with the rounds it already had: half a row compares with nothing."""
        self.skipped[peer.name] = str(err)
        self.rounds.pop(peer.name, None)


class Runner:
    """Holds what all rows share: processes, cores, the origin."""

    def __init__(self, procs: Procs, cores: Cores, origin: Origin, settings: Settings) -> None:
        self.procs, self.cores, self.settings, self.origin = procs, cores, settings, origin
        self._started = 0
        self._echo: Origin | None = None

    def run(self, row: Row, peers: list[Peer]) -> Outcome:
        """Measures `row` on each of `peers` that can do it."""
        outcome = Outcome(row)
        peers = [peer for peer in peers if row.cache or not peer.only_caches]
        if row.kind == "idle":
            self._idle(row, peers, outcome)
            return outcome
        running = self._start_all(row, peers, outcome)
        try:
            if row.kind == "latency":
                self._latency(row, running, outcome)
            elif row.kind == "stampede":
                self._stampede(row, running, outcome)
            else:
                self._flat_out(row, running, outcome)
        finally:
            for one in running:
                self.procs.stop(one.child)
        return outcome

    def start(self, row: Row, peer: Peer, wrapper: list[str] | None = None) -> Running:
        """Starts one proxy for `row`, under `wrapper` if given, and checks that it answers."""
        self._started += 1
        home = self.procs.work / f"{self._started:03d}-{peer.name}"
        home.mkdir()
        job = Job(
            dir=home, port=self.procs.free_port(), origin_port=self._origin_port(row),
            access_log=home / "access.log" if row.log else None,
            static_root=self.origin.files if row.static else None,
            pem=self._pem() if row.tls else None, resume=row.resume, http2=row.streams > 0,
            http2_origin=row.http2_origin,
            layer4="udp" if row.kind == "udp" else "tcp" if row.layer4 else "",
            cache=row.cache, cache_bytes=row.cache_bytes, cache_dir=self._cache_dir(home) if row.cache else None,
            gzip=row.gzip,
            routes=tuple(route_path(index) for index in range(row.routes)),
        )
        reason = peer.declines(job)
        if reason:
            raise BenchError(reason)
        log = home / "output.log"
        argv = (wrapper or []) + peer.configure(job)
        child = self.procs.spawn(argv, self.cores.proxy, log, stdout=peer.stdout(job))
        try:
            if row.kind != "udp":
                self.procs.wait_listening(child, job.port, log)
            drivers.probe(job.port, row)
        except BaseException:
            self.procs.stop(child)
            raise
        return Running(peer, child, job.port, job.access_log)

    def _origin_port(self, row: Row) -> int:
        return self.origin.http2_port if row.http2_origin else self._origin(row).port

    def _origin(self, row: Row) -> Origin:
        if row.kind != "udp":
            return self.origin
        if not self._echo:
            drivers.build_load()
            self._echo = origins.start_echo(self.procs, self.cores)
        return self._echo

    def _cache_dir(self, home: Path) -> Path:
        """Beside the others' files, in memory; but Varnish loads code from there, which /dev/shm may forbid."""
        return self.procs.outside(home.name)

    def _pem(self) -> Path:
        """A certificate and its key, made once: ECDSA, as most of today's are."""
        path = self.procs.work / "bench.pem"
        if not path.exists():
            key, cert = self.procs.work / "bench.key", self.procs.work / "bench.crt"
            argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", str(key), "-out", str(cert), "-days", "30", "-subj", "/CN=bench.test",
                    "-addext", "subjectAltName=DNS:bench.test"]
            done = subprocess.run(argv, capture_output=True, text=True)
            if done.returncode:
                raise BenchError(f"openssl made no certificate: {done.stderr.strip()}")
            path.write_text(cert.read_text() + key.read_text())
        return path

    def _start_all(self, row: Row, peers: list[Peer], outcome: Outcome) -> list[Running]:
        running = []
        for peer in peers:
            try:
                running.append(self.start(row, peer))
            except BenchError as err:
                outcome.skipped[peer.name] = str(err)
            except BaseException:
                for one in running:
                    self.procs.stop(one.child)
                raise
        return running

    def _turns(self, running: list[Running], rounds: int) -> list[Running]:
        """A B C, B C A, C A B, …: each proxy comes first in turn, so that drift favours none."""
        if not running:
            return []
        order = []
        for index in range(rounds):
            first = index % len(running)
            order.extend(running[first:] + running[:first])
        return order

    def _flat_out(self, row: Row, running: list[Running], outcome: Outcome) -> None:
        for one in running:
            self._warm_up(row, one)
        for one in self._turns(running, self.settings.rounds):
            if one.peer.name in outcome.skipped:
                continue
            try:
                before = origins.requests(self.origin.port) if row.cache else 0
                seen, load = self._measured(
                    one, lambda one=one: drivers.flat_out(self.procs, self.cores, one.port, row, self.settings.seconds),
                )
                if row.cache:
                    self._count_hits(row, seen, load, before)
            except BenchError as err:
                outcome.skip(one.peer, err)
                continue
            outcome.rounds.setdefault(one.peer.name, []).append(seen)
        if row.log:
            self._count_lines(running, outcome)

    def _warm_up(self, row: Row, one: Running) -> None:
        """Pools are full after a second; a cache has settled after so many requests for each of its objects."""
        began = time.monotonic()
        one.answers += drivers.flat_out(self.procs, self.cores, one.port, row, WARMUP_SECONDS).requests
        while one.answers < row.objects * WARMUP_REQUESTS and time.monotonic() - began < WARMUP_SECONDS_MAX:
            one.answers += drivers.flat_out(self.procs, self.cores, one.port, row, 2 * WARMUP_SECONDS).requests

    def _count_hits(self, row: Row, seen: dict[str, float], load: drivers.Load, before: int) -> None:
        """What did not come to the origin was a hit; our own question for the count is none."""
        asked = origins.requests(self.origin.port) - before - 1
        # Requests under way at the end came to the origin and are not counted here.
        seen["hit_ratio"] = max(0.0, 1 - asked / load.requests)
        if row.script == "zipf":
            seen["best_ratio"] = policies.best(row.objects)
            seen["behind_best"] = seen["best_ratio"] - seen["hit_ratio"]

    def _stampede(self, row: Row, running: list[Running], outcome: Outcome) -> None:
        """A new key each round."""
        for turn, one in enumerate(self._turns(running, self.settings.rounds)):
            if one.peer.name in outcome.skipped:
                continue
            before = origins.requests(self.origin.port)
            path = f"{row.path}{turn}"
            try:
                seen, _ = self._measured(
                    one, lambda one=one, path=path:
                    stampede(one.port, path, row.conns, row.body_bytes, self.cores.load),
                )
            except BenchError as err:
                outcome.skip(one.peer, err)
                continue
            seen["upstream"] = origins.requests(self.origin.port) - before - 1
            outcome.rounds.setdefault(one.peer.name, []).append(seen)

    def _count_lines(self, running: list[Running], outcome: Outcome) -> None:
        """A log that drops lines is cheap, so the lines are counted: what lacks is counted as errors."""
        drivers.settle(LOG_SETTLE_SECONDS)
        for one in running:
            rounds = outcome.rounds.get(one.peer.name)
            if rounds and one.access_log:
                with open(one.access_log, "rb") as log:
                    lines = sum(piece.count(b"\n") for piece in iter(lambda: log.read(1 << 20), b""))
                rounds[-1]["errors"] += max(0, one.answers - lines)

    def _measured(self, one: Running, drive) -> tuple[dict[str, float], drivers.Load]:
        """Runs a driver and reads CPU time and memory of the proxy around it."""
        pids = measure.tree(one.child.pid)
        before = measure.usage(pids)
        load = drive()
        after = measure.usage(measure.tree(one.child.pid))
        one.answers += load.requests
        if load.requests == 0:
            raise BenchError(f"{one.peer.name} completed no request")
        cpu = measure.between(before, after)
        memory = measure.memory(measure.tree(one.child.pid))
        seen = {
            "requests": load.requests,
            "seconds": load.seconds,
            "rps": load.rps,
            "errors": load.errors,
            "cpu_us": cpu.total_us / load.requests,
            "user_us": cpu.user_us / load.requests,
            "sys_us": cpu.sys_us / load.requests,
            "core_used": cpu.total_us / (load.seconds * 1e6),
            "core_waited": cpu.waited_us / (load.seconds * 1e6),
            "rss_kib": memory.rss_kib,
            "pss_kib": memory.pss_kib,
        }
        seen.update(load.latency)
        return seen, load

    def _latency(self, row: Row, running: list[Running], outcome: Outcome) -> None:
        """With the origin on the proxy's core: waking another core takes longer than the hop itself (50 µs a
        time in a virtual machine), and the way straight to the origin must not be spared it."""
        drivers.build_load()
        origin = measure.tree(self.origin.child.pid)
        measure.pin(origin, self.cores.proxy)
        try:
            self._added(row, running, outcome)
        finally:
            measure.pin(origin, self.cores.origin)

    def _added(self, row: Row, running: list[Running], outcome: Outcome) -> None:
        """Constant rate, first straight to the origin, then through the proxy: the difference is the hop."""
        most = {one.peer.name: self._most(row, one.port) for one in running}
        compared = [rps for name, rps in most.items() if name == OURS or name in REFERENCE] or list(most.values())
        common = min(compared, default=0.0) * LOAD_PART
        for one in self._turns(running, self.settings.rounds):
            if one.peer.name in outcome.skipped:
                continue
            # A proxy that cannot do the common rate at all (Envoy) is asked for half of what it can.
            rate = min(common, most[one.peer.name] * LOAD_PART)
            try:
                direct = self._at_rate(self.origin.port, row, rate)
                seen, load = self._measured(one, lambda one=one, rate=rate: self._at_rate(one.port, row, rate))
            except BenchError as err:
                outcome.skip(one.peer, err)
                continue
            seen["rate"] = rate
            for name, value in direct.latency.items():
                seen[f"direct_{name}"] = value
                seen[f"added_{name}"] = load.latency[name] - value
            outcome.rounds.setdefault(one.peer.name, []).append(seen)

    def _most(self, row: Row, port: int) -> float:
        load = drivers.wrk(self.procs, self.cores, port, row, max(1.0, self.settings.seconds / 2))
        return load.rps

    def _at_rate(self, port: int, row: Row, rate: float) -> drivers.Load:
        return drivers.constant_rate(self.procs, self.cores, port, row, rate, self.settings.seconds)

    def _idle(self, row: Row, peers: list[Peer], outcome: Outcome) -> None:
        """A fresh process each time: memory that a round before left behind would hide the growth."""
        for _ in range(min(self.settings.rounds, IDLE_ROUNDS_MAX)):
            for peer in peers:
                if peer.name in outcome.skipped:
                    continue
                try:
                    one = self.start(row, peer)
                except BenchError as err:
                    outcome.skipped[peer.name] = str(err)
                    continue
                try:
                    seen = self._idle_once(row, one)
                    outcome.rounds.setdefault(peer.name, []).append(seen)
                except BenchError as err:
                    outcome.skip(peer, err)
                finally:
                    self.procs.stop(one.child)

    def _idle_once(self, row: Row, one: Running) -> dict[str, float]:
        drivers.settle(IDLE_SETTLE_SECONDS)
        before = measure.memory(measure.tree(one.child.pid))
        with drivers.IdleConns(one.port, row, row.conns, self.cores.load) as conns:
            drivers.settle(IDLE_SETTLE_SECONDS)
            after = measure.memory(measure.tree(one.child.pid))
            alive = conns.alive()
        return {
            "conns": row.conns,
            "errors": row.conns - alive,
            "rss_before_kib": before.rss_kib,
            "rss_kib": after.rss_kib,
            "pss_kib": after.pss_kib,
            "rss_conn_bytes": (after.rss_kib - before.rss_kib) * 1024 / row.conns,
            "pss_conn_bytes": (after.pss_kib - before.pss_kib) * 1024 / row.conns,
        }


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each value over the rounds; errors add up instead."""
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    middle["errors"] = sum(one["errors"] for one in rounds)
    return middle


def spread(rounds: list[dict[str, float]], name: str) -> float:
    """How far the rounds lie apart: (largest - smallest) / median. A small one makes the ratio believable."""
    values = [one[name] for one in rounds]
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0
