"""What a find gives of each document."""

import mongomock


class Projection:
    """A projection, compiled once."""

    def __init__(self, spec, query=None, let=None):
        self.spec = spec

    def apply(self, document, match=None, metadata=None):
        if not self.spec:
            return document
        return mongomock.MongoClient().db.collection._copy_only_fields(document, self.spec, dict)

    def paths(self):
        return None
