"""What MongoDB has and the embedded engine has not: refused under MongoDB's code, in words that say so."""

from stores.mongodb.commands.registry import command
from stores.mongodb.errors import MongoError, not_embedded

USERS = (
    *("createUser", "dropAllUsersFromDatabase", "dropUser", "grantRolesToUser", "revokeRolesFromUser", "updateUser"),
    *("createRole", "dropRole", "dropAllRolesFromDatabase", "grantPrivilegesToRole", "grantRolesToRole", "invalidateUserCache"),
    *("revokePrivilegesFromRole", "revokeRolesFromRole", "updateRole"),
)
REPLICATION = (
    *("replSetAbortPrimaryCatchUp", "replSetFreeze", "replSetInitiate", "replSetMaintenance", "replSetReconfig"),
    *("replSetResizeOplog", "replSetStepDown", "replSetSyncFrom", "appendOplogNote", "applyOps"),
)
SHARDING = (
    *("addShard", "addShardToZone", "balancerStart", "balancerStatus", "balancerStop", "enableSharding", "flushRouterConfig"),
    *("getShardMap", "listShards", "moveChunk", "moveCollection", "movePrimary", "refineCollectionShardKey", "removeShard"),
    *("reshardCollection", "shardCollection", "shardingState", "split", "unshardCollection", "updateZoneKeyRange"),
)
SERVER = (
    *("compact", "cloneCollectionAsCapped", "connPoolStats", "filemd5", "fsync", "fsyncUnlock"),
    *("logRotate", "mapReduce", "mapreduce", "planCacheClear", "planCacheClearFilters", "planCacheListFilters", "planCacheSetFilter"),
    *("profile", "reIndex", "rotateCertificates", "setClusterParameter", "getClusterParameter", "setDefaultRWConcern"),
    *("getDefaultRWConcern", "setFeatureCompatibilityVersion", "setIndexCommitQuorum", "setParameter", "setQuerySettings"),
    *("removeQuerySettings", "shutdown", "top", "setAuditConfig", "getAuditConfig", "setUserWriteBlockMode", "analyze"),
    *("lockInfo", "features"),
)
SEARCH = ("createSearchIndexes", "dropSearchIndex", "updateSearchIndex")


def refuse(call):
    """Say that the embedded engine lacks the command."""
    raise not_embedded(f"The command '{next(iter(call.body))}'")


def refuse_search(call):
    """Say that search indexes are Atlas'."""
    raise MongoError("SearchNotEnabled", "Search indexes are not in the embedded engine: connect to Atlas for them")


for name in SEARCH:
    command(name)(refuse_search)
for name in (*USERS, *REPLICATION, *SHARDING, *SERVER):
    command(name)(refuse)
