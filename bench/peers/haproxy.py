"""HAProxy: one thread, connections to the origin reused always, routes in a map."""

from __future__ import annotations

import shutil
from pathlib import Path

from .base import CONNS_MAX, IDLE_SECONDS, Job, Peer, ask_version

# HAProxy counts two files for each connection and would not start where the limit is lower; the idle row, the
# only one with so many, opens one each.
CONFIG = """\
global
    nbthread 1
    no strict-limits
    maxconn {conns}
    {log_target}
    {sessions}

{cache}defaults
    mode {mode}
    {log_use}
    timeout connect 5s
    timeout client {idle}s
    timeout server {idle}s
    timeout http-keep-alive {idle}s
    {keep}

frontend web
    bind 127.0.0.1:{port} backlog 4096{tls}
    {route}

backend origin
    {cache_use}
    server one 127.0.0.1:{origin_port}{proto}
"""


KEEP = "option http-keep-alive\n    http-reuse always"
# In MiB; an object may have half of it.
CACHE = """\
cache main
    total-max-size {mib}
    max-object-size {largest}
    max-age 3600
    process-vary on

"""
CACHE_USE = "http-request cache-use main\n    http-response cache-store main"


class Haproxy(Peer):
    name = "haproxy"

    def missing(self) -> str | None:
        return None if shutil.which("haproxy") else "not installed: apt-get install haproxy"

    def version(self) -> str:
        return ask_version(["haproxy", "-v"], r"version ([\d.]+)")

    def declines(self, job: Job) -> str | None:
        if job.gzip:
            return "is not set up to compress here"
        if job.layer4 == "udp":
            return "passes no datagrams on"
        if job.cache == "disk":
            return "keeps nothing on disk"
        return "serves no files" if job.static_root else None

    def configure(self, job: Job) -> list[str]:
        conf = job.dir / "haproxy.cfg"
        conf.write_text(CONFIG.format(
            conns=CONNS_MAX, idle=IDLE_SECONDS, port=job.port, origin_port=job.origin_port,
            tls=self._tls(job), mode="tcp" if job.layer4 else "http", keep="" if job.layer4 else KEEP,
            sessions="" if job.resume else "tune.ssl.cachesize 0",
            proto=" proto h2" if job.http2_origin else "",
            cache=self._cache(job), cache_use=CACHE_USE if job.cache else "",
            log_target="log stdout format raw local0" if job.access_log else "",
            log_use="log global\n    option httplog" if job.access_log else "no log",
            route=self._route(job),
        ))
        return ["haproxy", "-db", "-f", str(conf)]

    def stdout(self, job: Job) -> Path | None:
        # A file at the end of stdout is the cheapest log HAProxy has: one write a request, no syslog in between.
        return job.access_log

    def _tls(self, job: Job) -> str:
        if not job.pem:
            return " proto h2" if job.http2 else ""
        alpn = "h2,http/1.1" if job.http2 else "http/1.1"
        return f" ssl crt {job.pem} alpn {alpn}" + ("" if job.resume else " no-tls-tickets")

    def _cache(self, job: Job) -> str:
        if not job.cache:
            return ""
        mib = max(1, job.cache_bytes >> 20)
        return CACHE.format(mib=mib, largest=min(2 << 20, (mib << 20) // 2 - 1024))

    def _route(self, job: Job) -> str:
        if not job.routes:
            return "default_backend origin"
        table = job.dir / "routes.map"
        table.write_text("".join(f"{prefix} origin\n" for prefix in job.routes))
        return f"use_backend %[path,map_beg({table})]"
