"""The stages that plans are made of."""

from stores.mongodb.planner.nodes.above import Count, Fetch, Limit, Or, Projection, Skip, Sort, SortMerge
from stores.mongodb.planner.nodes.node import Node
from stores.mongodb.planner.nodes.scans import (
    CollectionScan,
    CountScan,
    DistinctScan,
    FastCount,
    GeoNear,
    IdHack,
    IndexScan,
    NoRows,
    TextMatch,
)

__all__ = [
    "CollectionScan", "Count", "CountScan", "DistinctScan", "FastCount", "Fetch", "GeoNear", "IdHack", "IndexScan",
    "Limit", "NoRows", "Node", "Or", "Projection", "Skip", "Sort", "SortMerge", "TextMatch",
]  # fmt: skip
