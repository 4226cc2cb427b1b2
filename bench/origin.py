"""The origin behind the proxies: nginx, because it is on every machine and fast enough not to be the limit."""

from __future__ import annotations

import http.client
import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

from peers.base import CONNS_MAX, IDLE_SECONDS, REQUESTS_PER_CONN
from peers.nginx import user_line
from procs import BenchError, Cores, LOAD_BIN, Procs
from rows import SMALL_BYTES

SMALL_BODY = "Bifrons bench: a small answer of sixty-six bytes, no more no less."
FILES = {"1k.bin": 1 << 10, "4k.bin": 4 << 10, "64k.bin": 64 << 10, "1m.bin": 1 << 20}

CONFIG = """\
{user}
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections {conns}; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16 inactive=3600s;
    open_file_cache_valid 3600s;
    keepalive_timeout {idle}s;
    keepalive_requests {requests};
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {files};
        location / {{ default_type text/plain; return 200 "{body}"; }}
        location = /64k.txt {{ default_type text/plain; }}
{locations}
        # What caches keep: the same, whatever stands behind the name; and the same slowly: half of 64 KiB at once, half a second later.
        location /cached/ {{
            default_type text/plain; add_header Cache-Control max-age=3600; return 200 "{body}";
        }}
{cached}
        location = /requests {{ stub_status; }}
    }}
    # The same over HTTP/2; answers to calls of gRPC have trailers.
    server {{
        listen 127.0.0.1:{http2_port} http2 backlog=4096;
        root {files};
        location / {{ default_type text/plain; return 200 "{body}"; }}
        location /bench.Echo/ {{
            default_type application/grpc; add_trailer grpc-status 0; return 200 "{body}";
        }}
    }}
}}
"""


# Below `/cached/64k.bin`, any name is a file of that size.
CACHED = """\
        location /cached/{at}{name} {{
            add_header Cache-Control max-age=3600;{pace} try_files /{name} =404;
        }}"""
PACES = (("", ""), ("slow/", " limit_rate 32k;"))


def write_files(work: Path) -> Path:
    """Writes the files that origin and static rows serve. Random bytes: nothing can compress or skip them."""
    root = work / "files"
    root.mkdir()
    root.chmod(0o755)
    for name, size in FILES.items():
        (root / name).write_bytes(os.urandom(size))
    (root / "64k.txt").write_bytes(text(64 << 10))
    return root


def text(size: int) -> bytes:
    """Words as often as Zipf's law has them, the same in every run: gzip makes a third of it, as of a page."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlucmfwypvbgkqjxz", k=chance.randint(2, 9))) for _ in range(2_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return " ".join(chance.choices(words, weights, k=size)).encode()[:size]


@dataclass(frozen=True)
class Origin:
    """The running origin and the files it serves."""

    child: subprocess.Popen
    port: int
    files: Path
    http2_port: int = 0


def start(procs: Procs, cores: Cores) -> Origin:
    """Starts the origin on its core."""
    files = write_files(procs.work)
    assert len(SMALL_BODY) == SMALL_BYTES
    home = procs.work / "origin"
    home.mkdir()
    port, http2_port = procs.free_port(), procs.free_port()
    conf = home / "nginx.conf"
    conf.write_text(CONFIG.format(
        user=user_line(), dir=home, conns=CONNS_MAX, idle=IDLE_SECONDS, requests=REQUESTS_PER_CONN,
        port=port, http2_port=http2_port, files=files, body=SMALL_BODY,
        locations="\n".join(f"        location = /{name} {{ }}" for name in FILES),
        cached="\n".join(CACHED.format(name=name, pace=pace, at=at) for name in FILES for at, pace in PACES),
    ))
    argv = ["nginx", "-e", f"{home}/error.log", "-p", str(home), "-c", str(conf), "-g", "daemon off;"]
    child = procs.spawn(argv, cores.origin, home / "output.log")
    procs.wait_listening(child, port, home / "error.log")
    procs.wait_listening(child, http2_port, home / "error.log")
    return Origin(child, port, files, http2_port)


def requests(port: int) -> int:
    """How many requests it has had, this one included."""
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        conn.request("GET", "/requests")
        text = conn.getresponse().read().decode()
    except (OSError, http.client.HTTPException) as err:
        raise BenchError(f"the origin does not say how many requests it had: {err!r}") from err
    finally:
        conn.close()
    return int(text.splitlines()[2].split()[2])


def start_echo(procs: Procs, cores: Cores) -> Origin:
    """An origin of datagrams, each of which it sends back."""
    port = procs.free_port()
    log = procs.work / "echo.log"
    child = procs.spawn([str(LOAD_BIN), "echo", f"127.0.0.1:{port}"], cores.origin, log)
    return Origin(child, port, procs.work)
