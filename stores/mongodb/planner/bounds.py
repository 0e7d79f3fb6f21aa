"""Reading an index within bounds, examining as many keys as MongoDB does."""

from stores.mongodb.indexes.keystring import LAST, invert, invert_bound
from stores.mongodb.planner.intervals import Interval, is_everything


class Bounds:
    """The bounds of a scan: intervals for each field of an index, in the index's own order."""

    def __init__(self, access):
        self.tree = tree = access.tree
        self.direction = access.direction
        self.fields = [self._directed(each, way) for each, way in zip(access.bounds, tree.directions, strict=True)]
        self.access = access
        self.between = access.whole() if hasattr(access, "whole") else None  # of min and max

    @staticmethod
    def _directed(bounds, way):
        # A descending field has inverted keys: its intervals are inverted, and come in the other order.
        if way > 0:
            return list(bounds)
        return [Interval(invert_bound(b.high), invert_bound(b.low), b.with_high, b.with_low, b.text[::-1]) for b in reversed(bounds)]

    def shown(self):
        """Return the bounds as explain shows them, in the direction of the scan."""
        if self.between:
            return self.access.shown()
        shown = {}
        for path, intervals in zip(self.tree.fields, self.fields, strict=True):
            shown[path] = [str(each) for each in (intervals if self.direction > 0 else map(_turned, reversed(intervals)))]
        return shown

    def single(self):
        """Return (low, high) of an interval of whole keys that these bounds are, or None if they are not one.

        That is so when single values come first, then at most one interval, and everything after it.
        """
        low, high, ended, with_low, with_high = [], [], False, True, True
        for intervals in self.fields:
            if ended:
                if not is_everything_directed(intervals):
                    return None
            elif len(intervals) != 1:
                return None
            elif intervals[0].is_point:
                low.append(intervals[0].low)
                high.append(intervals[0].low)
            else:
                low.append(intervals[0].low)
                high.append(intervals[0].high)
                with_low, with_high, ended = intervals[0].with_low, intervals[0].with_high, True
        start = tuple(low) if with_low else self.tree.above(low)
        return start, self.tree.above(high) if with_high else tuple(high)

    def entries(self, node, jump=None):
        """Yield the entries within the bounds, None for a key that was examined in vain. Counts keys and seeks in `node`.

        With `jump` only the first entry of each value of the fields up to that number is given.
        """
        if any(not intervals for intervals in self.fields):
            return
        node.seeks += 1
        whole = self.between or self.single()
        if whole is not None and jump is None:
            for entry in self.tree.walk(*whole, reverse=self.direction < 0):
                node.keys_examined += 1
                yield entry
            return
        yield from self._skipping(node, jump)

    def _skipping(self, node, jump):
        # As MongoDB's IndexBoundsChecker: a key outside the bounds was examined too, and says where to go on.
        reverse = self.direction < 0
        low, high = self._start() if not reverse else (), self._end() if reverse else (LAST,)
        while True:
            step = None
            for entry in self.tree.walk(low, high, reverse):
                node.keys_examined += 1
                step = self._where(entry)
                if step is None:
                    yield entry
                    if jump is not None:
                        step = entry[: jump + 1] if reverse else self.tree.above(entry[: jump + 1])
                        break
                    continue
                break
            if step in (None, ()):
                return
            node.seeks += 1
            yield None
            low, high = (low, step) if reverse else (step, high)

    def _start(self):
        first = self.fields[0][0]
        return (first.low,) if first.with_low else self.tree.above((first.low,))

    def _end(self):
        last = self.fields[0][-1]
        return self.tree.above((last.high,)) if last.with_high else (last.high,)

    def _where(self, entry):
        """Return None if an entry is within the bounds, the key to go on from if not, () if nothing can follow."""
        for position, intervals in enumerate(self.fields):
            key = entry[position]
            if any(each.has(key) for each in intervals):
                continue
            if self.direction > 0:
                return self._next_up(entry, position, intervals, key)
            return self._next_down(entry, position, intervals, key)
        return None

    def _next_up(self, entry, position, intervals, key):
        for each in intervals:
            if key < each.low or (key == each.low and not each.with_low):
                step = (*entry[:position], each.low)
                return step if each.with_low else self.tree.above(step)
        return (*entry[:position], LAST) if position else ()

    def _next_down(self, entry, position, intervals, key):
        for each in reversed(intervals):
            if key > each.high or (key == each.high and not each.with_high):
                step = (*entry[:position], each.high)
                return self.tree.above(step) if each.with_high else step
        return entry[:position] if position else ()


def _turned(b):
    return Interval(b.high, b.low, b.with_high, b.with_low, b.text[::-1])


def is_everything_directed(intervals):
    """Return whether intervals, perhaps inverted, leave out nothing."""
    return is_everything(intervals) or is_everything(
        [Interval(invert(b.high), invert(b.low), b.with_high, b.with_low) for b in intervals]
    )
