"""What a scan leaves to be checked, and filters as explain shows them."""


def residual(conjunction, access, but=None):
    """Return the conditions (filters) that a scan has not settled; `but` is the alternatives that the plan is made of."""
    done = [*access.exact, *access.by_keys] if access is not None else []
    found = [leaf.source for leaf in conjunction.leaves if not any(leaf is each for each in done) and leaf.group is None]
    found += [{name: value} for name, value in conjunction.rest]
    return found + [{"$or": [shown(branch) for branch in branches]} for branches in conjunction.alternatives if branches is not but]


def together(conditions):
    """Return conditions as one filter."""
    found = list(conditions)
    return {"$and": found} if len(found) > 1 else found[0] if found else {}


def shown(conjunction):
    """Return a whole filter with every operator written out: {a: 1} is {a: {$eq: 1}}."""
    return together(residual(conjunction, None))
