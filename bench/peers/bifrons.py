"""Bifrons itself. All its configuration for the benchmark is in the templates of this file."""

from __future__ import annotations

import os
from pathlib import Path

from .base import IDLE_SECONDS, REQUESTS_PER_CONN, Job, Peer, ask_version

ROOT = Path(__file__).resolve().parent.parent.parent

# The same job as the peers': no forwarding fields and no `Via`, which they as configured here do not add
# either. Else the defaults, but for what would end a connection in the middle of a run.
CONFIG = """\
workers: 1
access_log: {log}
listeners:
  web:
    bind: "127.0.0.1:{port}"
    via: false
    connections: {{ requests: {requests} }}
    timeouts: {{ keep_alive: {idle}s }}
{tls}hosts:
  - default: true
    routes:
{routes}
"""
# Only where there is a cluster to use: in the static rows it would be a key without effect, an error.
CLUSTERS = """\
clusters:
  origin:
    endpoints: ["127.0.0.1:{origin_port}"]
    keep_alive: {{ requests: {requests}, timeout: {idle}s }}
"""
ROUTE_PROXY = '      - {{ path: "{prefix}*", proxy: {{ cluster: origin, forwarded: [] }} }}'
ROUTE_STATIC = '      - {{ path: "/*", static: "{root}" }}'
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
        else:
            prefixes = job.routes or ("/",)
            text, routes = CONFIG + CLUSTERS, "\n".join(ROUTE_PROXY.format(prefix=prefix) for prefix in prefixes)
        conf = job.dir / "bifrons.yaml"
        conf.write_text(text.format(
            log=LOG_FILE.format(path=job.access_log) if job.access_log else LOG_OFF,
            port=job.port, origin_port=job.origin_port, requests=REQUESTS_PER_CONN, idle=IDLE_SECONDS, routes=routes,
            tls="    tls: {{ certificates: [{{ cert: {}, key: {} }}] }}\n".format(*job.pair) if job.pair else "",
        ))
        return [str(binary()), "run", str(conf)]
