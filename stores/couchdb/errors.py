"""What CouchDB refuses, in its words: {"error": …, "reason": …} with a status."""


class CouchError(Exception):
    """An answer that is an error. `status` is HTTP's; `error` and `reason` are the members of the body."""

    def __init__(self, status, error, reason):
        super().__init__(f"{error}: {reason}")
        self.status = status
        self.error = error
        self.reason = reason


def bad_request(reason):
    return CouchError(400, "bad_request", reason)


def not_found(reason="missing"):
    return CouchError(404, "not_found", reason)


def conflict():
    return CouchError(409, "conflict", "Document update conflict.")


def not_allowed(*methods):
    return CouchError(405, "method_not_allowed", f"Only {','.join(sorted(methods))} allowed")


def not_here(what):
    """For what CouchDB has and the embedded server has not."""
    return CouchError(501, "not_implemented", f"{what}. Set COUCHDB_URL to use a real CouchDB")
