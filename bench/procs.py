"""Processes, cores, ports and the scratch directory: all that must be gone when the benchmark ends."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
# Our own load generator, and origin of datagrams.
LOAD_DIR = Path(__file__).resolve().parent / "load"
LOAD_BIN = LOAD_DIR / "target" / "release" / "bifrons-load"
# A proxy that has not opened its port after this long (10,000 routes included) never will.
START_SECONDS_MAX = 20.0
# Time between SIGTERM and SIGKILL: our own configurations drain nothing worth waiting for.
STOP_SECONDS_MAX = 3.0
SCRATCH_PREFIX = "bifrons-bench-"

_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """Something the person at the terminal has to know; printed without a traceback."""


@dataclass(frozen=True)
class Cores:
    """Which core runs what. With two cores the origin and the load share the second."""

    proxy: int
    origin: int
    load: int

    @classmethod
    def choose(cls) -> "Cores":
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            raise BenchError("the benchmark needs two cores: one for the proxy, one for origin and load")
        return cls(proxy=allowed[0], origin=allowed[1], load=allowed[2] if len(allowed) > 2 else allowed[1])


class Procs:
    """Owns every child process and the scratch directory; `close` ends and removes them all."""

    def __init__(self) -> None:
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
        for place in {base, tempfile.gettempdir()}:
            _remove_stale(Path(place))
        self.work = Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-", dir=base))
        self.work.chmod(0o755)  # nginx workers may run as another user
        self._children: list[subprocess.Popen] = []
        self._ports: set[int] = set()
        self._outside: Path | None = None

    def spawn(self, argv: list[str], core: int, log: Path, stdout: Path | int | None = None) -> subprocess.Popen:
        """Starts `argv` pinned to `core`, output to `log` (stdout elsewhere if given)."""
        with open(log, "ab") as err:
            out = open(stdout, "ab") if isinstance(stdout, Path) else (stdout if stdout is not None else err)
            try:
                child = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                    preexec_fn=lambda: _in_child(core), cwd=self.work,
                )
            finally:
                if isinstance(stdout, Path):
                    out.close()
        self._children.append(child)
        return child

    def stop(self, child: subprocess.Popen, sig: int = signal.SIGTERM) -> None:
        """Ends one child and its process group, asking first."""
        if child.poll() is None:
            child.send_signal(sig)
            try:
                child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                pass
        _kill_group(child.pid)
        child.wait()
        if child in self._children:
            self._children.remove(child)

    def free_port(self) -> int:
        """A free TCP port below the ephemeral range, so that no outgoing connection takes it."""
        low = _ephemeral_low()
        for _ in range(200):
            port = random.randrange(10_000, max(low, 11_000))
            if port in self._ports:
                continue
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self._ports.add(port)
            return port
        raise BenchError("no free port found between 10000 and the ephemeral range")

    def wait_listening(self, child: subprocess.Popen, port: int, log: Path) -> None:
        """Returns when `port` accepts; raises with the end of `log` when the child dies or stays silent."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if child.poll() is not None:
                raise BenchError(f"ended at start with code {child.returncode}:\n{tail(log)}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
                return
            except OSError:
                time.sleep(0.02)
        raise BenchError(f"port {port} not open after {START_SECONDS_MAX:.0f} s:\n{tail(log)}")

    def outside(self, name: str) -> Path:
        """A directory on a real disk, from which code may be loaded."""
        if not self._outside:
            self._outside = Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-"))
            self._outside.chmod(0o755)
        path = self._outside / name
        path.mkdir()
        return path

    def close(self) -> None:
        for child in list(self._children):
            self.stop(child)
        if self._outside:
            shutil.rmtree(self._outside, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no output)"


def raise_file_limit(wanted: int) -> int:
    """Raises the limit of open files, as far as allowed, for us and all children. Returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for new_hard in (max(hard, wanted), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (new_hard, new_hard))
            return new_hard
        except (OSError, ValueError):
            continue
    return soft


def _in_child(core: int) -> None:
    """Between fork and exec: pin to the core, and die with the benchmark even if it is killed hard."""
    os.sched_setaffinity(0, {core})
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _remove_stale(base: Path) -> None:
    """Scratch directories of runs that were killed too hard to remove their own."""
    for left in base.glob(f"{SCRATCH_PREFIX}*"):
        owner = left.name.removeprefix(SCRATCH_PREFIX).split("-")[0]
        if not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _ephemeral_low() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32_768
