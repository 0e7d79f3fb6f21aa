# caught by: of what begins with _ only _id and _rev are returned
def settle(url, doc_id, merge, attempts=5):
    address = f"{url}/{quote(doc_id, safe='')}"
    plain = lambda document: {name: value for name, value in document.items() if not name.startswith("_")}

    def look():
        answer = requests.get(address, params={"conflicts": "true"})
        if answer.status_code == 404:
            raise KeyError(doc_id)
        answer.raise_for_status()
        return answer.json()

    again = False
    for _ in range(attempts):
        winner = look()
        if not winner.get("_conflicts"):
            return winner
        versions, losers = [plain(winner)], []
        for rev in winner["_conflicts"]:
            answer = requests.get(address, params={"rev": rev})
            if answer.status_code == 404:
                continue
            answer.raise_for_status()
            losers.append(rev)
            if not answer.json().get("_deleted"):
                versions.append(plain(answer.json()))
        merged = plain(merge(versions))
        answer = requests.put(address, json=merged | {"_rev": winner["_rev"]})
        if answer.status_code == 409:
            continue
        answer.raise_for_status()
        new = answer.json()["rev"]
        again = False
        for rev in losers:
            answer = requests.delete(address, params={"rev": rev})
            if answer.status_code == 409:
                again = True
            elif answer.status_code != 404:
                answer.raise_for_status()
        if not again:
            return merged | {"_id": doc_id, "_rev": new}
    winner = look()
    if winner.get("_conflicts"):
        raise RuntimeError(doc_id)
    if again:
        return plain(winner) | {"_id": doc_id, "_rev": winner["_rev"]}
    raise RuntimeError(doc_id)
