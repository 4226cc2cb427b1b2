"""Bifrons itself. All its configuration for the benchmark is in the templates of this file."""

from __future__ import annotations

import os
from pathlib import Path

from .base import CACHE_DISK_BYTES, IDLE_SECONDS, REQUESTS_PER_CONN, Job, Peer, ask_version

ROOT = Path(__file__).resolve().parent.parent.parent

# The same job as the peers': no forwarding fields and no `Via`, which they as configured here do not add
# either. Else the defaults, but for what would end a connection in the middle of a run.
CONFIG = """\
workers: 1
access_log: {log}
listeners:
  web:
    bind: "127.0.0.1:{port}"
{tls}    via: false
    connections: {{ requests: {requests} }}
    timeouts: {{ keep_alive: {idle}s }}
hosts:
  - default: true
    routes:
{routes}
"""
# Layer 4 alone: a listener without requests.
LAYER4 = """\
workers: 1
access_log: []
listeners:
  web:
    bind: "127.0.0.1:{port}"
{tls}    {layer4}
clusters:
  origin:
    endpoints: ["127.0.0.1:{origin_port}"]
"""
TCP = "tcp: origin"
UDP = "udp: {{ routes: [{{ proxy: origin, responses: 1, idle: {idle}s }}] }}"
CACHES = """\
caches:
  main: {{ memory: {memory}, memory_object: {object}, keys: 256m{disk} }}
"""
DISK = ", path: \"{dir}\", max_size: {size}, inactive: {idle}s"
# Only where there is a cluster to use: in the static rows it would be a key without effect, an error.
CLUSTERS = """\
clusters:
  origin:
    endpoints: ["127.0.0.1:{origin_port}"]
    keep_alive: {{ requests: {requests}, timeout: {idle}s }}
"""
ROUTE_HTTP2 = '      - {{ path: "/*", proxy: {{ cluster: origin, forwarded: [], http_version: "2" }} }}'
ROUTE_PROXY = '      - {{ path: "{prefix}*", proxy: {{ cluster: origin, forwarded: [] }} }}'
ROUTE_CACHE = '      - {{ path: "/*", proxy: {{ cluster: origin, forwarded: [] }}, cache: {{ zone: main }} }}'
ROUTE_GZIP = (
    '      - {{ path: "/*", proxy: {{ cluster: origin, forwarded: [] }}, '
    "filters: [{{ compress: {{ codings: [gzip], levels: {{ gzip: {level} }} }} }}] }}"
)
ROUTE_STATIC = '      - {{ path: "/*", static: "{root}" }}'
TLS = '    tls: {{ certificates: [{{ cert: "{pem}", key: "{pem}" }}]{sessions} }}\n'
NO_SESSIONS = ", sessions: { tickets: false, cache: 0 }"
LOG_OFF = "[]"
LOG_FILE = '{{ to: {{ file: "{path}" }}, format: combined }}'


def binary() -> Path:
    """`$BIFRONS_BIN`, or the release build in cargo's target directory."""
    named = os.environ.get("BIFRONS_BIN")
    if named:
        return Path(named)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "bifrons"


class Bifrons(Peer):
    name = "bifrons"

    def missing(self) -> str | None:
        path = binary()
        return None if path.exists() else f"no binary at {path}: cargo build --release -p bifrons"

    def version(self) -> str:
        return ask_version([str(binary()), "--version"], r"bifrons v?(\S+)")

    def configure(self, job: Job) -> list[str]:
        if job.static_root:
            text, routes = CONFIG, ROUTE_STATIC.format(root=job.static_root)
        elif job.layer4:
            text, routes = LAYER4, ""
        elif job.http2_origin:
            text, routes = CONFIG + CLUSTERS, ROUTE_HTTP2.format()
        elif job.cache:
            text, routes = CONFIG + CLUSTERS + self._caches(job), ROUTE_CACHE.format()
        elif job.gzip:
            text, routes = CONFIG + CLUSTERS, ROUTE_GZIP.format(level=job.gzip)
        else:
            prefixes = job.routes or ("/",)
            text, routes = CONFIG + CLUSTERS, "\n".join(ROUTE_PROXY.format(prefix=prefix) for prefix in prefixes)
        conf = job.dir / "bifrons.yaml"
        conf.write_text(text.format(
            tls=TLS.format(pem=job.pem, sessions="" if job.resume else NO_SESSIONS) if job.pem else "",
            layer4=UDP.format(idle=IDLE_SECONDS) if job.layer4 == "udp" else TCP,
            log=LOG_FILE.format(path=job.access_log) if job.access_log else LOG_OFF,
            port=job.port, origin_port=job.origin_port, requests=REQUESTS_PER_CONN, idle=IDLE_SECONDS, routes=routes,
        ))
        return [str(binary()), "run", str(conf)]

    def _caches(self, job: Job) -> str:
        on_disk = job.cache == "disk"
        disk = DISK.format(dir=job.cache_dir, size=CACHE_DISK_BYTES, idle=IDLE_SECONDS) if on_disk else ""
        # In the row about the disk nothing may come from memory.
        largest = 1024 if on_disk else min(2 << 20, job.cache_bytes // 8)
        return CACHES.format(memory=job.cache_bytes, object=largest, disk=disk).replace("{", "{{").replace("}", "}}")
