"""hint, min and max: the command says which index is to be used."""

from stores.mongodb.errors import MongoError, bad_value
from stores.mongodb.indexes.index import INFINITE
from stores.mongodb.indexes.keystring import encode
from stores.mongodb.indexes.values import shown
from stores.mongodb.planner import access as ways
from stores.mongodb.planner.intervals import EVERYTHING_BOUNDS


def hinted(store, request, conjunction, through, scan_all):
    """Return the one plan that the hint leaves. `through` makes the plans of an Access, `scan_all` that of no index."""
    hint = request.hint
    if isinstance(hint, dict) and "$natural" in hint:
        return [scan_all(store, request, 1 if hint["$natural"] > 0 else -1)]
    if request.min or request.max:
        return _between(store, request, conjunction, through)
    tree = find(store, hint)
    found = ways.through(tree, conjunction, request) or ways.whole(tree)
    return through(store, request, conjunction, found)


def find(store, hint):
    """Return the index that a hint names, by name or by key pattern. Raises BadValue if there is none, or it is hidden."""
    for tree in store.trees.values():
        named = tree.name == hint if isinstance(hint, str) else list(tree.pattern.items()) == list((hint or {}).items())
        if named and not tree.hidden and not tree.internal:
            return tree
    raise bad_value(
        f"error processing query: ns={store.namespace} planner returned error :: caused by :: "
        "hint provided does not correspond to an existing index"
    )


def _between(store, request, conjunction, through):
    if request.hint is None:
        raise MongoError(51173, "When using min()/max() a hint of which index to use must be provided")
    tree = find(store, request.hint)
    ends = []
    for name, given in (("min", request.min), ("max", request.max)):
        if given:
            if list(given) != tree.fields:
                raise MongoError(
                    51174, f"The index chosen is not compatible with {name}(): {shown(given)} against {shown(dict(tree.pattern))}"
                )
            ends.append(tree.directed(tuple(encode(value, tree.fold) for value in given.values())))
        else:
            ends.append(None)
    if None not in ends and ends[0] >= ends[1]:
        raise MongoError(51175, "The min() value must be less than the max() value")
    return through(store, request, conjunction, Between(tree, *ends, request))


class Between(ways.Access):
    """An Access whose bounds are two whole keys: from min, up to but not with max."""

    def __init__(self, tree, low, high, request):
        super().__init__(tree, [EVERYTHING_BOUNDS for _ in tree.fields])
        self.low, self.high = low, high
        self.given = request.min, request.max

    def whole(self):
        """Return the low and the high bound of the walk through the index."""
        return self.low or (), (*self.high, -INFINITE) if self.high else self.tree.above(())

    def shown(self):
        """Return the bounds as explain shows them."""
        ends = [[shown(each) for each in given.values()] if given else None for given in self.given]
        low, high = ends[0] or ["MinKey"] * len(self.tree.fields), ends[1] or ["MaxKey"] * len(self.tree.fields)
        return {path: [f"[{a}, {b})"] for path, a, b in zip(self.tree.fields, low, high, strict=True)}
