"""Many clients that ask for the same at the same moment."""

from __future__ import annotations

import os
import selectors
import socket
import time

from drivers import HEAD_BYTES_MAX, IDLE_SOURCES, Load
from procs import BenchError

# A proxy that has not answered all of them by then has lost some.
SECONDS_MAX = 30.0
READ_BYTES = 256 << 10


def stampede(port: int, path: str, clients: int, body_bytes: int, core: int) -> Load:
    """All connect, then all ask for `path`; the end is when the last has the whole answer."""
    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    conns: list[socket.socket] = []
    try:
        for index in range(clients):
            source = f"127.0.0.{2 + index % IDLE_SOURCES}"
            conns.append(socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)))
        return _ask(conns, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode(), body_bytes)
    except OSError as err:
        raise BenchError(f"client {len(conns) + 1} of {clients}: {err}") from err
    finally:
        for conn in conns:
            conn.close()
        os.sched_setaffinity(0, affinity)


def _ask(conns: list[socket.socket], request: bytes, body_bytes: int) -> Load:
    """Answers are counted by their bytes; one that is no 200, or ends early, is an error."""
    waiting = selectors.DefaultSelector()
    began = time.monotonic()
    for conn in conns:
        conn.sendall(request)
        conn.setblocking(False)
        waiting.register(conn, selectors.EVENT_READ, [b"", None])
    done, errors, took = 0, 0, []
    while waiting.get_map() and time.monotonic() - began < SECONDS_MAX:
        for key, _ in waiting.select(1.0):
            left = _read(key.fileobj, key.data, body_bytes)
            if left is None or left <= 0:
                waiting.unregister(key.fileobj)
                done, errors = done + (left == 0), errors + (left != 0)
                took.append((time.monotonic() - began) * 1e6)
    errors += len(waiting.get_map())
    waiting.close()
    seconds = time.monotonic() - began
    took.sort()
    latency = {f"p{part}_us": took[len(took) * part // 100] if took else 0.0 for part in (50, 90, 99)}
    return Load(done, done / seconds, seconds, errors, latency)


def _read(conn: socket.socket, state: list, body_bytes: int) -> int | None:
    """Bytes of the body that are still to come; None where the answer is wrong or over too early."""
    try:
        piece = conn.recv(READ_BYTES)
    except BlockingIOError:
        return 1
    except OSError:
        return None
    if not piece:
        return None
    if state[1] is not None:
        state[1] -= len(piece)
        return state[1]
    state[0] += piece
    end = state[0].find(b"\r\n\r\n")
    if end < 0:
        return 1 if len(state[0]) < HEAD_BYTES_MAX else None
    head, state[0] = state[0], b""
    if not head.startswith(b"HTTP/1.1 200") or b"chunked" in head[:end].lower():
        return _chunked(head, end, state, body_bytes)
    state[1] = body_bytes - (len(head) - end - 4)
    return state[1]


def _chunked(head: bytes, end: int, state: list, body_bytes: int) -> int | None:
    """An answer in chunks is over with its last one; its length is not looked at more closely than that."""
    if not head.startswith(b"HTTP/1.1 200"):
        return None
    state[0] = head
    return 0 if head.endswith(b"0\r\n\r\n") and len(head) - end > body_bytes else 1
