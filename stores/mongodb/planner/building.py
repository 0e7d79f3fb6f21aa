"""The stages above a scan: sort, skip, projection, limit, in MongoDB's order."""

from stores.mongodb.planner import nodes


def build(store, request, source, in_order=False, covered=False, access=None):
    """Return the tree of stages over `source`. `in_order`: its rows come as the sort wants them."""
    if access is not None and covered:
        source = _by_keys(store, request, source, access)
    root, limit = source, request.limit
    if request.sort and not in_order:
        most = limit and limit + request.skip
        root = nodes.Sort(store, request.sort, request.fold, most, request.allow_disk, request.metadata, root)
        limit = 0
    if request.skip:
        root = nodes.Skip(request.skip, root)
    root = _projected(request, root, covered)
    if limit:
        root = nodes.Limit(limit, root)
    if request.purpose == "count":
        root = nodes.Count(root)
    return root


def _by_keys(store, request, scan, access):
    """Return the stage that takes the place of a scan when values are only counted or listed."""
    if request.purpose == "distinct" and request.distinct in access.tree.fields and not access.by_keys:
        return nodes.DistinctScan(store, access, access.tree.fields.index(request.distinct))
    if request.needs == set() and not access.by_keys and not request.sort and scan.bounds.single() is not None:
        return nodes.CountScan(store, access)
    return scan


def _projected(request, root, covered):
    spec = request.projection_spec
    if request.purpose == "count" or (request.purpose == "find" and not spec):
        return root
    if request.purpose == "distinct":
        return nodes.Projection("PROJECTION_COVERED", {request.distinct: 1, "_id": 0}, root) if covered else root
    if covered:
        return nodes.Projection("PROJECTION_COVERED", spec, root)
    simple = all(isinstance(value, bool | int | float) and "." not in path for path, value in spec.items())
    return nodes.Projection("PROJECTION_SIMPLE" if simple else "PROJECTION_DEFAULT", spec, root)


def needed(spec):
    """Return the paths that a projection's answer is made of, or None if it is made of whole documents."""
    if not spec or not all(isinstance(value, bool | int | float) for value in spec.values()):
        return None
    included = {path for path, value in spec.items() if value and path != "_id"}
    if not included and not (list(spec) == ["_id"] and spec["_id"]):
        return None
    if any(not value for path, value in spec.items() if path != "_id") or any("$" in path for path in spec):
        return None
    return included | ({"_id"} if spec.get("_id", 1) else set())
