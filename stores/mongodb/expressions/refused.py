"""What MongoDB has and this engine lacks: each is refused by name."""

from stores.mongodb.expressions.base import REFUSED

REFUSED.update(
    {
        "$function": "it runs JavaScript on the server",
        "$_internalJsEmit": "it is internal to MongoDB",
        "$toHashedIndexKey": "hashed indexes use a hash of their own here",
        "$encStrContains": "it needs queryable encryption",
        "$encStrEndsWith": "it needs queryable encryption",
        "$encStrStartsWith": "it needs queryable encryption",
        "$encStrNormalizedEq": "it needs queryable encryption",
        "$createObjectId": "it is newer than the release that the engine follows",
    }
)
