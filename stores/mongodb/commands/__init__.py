"""The commands, one module for each family; dispatch.run() executes one."""

from stores.mongodb.commands import (  # noqa: F401  (importing a family registers its commands)
    aggregation,
    bulk,
    collections,
    cursors,
    diagnostics,
    failpoints,
    handshake,
    indexes,
    reads,
    refused,
    sessions,
    transactions,
    writes,
)
