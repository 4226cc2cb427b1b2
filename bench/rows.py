"""The rows of the benchmark: what is asked of each proxy, and how hard."""

from __future__ import annotations

from dataclasses import dataclass

SMALL_BYTES = 66
# Of the objects of a row with many, this part fits into memory.
MEMORY_PART = 0.05
# Beside its body, a stored answer's head and what is known about it.
OBJECT_BYTES = 512
# Many objects: so many requests for each of them until a cache has settled on some, and a simulation likewise.
WARMUP_REQUESTS = 3
# The exponent of Zipf's law in bench/lua/zipf.lua.
ZIPF = 0.9


@dataclass(frozen=True)
class Row:
    """One row. `kind` chooses the driver: `wrk`, `h2load` and `udp` (as fast as it goes), `latency` (constant rate),
    `idle`, `stampede` (all at once)."""

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
    tls: bool = False
    routes: int = 0
    streams: int = 0
    """Requests of a connection at once, which means HTTP/2; 0: HTTP/1."""
    resume: bool = True
    """Whether a client may come back to a TLS session."""
    http2_origin: bool = False
    """Whether requests go on by HTTP/2."""
    grpc: bool = False
    """Whether they are calls: POST with a message, and an answer with trailers."""
    layer4: bool = False
    """Whether bytes are passed on as they are."""
    cache: str = ""
    """Where answers are kept: `memory` or `disk`; empty: nowhere."""
    gzip: int = 0
    """The level at which answers are compressed on their way; 0: they are not."""
    script: str = ""
    """The script in bench/lua that chooses paths."""
    objects: int = 0
    """So many paths does it choose among; a cache in memory has room for MEMORY_PART of them."""

    @property
    def is_flat_out(self) -> bool:
        return self.kind in ("wrk", "h2load", "udp")

    @property
    def cache_bytes(self) -> int:
        """Memory of the cache: room for everything, but where there are more objects than that."""
        if self.cache == "disk":
            return 1 << 20
        return int(self.objects * MEMORY_PART * (self.body_bytes + OBJECT_BYTES)) if self.objects else 256 << 20


@dataclass(frozen=True)
class Group:
    """Rows that share one chart."""

    name: str
    title: str


GROUPS = (
    Group("small", "Small answers (66 bytes): CPU per request"),
    Group("bodies", "Large answers: CPU per request"),
    Group("tls", "TLS 1.3 in front, 66-byte answers: CPU per request"),
    Group("http2", "HTTP/2, 8 connections × 16 streams, 66-byte answers: CPU per request"),
    Group("layer4", "Layer 4: CPU per request"),
    Group("udp", "Datagrams: CPU per question with its answer"),
    Group("cache", "Answers from a cache: CPU per request"),
    Group("stampede", "1,000 clients, one cold key: requests to the origin"),
    Group("idle", "Idle keep-alive connections: memory of one"),
    Group("latency", "Half load at a constant rate: latency added by one hop"),
    Group("gzip", "Text of 64 KiB, compressed on its way: CPU per request"),
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


def _gzip(level: int) -> Row:
    return Row(
        f"gzip-64k-{level}", f"64 KiB of text compressed by gzip at level {level} on its way, 16 connections", "gzip",
        path="/64k.txt", body_bytes=64 << 10, conns=16, gzip=level,
    )


ROWS = (
    Row("h1-64", "HTTP/1 keep-alive, 64 connections, 66-byte answers", "small"),
    Row("h1-512", "HTTP/1 keep-alive, 512 connections, 66-byte answers", "small", conns=512),
    Row("h1-64-log", "64 connections, 66-byte answers, access log on", "small", log=True),
    Row("h1-close", "A new connection for each request, 66-byte answers", "small", close=True),
    Row("tls-h1", "HTTP/1 over TLS, keep-alive, 64 connections, 66-byte answers", "tls", tls=True),
    Row(
        "tls-handshake", "A full handshake (ECDSA P-256) for each request, 64 at once", "tls",
        tls=True, close=True, resume=False,
    ),
    Row("tls-resumed", "A session that is taken up again for each request, 64 at once", "tls", tls=True, close=True),
    Row(
        "h2c", "HTTP/2 without TLS, 8 connections × 16 streams, 66-byte answers", "http2",
        kind="h2load", conns=8, streams=16,
    ),
    Row(
        "h2-tls", "HTTP/2 over TLS, 8 connections × 16 streams, 66-byte answers", "http2",
        kind="h2load", conns=8, streams=16, tls=True,
    ),
    Row("h1-64k", "64 connections, 64 KiB answers", "bodies", path="/64k.bin", body_bytes=64 << 10),
    Row("h1-1m", "16 connections, 1 MiB answers", "bodies", path="/1m.bin", body_bytes=1 << 20, conns=16),
    Row("l4-small", "TCP, 64 connections, 66-byte answers", "layer4", layer4=True),
    Row("l4-1m", "TCP, 16 connections, 1 MiB answers", "layer4", path="/1m.bin", body_bytes=1 << 20, conns=16, layer4=True),
    Row("udp-dns", "UDP, 64 clients, each asks when it has its answer", "udp", kind="udp", layer4=True, conns=64),
    Row("h1-idle", "10,000 idle keep-alive connections after one request each", "idle", kind="idle", conns=10_000),
    Row("l4-idle", "10,000 idle TCP connections, passed on", "idle", kind="idle", conns=10_000, layer4=True),
    Row("idle-tls", "5,000 idle TLS connections after one request each", "idle", kind="idle", conns=5_000, tls=True),
    Row("h1-latency", "64 connections, 66-byte answers at half load", "latency", kind="latency"),
    Row("static-1k", "Static file of 1 KiB, 64 connections", "static", path="/1k.bin", body_bytes=1 << 10, static=True),
    Row(
        "static-1m", "Static file of 1 MiB, 16 connections", "static",
        path="/1m.bin", body_bytes=1 << 20, conns=16, static=True,
    ),
    Row("cache-hit", "From memory, 64 connections, 66-byte answers", "cache", path="/cached/", cache="memory"),
    Row(
        "cache-hit-64k", "From memory, 64 connections, 64 KiB answers", "cache",
        path="/cached/64k.bin", body_bytes=64 << 10, cache="memory",
    ),
    Row(
        "cache-hit-1m", "From memory, 16 connections, 1 MiB answers", "cache",
        path="/cached/1m.bin", body_bytes=1 << 20, conns=16, cache="memory",
    ),
    Row(
        "cache-hit-tls-h2", "From memory, HTTP/2 over TLS, 8 connections × 16 streams, 66-byte answers", "cache",
        kind="h2load", path="/cached/", conns=8, streams=16, tls=True, cache="memory",
    ),
    Row(
        "cache-miss", "Each request for something new, which is stored; 64 connections, 66-byte answers", "cache",
        path="/cached/", script="unique", cache="memory",
    ),
    Row(
        "cache-disk-hit", "1,000 answers of 64 KiB, none of them in memory, 64 connections", "cache",
        path="/cached/64k.bin", body_bytes=64 << 10, script="among", objects=1_000, cache="disk",
    ),
    Row(
        "cache-zipf", "200,000 answers of 4 KiB asked for by Zipf's law (0.9), memory for 5 % of them", "cache",
        kind="wrk", path="/cached/4k.bin", body_bytes=4 << 10, script="zipf", objects=200_000, cache="memory",
    ),
    Row(
        "cache-stampede", "1,000 clients at once for one cold key, 64 KiB", "stampede",
        kind="stampede", path="/cached/slow/64k.bin", body_bytes=64 << 10, conns=1_000, cache="memory",
    ),
    _gzip(1),
    _gzip(6),
    Row(
        "h2-to-h2", "HTTP/2 without TLS on both sides, 8 connections × 16 streams, 66-byte answers", "http2",
        kind="h2load", conns=8, streams=16, http2_origin=True,
    ),
    Row(
        "grpc-unary", "Calls of gRPC: POST of 71 bytes, 66-byte answers with trailers, 8 connections × 16 streams", "http2",
        kind="h2load", path="/bench.Echo/Unary", conns=8, streams=16, http2_origin=True, grpc=True,
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
