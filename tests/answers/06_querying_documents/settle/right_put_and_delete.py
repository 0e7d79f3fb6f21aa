def settle(url, doc_id, merge, attempts=5):
    """Merge all conflicting versions of a document into one; return it with _id and _rev.

    Raises KeyError if there is no such document, RuntimeError if others wrote first `attempts` times.
    """
    address = f"{url}/{quote(doc_id, safe='')}"
    for merges in range(attempts + 1):
        winner = _fetch(address, {"conflicts": "true"})
        conflicts = winner.get("_conflicts", [])
        if not conflicts:
            return _plain(winner) | {"_id": doc_id, "_rev": winner["_rev"]}
        if merges == attempts:
            break
        versions = [_plain(document) for document in [winner, *(_fetch(address, {"rev": rev}) for rev in conflicts)]]
        merged = _plain(merge(versions))
        answer = requests.put(address, json=merged | {"_rev": winner["_rev"]})
        if answer.status_code == 409:
            continue
        answer.raise_for_status()
        for rev in conflicts:
            gone = requests.delete(address, params={"rev": rev})
            if gone.status_code not in (404, 409):      # removed meanwhile, or written on: the next look tells
                gone.raise_for_status()
    raise RuntimeError(f"others wrote {doc_id!r} {attempts} times while it was merged")


def _fetch(address, params):
    answer = requests.get(address, params=params)
    if answer.status_code == 404:
        raise KeyError(address)
    answer.raise_for_status()
    return answer.json()


def _plain(document):
    """Without CouchDB's own fields."""
    return {name: value for name, value in document.items() if not name.startswith("_")}
