"""The stages of an aggregation."""

from mongomock.aggregate import process_pipeline


class Context:
    """What a pipeline sees of the engine: the engine fills or overrides it."""

    database = ""
    collection = ""
    now = None
    let = None
    fold = None

    def read(self, database, collection, filter=None):
        raise NotImplementedError


def check(pipeline):
    """Raise MongoError for a pipeline that cannot be run."""


def run(documents, pipeline, context):
    """Return an iterator over what the pipeline makes of the documents."""
    return iter(process_pipeline(list(documents), None, pipeline, None))
