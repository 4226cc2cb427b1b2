"""nginx, with keep-alive on both sides and everything a small answer does not need turned off."""

from __future__ import annotations

import os
import shutil

from .base import CACHE_DISK_BYTES, CONNS_MAX, IDLE_SECONDS, REQUESTS_PER_CONN, UPSTREAM_IDLE_MAX, Job, Peer, ask_version

# Temporary files off: the 1 MiB rows are about relaying, not about a disk.
CONFIG = """\
{user}
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections {conns}; }}
http {{
    access_log {log};
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout {idle}s;
    keepalive_requests {requests};
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    proxy_max_temp_file_size 0;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream origin {{
        server 127.0.0.1:{origin_port};
        keepalive {upstream_idle};
        keepalive_requests {requests};
        keepalive_timeout {idle}s;
    }}
{cache}{gzip}    server {{
        listen 127.0.0.1:{port} {ssl}backlog=4096;
{certificate}{locations}
    }}
}}
"""
STREAM = """\
{user}
{load}worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections {conns}; }}
stream {{
    server {{
        listen 127.0.0.1:{port} {udp};
        proxy_pass 127.0.0.1:{origin_port};
        proxy_timeout {idle}s;
{responses}    }}
}}
"""
# Debian's module lies beside the program.
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
# nginx keeps everything in files, here in a file system in memory, which it sends from without copying.
CACHE = """\
    proxy_cache_path {dir}/cache levels=1:2 keys_zone=main:256m max_size={size} inactive={idle}s use_temp_path=off;
    proxy_cache main;
    proxy_cache_lock on;
"""
GZIP = """\
    gzip on;
    gzip_comp_level {level};
    gzip_types text/plain;
    gzip_proxied any;
"""
CERTIFICATE = """\
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets {tickets};
"""


def user_line() -> str:
    """Workers keep root's rights when root runs the benchmark: the scratch files are root's."""
    return "user root;" if os.geteuid() == 0 else ""


class Nginx(Peer):
    name = "nginx"

    def missing(self) -> str | None:
        return None if shutil.which("nginx") else "not installed: apt-get install nginx-full"

    def version(self) -> str:
        return ask_version(["nginx", "-v"], r"nginx/([\d.]+)")

    def configure(self, job: Job) -> list[str]:
        conf = job.dir / "nginx.conf"
        conf.write_text(self._stream(job) if job.layer4 else CONFIG.format(
            user=user_line(), dir=job.dir, conns=CONNS_MAX, idle=IDLE_SECONDS, requests=REQUESTS_PER_CONN,
            upstream_idle=UPSTREAM_IDLE_MAX, origin_port=job.origin_port, port=job.port,
            log=f"{job.access_log} combined" if job.access_log else "off",
            ssl=("ssl " if job.pem else "") + ("http2 " if job.http2 else ""),
            certificate=CERTIFICATE.format(pem=job.pem, tickets="on" if job.resume else "off") if job.pem else "",
            locations=self._locations(job), cache=self._cache(job),
            gzip=GZIP.format(level=job.gzip) if job.gzip else "",
        ))
        return ["nginx", "-e", f"{job.dir}/error.log", "-p", str(job.dir), "-c", str(conf), "-g", "daemon off;"]

    def _cache(self, job: Job) -> str:
        if not job.cache:
            return ""
        size = CACHE_DISK_BYTES if job.cache == "disk" else job.cache_bytes
        return CACHE.format(dir=job.dir, size=size, idle=IDLE_SECONDS)

    def _stream(self, job: Job) -> str:
        is_udp = job.layer4 == "udp"
        return STREAM.format(
            user=user_line(), dir=job.dir, conns=2 * CONNS_MAX, idle=IDLE_SECONDS, port=job.port,
            load=f"load_module {STREAM_MODULE};\n" if os.path.exists(STREAM_MODULE) else "",
            udp="udp" if is_udp else "backlog=4096", responses="        proxy_responses 1;\n" if is_udp else "",
            origin_port=job.origin_port,
        )

    def _locations(self, job: Job) -> str:
        if job.static_root:
            return f"        root {job.static_root};"
        if job.http2_origin:
            # The only module of this version that speaks it, whatever is sent.
            return "        location / { grpc_pass grpc://origin; }"
        prefixes = job.routes or ("/",)
        return "\n".join(f"        location {prefix} {{ proxy_pass http://origin; }}" for prefix in prefixes)
