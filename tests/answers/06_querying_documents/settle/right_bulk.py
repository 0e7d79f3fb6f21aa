def settle(url, doc_id, merge, attempts=5):
    """Merge all conflicting versions of a document into one; return it with _id and _rev."""
    http = requests.Session()
    path = url + "/" + quote(doc_id, safe="")
    tries = 0
    while True:
        answer = http.get(path, params={"conflicts": "true"})
        if answer.status_code == 404:
            raise KeyError(doc_id)
        answer.raise_for_status()
        winner = answer.json()
        losers = winner.pop("_conflicts", [])
        if not losers:
            return {key: winner[key] for key in winner if key in ("_id", "_rev") or key[0] != "_"}
        if tries == attempts:
            raise RuntimeError("too many writers")
        tries += 1
        versions = [winner] + [http.get(path, params={"rev": rev}).json() for rev in losers]
        merged = merge([{key: version[key] for key in version if not key.startswith("_")} for version in versions])
        merged = {key: merged[key] for key in merged if not key.startswith("_")}
        body = {"docs": [{"_id": doc_id, "_rev": winner["_rev"], **merged}]}
        answer = http.post(f"{url}/_bulk_docs", json=body)
        answer.raise_for_status()
        if answer.json()[0].get("error") == "conflict":
            continue
        http.post(f"{url}/_bulk_docs", json={"docs": [{"_id": doc_id, "_rev": rev, "_deleted": True} for rev in losers]}).raise_for_status()
