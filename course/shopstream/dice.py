"""Random choices that come out the same on every machine and every Python."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


class Dice:
    """Throws dice from a seed.

    Of `random.Random`, only `random()` is promised to give the same numbers in every Python version, so every
    choice is built on that one method, and on whole numbers: `**` and `log` may differ between systems.
    """

    def __init__(self, seed: int):
        self._random = random.Random(seed).random

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self._random() * n)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def pick(self, items: Sequence):
        return items[self.below(len(items))]

    def sample(self, items: Sequence, k: int) -> list:
        """k different items, in random order (the first k steps of a Fisher-Yates shuffle)."""
        pool = list(items)
        for i in range(k):
            j = self.between(i, len(pool) - 1)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:k]

    def shuffled(self, items: Sequence) -> list:
        return self.sample(items, len(items))


class Wheel:
    """A wheel of fortune: `spin` returns an item, each as often as its whole-number weight says."""

    def __init__(self, items: Sequence, weights: Sequence[int]):
        self._items, self._ends = items, list(accumulate(weights))

    def spin(self, dice: Dice):
        return self._items[bisect_right(self._ends, dice.below(self._ends[-1]))]


def zipf_weights(n: int) -> list[int]:
    """Zipf's law: the second gets half of what the first gets, the third a third, and so on."""
    return [1_000_000 // rank for rank in range(1, n + 1)]
