"""The stages of an aggregation.

    run(documents, [{"$match": {"qty": {"$gt": 5}}}, {"$count": "n"}], Context(now=…))

A pipeline is read whole before the first document moves, so that its mistakes are told at once. Each stage is a function
from an iterator of documents to another. mongomock runs pipelines too; these replace its handlers, for it lacks half of the
stages and its stages evaluate, compare and sort by its own rules.
"""

from stores.mongodb.stages import buckets, filling, flow, grouping, joining, refused, shape, sources, windows, writing
from stores.mongodb.stages.base import STAGES, Context, Marked, read, through

__all__ = [
    "STAGES", "Context", "Marked", "buckets", "check", "filling", "flow", "grouping", "joining", "read", "refused", "run", "shape",
    "sources",
    "windows", "writing",
]  # fmt: skip


def check(pipeline, names=(), fold=None):
    """Raise MongoError for a pipeline that MongoDB refuses. `names` are the variables it may use."""
    context = Context(let=dict.fromkeys(names), fold=fold)
    context.checking = True
    read(pipeline, context)


def run(documents, pipeline, context):
    """Return an iterator over what the pipeline makes of the documents."""
    return iter(through(documents, pipeline, context))
