"""Ways into a collection through one index: which bounds a filter gives its fields, and what the index's order is good for."""

from dataclasses import dataclass, field

from stores.mongodb.indexes.kinds import MixedIndex, TextIndex, WildcardIndex, hashed
from stores.mongodb.planner import conditions, intervals
from stores.mongodb.planner.conditions import DOCUMENTS, EXACT, KEYS
from stores.mongodb.planner.implication import implies
from stores.mongodb.planner.intervals import EVERYTHING_BOUNDS, is_everything, is_points, raw_point

MOST_SCANS = 200  # that one sorted plan may merge, as MongoDB's internalQueryMaxScansToExplode


@dataclass
class Access:
    """A scan of one index: `bounds` for each field; `exact`, `by_keys` and the rest of the leaves; `direction` 1 or -1."""

    tree: object
    bounds: list
    exact: list = field(default_factory=list)  # leaves that the bounds say all of
    by_keys: list = field(default_factory=list)  # leaves to be checked on the keys
    direction: int = 1

    def rank(self):
        """Return what makes it promising, to choose without a trial: fields fixed, fields bounded, few fields."""
        fixed = 0
        for bounds in self.bounds:
            if not is_points(bounds):
                break
            fixed += 1
        return fixed, sum(not is_everything(bounds) for bounds in self.bounds), -len(self.bounds)


def same_collation(tree, request):
    """Return whether texts in the index are compared as the request compares them."""
    mine, asked = tree.spec.get("collation"), request.collation
    if tree.fold is None or request.fold is None:
        return tree.fold is None and request.fold is None
    return all(mine.get(name) == value for name, value in asked.items() if name != "version" and name in mine)


def usable(tree, leaf, request):
    """Return whether an index can look for what a leaf asks."""
    if tree.sparse and conditions.matches_missing(leaf):
        return False
    return same_collation(tree, request) or not conditions.needs_texts(leaf)


def through(tree, conjunction, request):
    """Return the Access through an index by the conjunction's leaves, or None if its first field has no condition."""
    if isinstance(tree, TextIndex):
        return None
    if tree.matches is not None and not implies(request.filter, tree.spec["partialFilterExpression"]):
        return None
    if isinstance(tree, WildcardIndex):
        return _wildcard(tree, conjunction, request)
    places = _places(tree, conjunction)
    if isinstance(tree, MixedIndex) and tree.geo and not places:
        return None  # it leaves out documents without a place
    access, used = Access(tree, []), []
    for position, path in enumerate(tree.fields):
        leaves = [leaf for leaf in conjunction.leaves if leaf.path == path and usable(tree, leaf, request)]
        if not _bind(access, path, leaves, used) and position == 0 and path not in places:
            return None
    return access


def _places(tree, conjunction):
    """Return the 2dsphere fields of an index that the filter asks a region of. All their keys are read: cells are not embedded."""
    asked = {
        path for path, condition in conjunction.rest if not path.startswith("$") and {"$geoWithin", "$geoIntersects"} & set(condition)
    }
    return asked & set(getattr(tree, "geo", ()))


def whole(tree):
    """Return the Access to every entry of an index."""
    return Access(tree, [EVERYTHING_BOUNDS for _ in tree.fields])


def _bind(access, path, leaves, used):
    """Append the bounds of one field; return whether a condition was used."""
    tree = access.tree
    found = []
    for leaf in leaves:
        made = (
            _special(tree, path, leaf)
            if isinstance(tree, MixedIndex) and path in tree.special
            else conditions.bounded(leaf, tree, path)
        )
        if made is not None:
            found.append((leaf, made))
    multikey = tree.is_multikey(path)
    if multikey:
        found = _together(tree, path, found, used)
    bounds = EVERYTHING_BOUNDS
    for leaf, made in found:
        bounds = intervals.intersect(bounds, made.bounds)
        if made.remains == EXACT and leaf.group is None:
            access.exact.append(leaf)
        elif made.remains == KEYS and leaf.group is None:
            access.by_keys.append(leaf)
    if found:
        used.append((path, found[0][0]))
    access.bounds.append(bounds)
    return bool(found)


def _special(tree, path, leaf):
    """Hashed fields know equality alone."""
    if tree.special[path] != "hashed" or leaf.operator not in ("$eq", "$in"):
        return None
    values = leaf.value if leaf.operator == "$in" else [leaf.value]
    if any(isinstance(each, list) or intervals.is_regex(each) for each in values):
        return None
    bounds = sorted((raw_point(hashed(each, tree.fold), intervals.shown(each)) for each in values), key=lambda each: each.low)
    return conditions.Bounded(intervals.union(bounds), DOCUMENTS)


PREFERENCE = ["$eq", "$in", "$elemMatch", "$gt", "$gte", "$lt", "$lte", "$expr", "$regex", "$type", "$mod"]


def _together(tree, path, found, used):
    """Return the conditions that hold for one and the same entry: where there are arrays, two elements may meet two conditions."""
    found = [each for each in found if _may_compound(tree, path, each[0], used)]
    if not found:
        return []
    found.sort(key=lambda each: PREFERENCE.index(each[0].operator) if each[0].operator in PREFERENCE else len(PREFERENCE))
    first = found[0]
    arrays = tree.multikey_paths.get(path, [])
    if first[0].group is not None and all(first[0].group.prefix == array for array in arrays):
        return [each for each in found if each[0].group is first[0].group]
    return [first]


def _may_compound(tree, path, leaf, used):
    """Return whether a bound may stand beside those of earlier fields that go through the same array."""
    arrays = set(tree.multikey_paths.get(path, []))
    for earlier, other in used:
        shared = arrays & set(tree.multikey_paths.get(earlier, []))
        if shared and (leaf.group is None or leaf.group is not other.group or leaf.group.prefix not in shared):
            return False
    return True


def _wildcard(tree, conjunction, request):
    for leaf in conjunction.leaves:
        if (
            not tree.covers(leaf.path)
            or not usable(tree, leaf, request)
            or leaf.operator in ("$ne", "$nin", "$not", "$exists", "$expr")
        ):
            continue
        if isinstance(leaf.value, dict | list) and leaf.operator != "$in" and leaf.operator != "$elemMatch":
            continue
        if any(part.isdigit() for part in leaf.path.split(".")):
            continue  # an element's number is not part of the paths in the index
        made = conditions._bounded(leaf.operator, leaf.value, tree, True)
        if made is None or (leaf.operator == "$in" and any(isinstance(each, dict | list) for each in leaf.value)):
            continue
        access = Access(tree, [(intervals.point(leaf.path),), made.bounds])
        if made.remains == EXACT and leaf.group is None:
            access.exact.append(leaf)
        return access
    return None


# --- the order of an index


def provides_sort(access, sort, request):
    """Return the direction in which a scan gives the order of a sort, or 0.

    Fields fixed to one value may stand before or between; a field with arrays only helps when nothing limits it.
    """
    tree = access.tree
    if not same_collation(tree, request) or isinstance(tree, TextIndex | WildcardIndex):
        return 0
    if isinstance(tree, MixedIndex) and any(path in tree.special for path in sort):
        return 0
    wanted = [(path, way) for path, way in sort.items() if not _is_fixed(access, path)]
    direction, at = 0, 0
    for path, way, bounds in zip(tree.fields, tree.directions, access.bounds, strict=True):
        if at == len(wanted):
            break
        if path == wanted[at][0]:
            if tree.is_multikey(path) and not _may_sort(access, path):
                return 0
            needed = way * (1 if wanted[at][1] > 0 else -1)
            if direction not in (0, needed):
                return 0
            direction, at = needed, at + 1
        elif not (len(bounds) == 1 and bounds[0].is_point):
            return 0
    return (direction or 1) if at == len(wanted) else 0


def _is_fixed(access, path):
    tree = access.tree
    if path not in tree.fields or tree.is_multikey(path) or (isinstance(tree, MixedIndex) and path in tree.special):
        return False
    position = tree.fields.index(path)
    bounds = access.bounds[position]
    # null and a missing field sort alike; a point of an expression or a text is one value
    return len(bounds) == 1 and bounds[0].is_point


def _may_sort(access, path):
    tree = access.tree
    if not is_everything(access.bounds[tree.fields.index(path)]):
        return False
    root = path.split(".")[0]
    bounded = [f for f, b in zip(tree.fields, access.bounds, strict=True) if tree.is_multikey(f) and not is_everything(b)]
    return all(each.split(".")[0] != root for each in bounded)


def exploded(access, sort, request):
    """Return accesses, one for each combination of values before the sort's fields, that are each in the sort's order.

    With {a: {$in: [1, 2]}} sorted by b the index {a: 1, b: 1} is read once for each value, and the reads are merged.
    """
    tree = access.tree
    before, count = [], 1
    for position, path in enumerate(tree.fields):
        if path in sort or not is_points(access.bounds[position]) or tree.is_multikey(path):
            break
        count *= len(access.bounds[position])
        before.append(access.bounds[position])
    if not 1 < count <= MOST_SCANS:
        return []
    combinations = [()]
    for bounds in before:
        combinations = [(*done, (each,)) for done in combinations for each in bounds]
    parts = []
    for fixed in combinations:
        part = Access(tree, [*fixed, *access.bounds[len(fixed) :]], access.exact, access.by_keys)
        part.direction = provides_sort(part, sort, request)
        if not part.direction:
            return []
        parts.append(part)
    return parts
