"""Which paths of the documents the stages behind the planned ones look at."""


def dependencies(stages):
    """Return the set of paths that a pipeline needs, or None if it may need whole documents.

    The first stage decides, if it makes new documents from named fields: $group, $count, $sortByCount, $project.
    """
    if not stages:
        return None
    ((name, spec),) = stages[0].items()
    if name == "$count":
        return set()
    if name in ("$group", "$sortByCount"):
        return references(spec)
    if name == "$project" and isinstance(spec, dict):
        return _projected(spec)
    return None


def _projected(spec):
    found = set() if _is_off(spec.get("_id", 1)) else {"_id"}
    for path, value in spec.items():
        if path == "_id" and isinstance(value, bool | int | float):
            continue
        if _is_off(value):
            return None  # an exclusion
        if isinstance(value, bool | int | float):
            found.add(path)
            continue
        inner = references(value)
        if inner is None:
            return None
        found |= inner
    return found


def _is_off(value):
    return isinstance(value, bool | int | float) and not value


def references(expression):
    """Return the set of paths that an expression reads, or None if it reads whole documents ($$ROOT)."""
    if isinstance(expression, str):
        if expression.startswith("$$"):
            return None if expression[2:].split(".")[0] in ("ROOT", "CURRENT") else set()
        return {expression[1:]} if expression.startswith("$") else set()
    if isinstance(expression, dict):
        if "$literal" in expression:
            return set()
        expression = list(expression.values())
    found = set()
    for each in expression if isinstance(expression, list) else ():
        inner = references(each)
        if inner is None:
            return None
        found |= inner
    return found
