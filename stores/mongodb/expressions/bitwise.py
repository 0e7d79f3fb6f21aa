"""Bits: $bitAnd, $bitOr, $bitXor, $bitNot."""

from functools import reduce
from operator import and_, or_, xor

from stores.mongodb.expressions.base import MANY, MongoError, nullish, takes, type_name
from stores.mongodb.values import INT, LONG, of_rank, rank


def _fold(name, function, start):
    def combine(*values):
        if any(nullish(value) for value in values):
            return None
        for value in values:
            _whole(name, value)
        kind = max((rank(value) for value in values), default=INT)
        return of_rank(reduce(function, (int(value) for value in values), start), kind)

    takes(name, 0, MANY)(combine)


def _whole(name, value):
    if rank(value) not in (INT, LONG):
        raise MongoError("TypeMismatch", f"{name} only supports int and long operands, not {type_name(value)}.")


_fold("$bitAnd", and_, -1)
_fold("$bitOr", or_, 0)
_fold("$bitXor", xor, 0)


@takes("$bitNot", 1, null=True)
def bit_not(value):
    _whole("$bitNot", value)
    return of_rank(~int(value), rank(value))
