class _Conflict(Exception):
    pass


def _ask(method, address, **options):
    answer = requests.request(method, address, **options)
    if answer.status_code == 409:
        raise _Conflict
    answer.raise_for_status()
    return answer.json()


def _visible(document):
    return {key: document[key] for key in document if key[:1] != "_" or key in ("_id", "_rev")}


def _body(document):
    return {key: document[key] for key in document if key[:1] != "_"}


def settle(url, doc_id, merge, attempts=5):
    address = url + "/" + quote(doc_id, safe="")
    answer = requests.get(address, params={"conflicts": "true"})
    if answer.status_code == 404:
        raise KeyError(doc_id)
    answer.raise_for_status()
    document = answer.json()
    revisions = document.get("_conflicts", [])
    if not revisions:
        return _visible(document)
    if attempts < 1:
        raise RuntimeError(f"others wrote {doc_id!r} again and again")
    others = [requests.get(address, params={"rev": revision}) for revision in revisions]
    try:
        merged = _body(merge([_body(document)] + [_body(other.json()) for other in others if other.ok]))
        written = _ask("PUT", address, json={**merged, "_rev": document["_rev"]})
        for revision in revisions:
            _ask("DELETE", address, params={"rev": revision})
    except _Conflict:
        return settle(url, doc_id, merge, attempts - 1)
    return {**merged, "_id": doc_id, "_rev": written["rev"]}
