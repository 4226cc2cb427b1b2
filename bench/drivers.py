"""The load: wrk, h2load and datagrams as fast as they go, a constant rate, and many idle connections."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from procs import BenchError, Cores, LOAD_BIN, LOAD_DIR, Procs, tail
from rows import Row, ZIPF

HERE = Path(__file__).resolve().parent

# A message of gRPC: no compression, 66 bytes.
MESSAGE = HERE / "load" / "message.bin"
# An answer slower than this is counted as a timeout by wrk.
WRK_TIMEOUT = "10s"
# Idle connections come from this many loopback addresses, so that no per-client limit is in the way.
IDLE_SOURCES = 50
# The largest head an origin of ours sends, with room.
HEAD_BYTES_MAX = 8192


@dataclass
class Load:
    """What a driver reports."""

    requests: int
    """All answers, those of a warm-up included: what CPU time is divided by."""
    rps: float
    seconds: float
    errors: int
    latency: dict[str, float]
    """Percentiles in microseconds, by name (`p50_us`, …)."""


def probe(port: int, row: Row) -> None:
    """One request before anything is measured: a proxy that answers wrongly must not win."""
    if row.kind == "udp":
        return _probe_udp(port)
    if row.streams:
        return _probe_h2(port, row)
    if row.tls:
        conn = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=_believing())
    else:
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        conn.request("GET", row.path, headers={"Accept-Encoding": "gzip"} if row.gzip else {})
        answer = conn.getresponse()
        body = answer.read()
        if row.gzip:
            if answer.getheader("Content-Encoding") != "gzip":
                raise BenchError(f"GET {row.path} was not compressed")
            body = gzip.decompress(body)
    except (OSError, http.client.HTTPException) as err:
        raise BenchError(f"no answer to GET {row.path}: {err!r}") from err
    finally:
        conn.close()
    if answer.status != 200 or len(body) != row.body_bytes:
        raise BenchError(f"GET {row.path} gave {answer.status} with {len(body)} bytes, not 200 with {row.body_bytes}")


def _believing() -> ssl.SSLContext:
    """A client that believes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _probe_h2(port: int, row: Row) -> None:
    argv = ["curl", "-sk", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_version} %{response_code} %{size_download}",
            "--http2" if row.tls else "--http2-prior-knowledge", _url(port, row)]
    if row.grpc:
        argv += ["--data-binary", f"@{MESSAGE}", *_call_fields()]
    seen = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    if seen != f"2 200 {row.body_bytes}":
        raise BenchError(f"{row.path} over HTTP/2 gave version, status and length {seen!r}")


def _call_fields() -> list[str]:
    """What makes a request a call of gRPC."""
    return ["-H", "content-type: application/grpc", "-H", "te: trailers"]


def _probe_udp(port: int) -> None:
    """Asks until there is an answer: whether a port of datagrams is open cannot be seen otherwise."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.1)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                asker.sendto(b"question", ("127.0.0.1", port))
                if asker.recv(64) == b"question":
                    return
            except OSError:
                time.sleep(0.05)
    raise BenchError("no answer to a datagram")


def _url(port: int, row: Row) -> str:
    return f"{'https' if row.tls else 'http'}://127.0.0.1:{port}{row.path}"


def flat_out(procs: Procs, cores: Cores, port: int, row: Row, seconds: float) -> Load:
    """As fast as one thread of the row's load generator goes."""
    return {"wrk": wrk, "h2load": h2load, "udp": udp}[row.kind](procs, cores, port, row, seconds)


def udp(procs: Procs, cores: Cores, port: int, row: Row, seconds: float) -> Load:
    """So many sockets, each of which asks again as soon as it has its answer."""
    argv = [str(LOAD_BIN), "udp", f"127.0.0.1:{port}", str(row.conns), str(seconds)]
    seen = _result(procs, argv, cores.load, seconds + 30)
    latency = {name: value for name, value in seen.items() if name.endswith("_us")}
    return Load(int(seen["requests"]), seen["requests"] / seen["seconds"], seen["seconds"], int(seen["errors"]), latency)


def h2load(procs: Procs, cores: Cores, port: int, row: Row, seconds: float) -> Load:
    """As fast as one h2load thread goes; percentiles are of its log, which has a line for each request."""
    log = procs.work / "h2load.log"
    log.unlink(missing_ok=True)
    argv = ["h2load", "-t1", f"-c{row.conns}", f"-m{row.streams}", f"--duration={max(1, round(seconds))}",
            f"--log-file={log}"]
    if row.grpc:
        argv += [f"--data={MESSAGE}", *_call_fields()]
    argv.append(_url(port, row))
    out = _output(procs, argv, cores.load, seconds + 30)
    found = re.search(r"requests: (\d+) total, .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", out)
    if not found:
        raise BenchError(f"h2load printed no result:\n{out}")
    done, failed, errored, timeout = (int(found.group(at)) for at in (2, 3, 4, 5))
    with open(log, encoding="ascii") as lines:
        rows = [line.split("\t") for line in lines]
    took = sorted(int(row[2]) for row in rows)
    starts = [int(row[0]) for row in rows]
    length = (max(starts) - min(starts)) / 1e6 if len(rows) > 1 else seconds
    latency = {f"p{part}_us": float(took[len(took) * part // 100]) if took else 0.0 for part in (50, 90, 99)}
    return Load(done, done / length, length, failed + errored + timeout, latency)


def wrk(procs: Procs, cores: Cores, port: int, row: Row, seconds: float) -> Load:
    """As fast as one wrk thread goes."""
    script = HERE / "lua" / f"{row.script or 'report'}.lua"
    argv = ["wrk", "-t1", f"-c{row.conns}", f"-d{_wrk_seconds(seconds)}", "--latency", "--timeout", WRK_TIMEOUT,
            "-s", str(script)]
    if row.close:
        argv += ["-H", "Connection: close"]
    if row.gzip:
        argv += ["-H", "Accept-Encoding: gzip"]
    argv.append(_url(port, row))
    if row.script:
        # What chooses paths: how many there are, by what law, and what tells this run from others.
        argv += ["--", str(row.objects), str(ZIPF), str(time.monotonic_ns())]
    seen = _result(procs, argv, cores.load, seconds + 30)
    errors = sum(seen[kind] for kind in ("connect", "read", "write", "timeout", "status"))
    latency = {name: float(seen[name]) for name in ("p50_us", "p90_us", "p99_us")}
    seconds = seen["micros"] / 1e6
    return Load(int(seen["requests"]), seen["requests"] / seconds, seconds, int(errors), latency)


def constant_rate(procs: Procs, cores: Cores, port: int, row: Row, rate: float, seconds: float) -> Load:
    """`rate` requests a second by the clock; latency counts from the instant each was due."""
    warmup = min(0.5, seconds / 4)
    argv = [str(LOAD_BIN), "rate", f"127.0.0.1:{port}", row.path, f"{rate:.0f}", str(row.conns), str(warmup), str(seconds)]
    seen = _result(procs, argv, cores.load, seconds + 30)
    latency = {name: value for name, value in seen.items() if name.endswith("_us")}
    return Load(int(seen["total"]), seen["requests"] / seconds, seconds + warmup, int(seen["errors"]), latency)


def build_load() -> None:
    """Builds our own load generator when it is missing or older than its source."""
    changed = max(source.stat().st_mtime for source in (LOAD_DIR / "src").iterdir())
    if LOAD_BIN.exists() and LOAD_BIN.stat().st_mtime >= changed:
        return
    argv = ["cargo", "build", "--quiet", "--release", "--manifest-path", str(LOAD_DIR / "Cargo.toml"),
            "--target-dir", str(LOAD_DIR / "target")]
    try:
        subprocess.run(argv, check=True)
    except (OSError, subprocess.CalledProcessError) as err:
        raise BenchError(f"cannot build bench/load, which some rows need: {err}") from err


class IdleConns:
    """Keep-alive connections that carried one request each and then stay open, as a context."""

    def __init__(self, port: int, row: Row, count: int, core: int) -> None:
        self._port, self._row, self._count, self._core = port, row, count, core
        self._open: list[socket.socket] = []
        self._affinity = os.sched_getaffinity(0)
        self._tls = _believing() if row.tls else None

    def __enter__(self) -> "IdleConns":
        os.sched_setaffinity(0, {self._core})
        try:
            for index in range(self._count):
                self._open.append(self._one(index))
        except OSError as err:
            opened = len(self._open)
            self._close()
            raise BenchError(f"idle connection {opened + 1} of {self._count} failed: {err}") from err
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def alive(self) -> int:
        """How many still carry a request: a proxy that closes idle connections saves no memory."""
        count = 0
        for conn in self._open:
            try:
                self._ask(conn)
                count += 1
            except OSError:
                pass
        return count

    def _one(self, index: int) -> socket.socket:
        source = f"127.0.0.{2 + index % IDLE_SOURCES}"
        conn = socket.create_connection(("127.0.0.1", self._port), timeout=10, source_address=(source, 0))
        if self._tls:
            conn = self._tls.wrap_socket(conn)
        self._ask(conn)
        return conn

    def _ask(self, conn: socket.socket) -> None:
        conn.sendall(f"GET {self._row.path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data or len(data) - data.index(b"\r\n\r\n") - 4 < self._row.body_bytes:
            piece = conn.recv(HEAD_BYTES_MAX)
            if not piece:
                raise ConnectionError("closed by the proxy")
            data += piece

    def _close(self) -> None:
        for conn in self._open:
            conn.close()
        self._open.clear()
        os.sched_setaffinity(0, self._affinity)


def _result(procs: Procs, argv: list[str], core: int, seconds_max: float) -> dict:
    """Runs a load generator to its end and reads the line it prints for us."""
    text = _output(procs, argv, core, seconds_max)
    for line in text.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    raise BenchError(f"{argv[0]} printed no result:\n{text}\n{tail(procs.work / 'load.err')}")


def _output(procs: Procs, argv: list[str], core: int, seconds_max: float) -> str:
    """Runs a load generator to its end."""
    out = procs.work / "load.out"
    err = procs.work / "load.err"
    out.unlink(missing_ok=True)
    child = procs.spawn(argv, core, err, stdout=out)
    try:
        child.wait(seconds_max)
    except subprocess.TimeoutExpired as late:
        raise BenchError(f"{argv[0]} did not end after {seconds_max:.0f} s") from late
    finally:
        procs.stop(child)
    return out.read_text(errors="replace")


def _wrk_seconds(seconds: float) -> str:
    """wrk takes whole seconds only."""
    return f"{max(1, round(seconds))}s"


def settle(seconds: float) -> None:
    """Lets a proxy finish what it does after the last request before its memory is read."""
    time.sleep(seconds)
