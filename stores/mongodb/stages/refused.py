"""Stages that MongoDB has and this engine lacks: each is refused by name."""

from stores.mongodb.stages.base import REFUSED

REFUSED.update(
    {
        "$search": "it needs the search engine of Atlas",
        "$searchMeta": "it needs the search engine of Atlas",
        "$vectorSearch": "it needs the search engine of Atlas",
        "$rankFusion": "it needs the search engine of Atlas",
        "$scoreFusion": "it needs the search engine of Atlas",
        "$score": "it needs the search engine of Atlas",
        "$listSearchIndexes": "it needs the search engine of Atlas",
        "$planCacheStats": "plans are chosen anew for each query",
        "$shardedDataDistribution": "there are no shards",
        "$querySettings": "there are no query settings",
        "$queryStats": "no statistics of queries are kept",
        "$listSampledQueries": "no queries are sampled",
        "$listClusterCatalog": "there is no cluster",
        "$changeStream": "a change stream is opened by watch(), as the first stage",
        "$changeStreamSplitLargeEvent": "events are never split",
    }
)
