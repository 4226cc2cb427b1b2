"""What every proxy must offer to be measured."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Enough that no keep-alive connection ends during a run.
REQUESTS_PER_CONN = 1_000_000_000
# Connections a proxy must be able to hold: 10,000 idle ones and some to spare.
CONNS_MAX = 12_000
# Idle connections to the origin a proxy may keep: the most clients of any row, and some to spare.
UPSTREAM_IDLE_MAX = 600
# Room for all that a row with a cache on disk stores.
CACHE_DISK_BYTES = 1 << 30
# Seconds a connection may idle: longer than any row takes.
IDLE_SECONDS = 600


@dataclass(frozen=True)
class Job:
    """The same task for each proxy: listen on `port`, one worker, relay to `origin_port` (or serve files)."""

    dir: Path
    """A directory of its own for configuration, logs and temporary files."""
    port: int
    origin_port: int
    access_log: Path | None = None
    static_root: Path | None = None
    pem: Path | None = None
    """Certificate and key in one file: listen with TLS."""
    resume: bool = True
    """With TLS: whether clients may come back to a session."""
    http2: bool = False
    """Whether clients speak HTTP/2: by ALPN with a certificate, by prior knowledge without."""
    http2_origin: bool = False
    """Whether requests go on by HTTP/2, by prior knowledge."""
    layer4: str = ""
    """Pass on `tcp` or `udp` as it is; empty: HTTP."""
    cache: str = ""
    """Keep answers in `memory` or on `disk`; empty: keep none."""
    cache_bytes: int = 0
    """As many of them in memory."""
    cache_dir: Path | None = None
    """Where those on disk go."""
    gzip: int = 0
    """Compress text by gzip at this level; 0: pass bodies on as they are."""
    routes: tuple[str, ...] = ()
    """Path prefixes that lead to the origin; empty: everything does."""


class Peer:
    """One proxy. `configure` writes its files and returns the command that runs it in the foreground."""

    name = ""
    only_caches = False
    """Whether it stands in no row but those about caches."""

    def missing(self) -> str | None:
        """Why it cannot be measured here, with what to do about it; None when it can."""
        raise NotImplementedError

    def version(self) -> str:
        raise NotImplementedError

    def declines(self, job: Job) -> str | None:
        """Why this job makes no sense for this proxy; None when it does."""
        return None

    def configure(self, job: Job) -> list[str]:
        raise NotImplementedError

    def stdout(self, job: Job) -> Path | None:
        """Where its standard output goes, when that is its access log."""
        return None


def ask_version(argv: list[str], pattern: str) -> str:
    """Runs `argv` and returns the first group of `pattern` in what it prints."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "unknown"
