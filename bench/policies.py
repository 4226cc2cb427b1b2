"""What the best known policies hit of the row by Zipf's law: simulated, since no policy can know the future."""

from __future__ import annotations

import bisect
import functools
import itertools
import random
from collections import OrderedDict, deque

from rows import MEMORY_PART, WARMUP_REQUESTS, ZIPF

# Requests that count, behind those until it has settled.
COUNTED = 300_000
# Of S3-FIFO's room, the part for what was seen once (Yang et al., SOSP 2023).
SMALL_PART = 0.1
FREQUENCY_MAX = 3
# Of W-TinyLFU's room, the part of the window, and of the rest that of what was asked for again; how far it counts, and
# after how many requests for each place counts are halved (Einziger et al., TOS 2017).
WINDOW_PART = 0.01
PROTECTED_PART = 0.8
COUNT_MAX = 15
AGE_REQUESTS = 10


@functools.cache
def best(objects: int) -> float:
    """The better of S3-FIFO and W-TinyLFU, with room for a part of the objects."""
    room = int(objects * MEMORY_PART)
    sums = list(itertools.accumulate(1 / rank ** ZIPF for rank in range(1, objects + 1)))
    chance = random.Random(1)
    asked = [bisect.bisect_left(sums, chance.random() * sums[-1]) for _ in range(objects * WARMUP_REQUESTS + COUNTED)]
    return max(_s3_fifo(asked, room), _tiny_lfu(asked, room))


def _tiny_lfu(asked: list[int], room: int) -> float:
    """W-TinyLFU: what leaves a small window must have been asked for more often of late than what it would replace."""
    counts: dict[int, int] = {}
    window: OrderedDict[int, None] = OrderedDict()
    probation: OrderedDict[int, None] = OrderedDict()
    protected: OrderedDict[int, None] = OrderedDict()
    window_room = max(1, int(room * WINDOW_PART))
    main_room = room - window_room
    protected_room = int(main_room * PROTECTED_PART)
    settled = len(asked) - COUNTED
    hits = 0
    for at, key in enumerate(asked):
        counts[key] = min(counts.get(key, 0) + 1, COUNT_MAX)
        if at % (room * AGE_REQUESTS) == room * AGE_REQUESTS - 1:
            counts = {known: count // 2 for known, count in counts.items() if count > 1}
        is_hit = True
        if key in window:
            window.move_to_end(key)
        elif key in protected:
            protected.move_to_end(key)
        elif key in probation:
            del probation[key]
            protected[key] = None
            if len(protected) > protected_room:
                probation[protected.popitem(last=False)[0]] = None
        else:
            is_hit = False
            window[key] = None
            if len(window) > window_room:
                candidate = window.popitem(last=False)[0]
                if len(probation) + len(protected) < main_room:
                    probation[candidate] = None
                else:
                    victim = next(iter(probation))
                    if counts.get(candidate, 0) > counts.get(victim, 0):
                        del probation[victim]
                        probation[candidate] = None
        hits += is_hit and at >= settled
    return hits / COUNTED


def _s3_fifo(asked: list[int], room: int) -> float:
    small_room = int(room * SMALL_PART)
    small: deque[int] = deque()
    main: deque[int] = deque()
    ghost: OrderedDict[int, None] = OrderedDict()
    often: dict[int, int] = {}
    settled = len(asked) - COUNTED
    hits = 0

    def evict_main() -> None:
        while True:
            key = main.popleft()
            if not often[key]:
                del often[key]
                return
            often[key] -= 1
            main.append(key)

    def evict_small() -> None:
        key = small.popleft()
        if often[key] > 1:
            often[key] = 0
            main.append(key)
            if len(main) > room - small_room:
                evict_main()
        else:
            del often[key]
            ghost[key] = None
            if len(ghost) > room - small_room:
                ghost.popitem(last=False)

    for at, key in enumerate(asked):
        if key in often:
            often[key] = min(often[key] + 1, FREQUENCY_MAX)
            hits += at >= settled
            continue
        while len(often) >= room:
            if len(small) >= small_room and small:
                evict_small()
            else:
                evict_main()
        often[key] = 0
        if ghost.pop(key, 0) is None:
            main.append(key)
        else:
            small.append(key)
    return hits / COUNTED
