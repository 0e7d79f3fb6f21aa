"""Which documents are looked at, and in which order."""

from stores.mongodb.ordering import Sort


def choose(store, request):
    """Return the plan for a request."""
    return Everything(store, request)


class Everything:
    def __init__(self, store, request):
        self.store, self.request = store, request

    def rows(self):
        request = self.request
        found = []
        for record, document in list(self.store.documents_by_record.items()):
            request.stats.documents_examined += 1
            if request.query(document):
                found.append((record, document))
        if request.sort:
            sort = Sort(request.sort, request.fold)
            found.sort(key=lambda row: sort.key(row[1]))
        found = found[request.skip :]
        yield from found[: request.limit] if request.limit else found
