"""The rows of the benchmark: what is asked of each proxy, and how hard."""

from __future__ import annotations

from dataclasses import dataclass

SMALL_BYTES = 66


@dataclass(frozen=True)
class Row:
    """One row. `kind` chooses the driver: `wrk` and `h2load` (as fast as it goes), `latency` (constant rate),
    `idle`."""

    name: str
    title: str
    group: str
    kind: str = "wrk"
    path: str = "/"
    body_bytes: int = SMALL_BYTES
    conns: int = 64
    close: bool = False
    log: bool = False
    static: bool = False
    routes: int = 0
    streams: int = 0
    """Requests of a connection at once, which means HTTP/2; 0: HTTP/1."""
    tls: bool = False

    @property
    def is_flat_out(self) -> bool:
        return self.kind in ("wrk", "h2load")


@dataclass(frozen=True)
class Group:
    """Rows that share one chart."""

    name: str
    title: str


GROUPS = (
    Group("small", "Small answers (66 bytes): CPU per request"),
    Group("bodies", "Large answers: CPU per request"),
    Group("idle", "Idle keep-alive connections: memory of one"),
    Group("latency", "Half load at a constant rate: latency added by one hop"),
    Group("http2", "HTTP/2, 8 connections × 16 streams, small answers: CPU per request"),
    Group("static", "Static files: CPU per request"),
    Group("routes", "Routing among many: CPU per request"),
)


def route_path(index: int) -> str:
    """The prefix of route number `index`."""
    return f"/route/{index:05d}/"


def _routes(count: int) -> Row:
    return Row(
        f"routes-{count}", f"{count:,} route{'s' if count > 1 else ''}, the request hits the middle one", "routes",
        path=route_path(count // 2) + "item", routes=count,
    )


ROWS = (
    Row("h1-64", "HTTP/1 keep-alive, 64 connections, 66-byte answers", "small"),
    Row("h1-512", "HTTP/1 keep-alive, 512 connections, 66-byte answers", "small", conns=512),
    Row("h1-64-log", "64 connections, 66-byte answers, access log on", "small", log=True),
    Row("h1-close", "A new connection for each request, 66-byte answers", "small", close=True),
    Row("h1-64k", "64 connections, 64 KiB answers", "bodies", path="/64k.bin", body_bytes=64 << 10),
    Row("h1-1m", "16 connections, 1 MiB answers", "bodies", path="/1m.bin", body_bytes=1 << 20, conns=16),
    Row("h1-idle", "10,000 idle keep-alive connections after one request each", "idle", kind="idle", conns=10_000),
    Row("h1-latency", "64 connections, 66-byte answers at half load", "latency", kind="latency"),
    Row("h2c", "HTTP/2 without TLS, 8 connections × 16 streams, 66-byte answers", "http2", kind="h2load", conns=8, streams=16),
    Row(
        "h2-tls", "HTTP/2 over TLS, 8 connections × 16 streams, 66-byte answers", "http2",
        kind="h2load", conns=8, streams=16, tls=True,
    ),
    Row("static-1k", "Static file of 1 KiB, 64 connections", "static", path="/1k.bin", body_bytes=1 << 10, static=True),
    Row(
        "static-1m", "Static file of 1 MiB, 16 connections", "static",
        path="/1m.bin", body_bytes=1 << 20, conns=16, static=True,
    ),
    _routes(1),
    _routes(100),
    _routes(10_000),
)


def pick(names: list[str]) -> list[Row]:
    """The rows called `names` in the table's order; all when empty. Raises KeyError with an unknown name."""
    known = {row.name for row in ROWS}
    for name in names:
        if name not in known:
            raise KeyError(name)
    return [row for row in ROWS if not names or row.name in names]
