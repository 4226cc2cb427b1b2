"""nginx, with keep-alive on both sides and everything a small answer does not need turned off."""

from __future__ import annotations

import os
import shutil

from .base import CONNS_MAX, IDLE_SECONDS, REQUESTS_PER_CONN, UPSTREAM_IDLE_MAX, Job, Peer, ask_version

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
    server {{
        listen 127.0.0.1:{port}{listen} backlog=4096;
{tls}{locations}
    }}
}}
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
        conf.write_text(CONFIG.format(
            user=user_line(), dir=job.dir, conns=CONNS_MAX, idle=IDLE_SECONDS, requests=REQUESTS_PER_CONN,
            upstream_idle=UPSTREAM_IDLE_MAX, origin_port=job.origin_port, port=job.port,
            log=f"{job.access_log} combined" if job.access_log else "off",
            locations=self._locations(job), listen=(" ssl" if job.pair else "") + (" http2" if job.http2 else ""),
            tls="        ssl_certificate {}; ssl_certificate_key {};\n".format(*job.pair) if job.pair else "",
        ))
        return ["nginx", "-e", f"{job.dir}/error.log", "-p", str(job.dir), "-c", str(conf), "-g", "daemon off;"]

    def _locations(self, job: Job) -> str:
        if job.static_root:
            return f"        root {job.static_root};"
        prefixes = job.routes or ("/",)
        return "\n".join(f"        location {prefix} {{ proxy_pass http://origin; }}" for prefix in prefixes)
