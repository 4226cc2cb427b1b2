"""Bifrons itself. All its configuration for the benchmark is in the templates of this file."""

from __future__ import annotations

import os
from pathlib import Path

from .base import Job, Peer, ask_version

ROOT = Path(__file__).resolve().parent.parent.parent

CONFIG = """\
workers: 1
access_log: {log}
listeners:
  web: {{ bind: "127.0.0.1:{port}" }}
hosts:
  - names: ["*"]
    listeners: [web]
    routes:
{routes}
clusters:
  origin: {{ endpoints: ["127.0.0.1:{origin_port}"] }}
"""
# Without an origin (the static rows) the cluster would be a key without effect: an error.
CONFIG_STATIC = CONFIG[: CONFIG.index("clusters:")]
ROUTE_PROXY = "      - {{ path: \"{prefix}*\", proxy: origin }}"
ROUTE_STATIC = "      - {{ path: \"/*\", static: {{ root: \"{root}\" }} }}"
LOG_OFF = "off"
LOG_FILE = "{{ path: \"{path}\" }}"


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
        conf = job.dir / "bifrons.yaml"
        log = LOG_FILE.format(path=job.access_log) if job.access_log else LOG_OFF
        if job.static_root:
            text, routes = CONFIG_STATIC, ROUTE_STATIC.format(root=job.static_root)
        else:
            prefixes = job.routes or ("/",)
            text, routes = CONFIG, "\n".join(ROUTE_PROXY.format(prefix=prefix) for prefix in prefixes)
        conf.write_text(text.format(log=log, port=job.port, origin_port=job.origin_port, routes=routes))
        return [str(binary()), "run", str(conf)]
