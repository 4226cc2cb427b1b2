"""Varnish: answers from a cache only, without TLS. Debian's `varnish`, its compiled configuration needs a C compiler."""

from __future__ import annotations

import shutil

from .base import CACHE_DISK_BYTES, IDLE_SECONDS, Job, Peer, ask_version

VCL = """\
vcl 4.1;
backend origin {{ .host = "127.0.0.1"; .port = "{origin_port}"; .max_connections = 1000; }}
"""


class Varnish(Peer):
    name = "varnish"
    only_caches = True

    def missing(self) -> str | None:
        return None if shutil.which("varnishd") else "not installed: apt-get install varnish"

    def version(self) -> str:
        return ask_version(["varnishd", "-V"], r"varnish-([\d.]+)")

    def declines(self, job: Job) -> str | None:
        return "speaks no TLS" if job.pem else None

    def configure(self, job: Job) -> list[str]:
        vcl = job.dir / "default.vcl"
        vcl.write_text(VCL.format(origin_port=job.origin_port))
        home = job.cache_dir
        home.mkdir(parents=True, exist_ok=True)
        store = f"file,{home}/store,{CACHE_DISK_BYTES}" if job.cache == "disk" else f"malloc,{job.cache_bytes}"
        return [
            "varnishd", "-F", "-j", "none", "-n", str(home / "varnish"), "-f", str(vcl), "-a", f"127.0.0.1:{job.port}",
            "-s", store, "-p", "thread_pools=1", "-p", "thread_pool_min=200",
            "-p", f"timeout_idle={IDLE_SECONDS}", "-p", f"backend_idle_timeout={IDLE_SECONDS}",
        ]
