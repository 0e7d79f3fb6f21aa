"""similarity_cosine, similarity_euclidean, similarity_dot_product."""

import math

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.functions.registry import Function, maker, strict
from stores.cassandra.types import FLOAT


def cosine(one, two):
    """Return the similarity of two vectors by their angle: 1 for the same direction, 0 for the opposite."""
    lengths = math.sqrt(_dot(one, one) * _dot(two, two))
    return (1 + _dot(one, two) / lengths) / 2 if lengths else math.nan


def euclidean(one, two):
    """Return the similarity of two vectors by their distance: 1 for the same vector."""
    return 1 / (1 + sum((a - b) ** 2 for a, b in zip(one, two, strict=True)))


def dot_product(one, two):
    """Return the similarity of two vectors of length 1."""
    return (1 + _dot(one, two)) / 2


def _dot(one, two):
    return sum(a * b for a, b in zip(one, two, strict=True))


SIMILARITIES = {"cosine": cosine, "euclidean": euclidean, "dot_product": dot_product}


def _similarity(name, measure):
    @maker(f"similarity_{name}")
    def make(call):
        if len(call.given) != 2:
            raise InvalidRequest(f"Invalid number of arguments for function {call.name}(vector<float, n>, vector<float, n>)")
        vectors = [_vector(call, place) for place in (0, 1)]
        if vectors[0].dimension != vectors[1].dimension:
            raise InvalidRequest("All arguments must have the same vector dimensions")

        def similarity(one, two):
            one, two = vectors[0].deserialize(one), vectors[1].deserialize(two)
            if name == "cosine" and not (any(one) and any(two)):
                raise InvalidRequest(f"Function {call.name} doesn't support all-zero vectors.")
            return FLOAT.serialize(measure(one, two))

        return Function(call.name, tuple(vectors), FLOAT, strict(similarity))


def _vector(call, place):
    """Return the vector type of an argument; a list or marker takes the type of the other."""
    given, other = call.given[place], call.given[1 - place]
    known = other is not None and other.kind == "vector"
    if known and (given is None or (given.kind == "list" and call.fits(call.nodes[place], other))):
        return other
    given = call.type_of(place)
    if given.kind != "vector" or given.elements[0] != FLOAT:
        raise InvalidRequest(
            f"Function {call.name} requires a float vector argument, but found argument {call.nodes[place]} of type {given}"
        )
    return given


for _name, _measure in SIMILARITIES.items():
    _similarity(_name, _measure)
