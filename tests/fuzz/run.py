"""`python tests/fuzz/run.py [--inputs 1000000]`: spoilt inputs for everything that reads bytes.

Prints what was tried and found; finds go into `finds.jsonl` beside this, which the suite tries.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

from fuzzing import as_seed, decoders, mutated, try_on  # noqa: E402  (found by the line above)

P_KEPT, MOST_KEPT, LONGEST = 0.05, 400, 1 << 14

MEMORY_BYTES = 2 * 1024**3
"""Of address space beyond what the program has at the start."""


def main() -> int:
    """Reads the arguments and tries; gives the exit code: 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    every = decoders()
    _bound_memory()
    finds = []
    for decoder in every:
        began_s, slowest_s = time.monotonic(), 0.0
        count = round(arguments.inputs * decoder.share)
        pool, taken = list(decoder.seeds), []
        n_taken = 0
        for _ in range(count):
            data = mutated(chance, pool)
            one_s = time.monotonic()
            find = try_on(decoder, data, taken=taken)
            n_taken += len(taken)
            _grow(chance, pool, taken)
            slowest_s = max(slowest_s, time.monotonic() - one_s)
            if find is not None:
                finds.append(find)
        spent_s = time.monotonic() - began_s
        slowest_ms = slowest_s * 1000
        tried = f"{decoder.name:<8} {count:>8} inputs in {spent_s:4.0f} s"
        _say(f"{tried}, {n_taken / count:4.0%} taken, slowest {slowest_ms:.0f} ms")
    if finds:
        with (HERE / "finds.jsonl").open("a") as file:
            file.writelines(f"{as_seed(find)}\n" for find in finds)
    for find in finds[:20]:
        _say(f"{find.decoder}: {find.what[:160]}")
    _say(f"{len(finds)} finds")
    return 1 if finds else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _grow(chance: random.Random, pool: list[bytes], taken: list[bytes]) -> None:
    """Spoilt inputs that were taken are spoilt further, some of them."""
    for data in taken:
        if len(data) < LONGEST and chance.random() < P_KEPT:
            if len(pool) < MOST_KEPT:
                pool.append(data)
            else:
                pool[chance.randrange(MOST_KEPT)] = data
    taken.clear()


def _bound_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    sys.exit(main())
