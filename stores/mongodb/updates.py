"""What an update changed, in the words of a change event: updatedFields, removedFields, truncatedArrays.

MongoDB writes down what an update's operators did: {$set: {"a": {"b": 1}}} changes "a", {$set: {"a.b": 1}} changes "a.b".
Where there are no operators (a pipeline), or their paths hold a `$`, the documents before and after are compared.
"""

from stores.mongodb.ordering import MISSING

APPENDING = ("$push", "$addToSet")


def description(before, after, update=None):
    """Return updateDescription of a change from the document `before` to `after` by `update`."""
    told = {"updatedFields": {}, "removedFields": [], "truncatedArrays": []}
    paths = _paths(update)
    if paths is None:
        _compare(before, after, "", told)
    else:
        for path, operator in sorted(paths.items()):
            _follow(before, after, path.split("."), operator, told)
    return told


def _paths(update):
    """Return {path: operator} of an update with operators, or None."""
    if not isinstance(update, dict):
        return None
    paths = {}
    for operator, fields in update.items():
        if operator == "$rename":
            paths |= {path: "$unset" for path in fields} | {path: "$set" for path in fields.values()}
        elif operator != "$setOnInsert":
            paths |= dict.fromkeys(fields, operator)
    return None if any("$" in path for path in paths) else paths


def _follow(before, after, parts, operator, told):
    """Note what happened at a path: the first step on it that is new, or the whole of it."""
    for depth, part in enumerate(parts):
        path = ".".join(parts[: depth + 1])
        old, new = _step(before, part), _step(after, part)
        if new is MISSING:
            if old is not MISSING:
                told["removedFields"].append(path)
            return
        if old is MISSING:
            told["updatedFields"][path] = new
            return
        before, after = old, new
    if _same(before, after):
        return
    appended = operator in APPENDING and isinstance(before, list) and len(before) < len(after)
    if appended and _same(after[: len(before)], before):
        for index in range(len(before), len(after)):
            told["updatedFields"][f"{path}.{index}"] = after[index]
    else:
        told["updatedFields"][path] = after


def _step(value, part):
    if isinstance(value, dict):
        return value.get(part, MISSING)
    if isinstance(value, list) and part.isdigit() and int(part) < len(value):
        return value[int(part)]
    return MISSING


def _compare(before, after, prefix, told):
    for name in before:
        if name not in after:
            told["removedFields"].append(prefix + name)
    for name, new in after.items():
        _compare_value(before.get(name, MISSING), new, prefix + name, told)


def _compare_value(old, new, path, told):
    if old is not MISSING and _same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict) and old and new:
        _compare(old, new, f"{path}.", told)
    elif isinstance(old, list) and isinstance(new, list) and old and new:
        for index, value in enumerate(new):
            _compare_value(old[index] if index < len(old) else MISSING, value, f"{path}.{index}", told)
        if len(new) < len(old):
            told["truncatedArrays"].append({"field": path, "newSize": len(new)})
    else:
        told["updatedFields"][path] = new


def _same(old, new):
    """Whether two values are the same in type too: 1 and 1.0 and True are not, {a, b} and {b, a} are not."""
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        return list(old) == list(new) and all(_same(old[name], new[name]) for name in old)
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return old == new


def ambiguous(before, after, paths):
    """Return {path: its steps} for paths that could mean a position in an array or a field whose name is a number."""
    steps = {path: _steps(after if _leads(after, path) else before, path) for path in paths}
    return {path: each for path, each in steps.items() if any(isinstance(step, str) and step.isdigit() for step in each)}


def _leads(document, path):
    for part in path.split("."):
        document = _step(document, part)
    return document is not MISSING


def _steps(value, path):
    steps = []
    for part in path.split("."):
        steps.append(int(part) if isinstance(value, list) and part.isdigit() else part)
        value = _step(value, part)
    return steps
