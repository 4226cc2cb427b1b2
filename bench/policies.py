"""What the best known policies hit of the row by Zipf's law: simulated, since no policy can know the future."""

from __future__ import annotations

import bisect
import functools
import itertools
import random
from collections import OrderedDict, deque

from rows import MEMORY_PART, ZIPF

# As the measured caches: so many requests until it has settled, then those that count.
WARMUP = 300_000
COUNTED = 300_000
# Of S3-FIFO's room, the part for what was seen once (Yang et al., SOSP 2023).
SMALL_PART = 0.1
FREQUENCY_MAX = 3


@functools.cache
def best(objects: int) -> float:
    """The better of S3-FIFO and of an LFU that forgets nothing, with room for a part of the objects."""
    room = int(objects * MEMORY_PART)
    sums = list(itertools.accumulate(1 / rank ** ZIPF for rank in range(1, objects + 1)))
    chance = random.Random(1)
    asked = [bisect.bisect_left(sums, chance.random() * sums[-1]) for _ in range(WARMUP + COUNTED)]
    return max(_s3_fifo(asked, room), _lfu(asked, room))


def _lfu(asked: list[int], room: int) -> float:
    """Admits what was asked for more often than a victim of the least recently used ones (TinyLFU without its error)."""
    counts: dict[int, int] = {}
    kept: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for at, key in enumerate(asked):
        counts[key] = counts.get(key, 0) + 1
        if key in kept:
            kept.move_to_end(key)
            hits += at >= WARMUP
        elif len(kept) < room:
            kept[key] = None
        else:
            victim = next(iter(kept))
            if counts[key] > counts[victim]:
                del kept[victim]
                kept[key] = None
            else:
                kept.move_to_end(victim)
    return hits / COUNTED


def _s3_fifo(asked: list[int], room: int) -> float:
    small_room = int(room * SMALL_PART)
    small: deque[int] = deque()
    main: deque[int] = deque()
    ghost: OrderedDict[int, None] = OrderedDict()
    often: dict[int, int] = {}
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
            hits += at >= WARMUP
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
