"""$geoWithin, $geoIntersects, $near and $nearSphere, by plain geometry (geometry.py)."""

import math

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import MISSING
from stores.mongodb.paths import leaves, split
from stores.mongodb.query import geometry
from stores.mongodb.query.conditions import Condition
from stores.mongodb.values import is_number, show, to_double


def within(operand):
    """Return the condition of $geoWithin: $geometry, $box, $polygon, $center or $centerSphere."""
    if not isinstance(operand, dict):
        raise MongoError("BadValue", f"geometry must be an object, found {show(operand)}")
    names = [name for name in operand if name in AREAS]
    if not names:
        raise MongoError("BadValue", f"unknown geo specifier: {show(operand)}")
    inside = AREAS[names[0]](operand[names[0]])
    return Condition(lambda value, found: _holds(value, inside), whole=True)


def _holds(value, test):
    """A field may hold one geometry, or an array of coordinate pairs or of geometries."""
    found = geometry.of_value(value) if value is not MISSING else None
    if found is not None:
        return test(found)
    return isinstance(value, list) and any(_holds(inner, test) for inner in value if isinstance(inner, (dict, list)))


def _geometry(operand):
    area = geometry.shape(operand)
    if not area.polygons:
        raise MongoError("BadValue", f"$geoWithin not supported with provided geometry: {show(operand)}")
    return area.contains


def _pair(value):
    point = geometry.point_of(value)
    if point is None:
        raise MongoError("BadValue", f"Point must be an array or object of two numbers, found {show(value)}")
    return point


def _box(operand):
    if not isinstance(operand, list) or len(operand) != 2:
        raise MongoError("BadValue", f"$box expects two corners, found {show(operand)}")
    (ax, ay), (bx, by) = map(_pair, operand)
    low, high = (min(ax, bx), min(ay, by)), (max(ax, bx), max(ay, by))
    return lambda shape: all(low[0] <= x <= high[0] and low[1] <= y <= high[1] for x, y in shape.vertices())


def _polygon(operand):
    corners = operand.values() if isinstance(operand, dict) else operand
    if not isinstance(operand, (dict, list)) or len(operand) < 3:
        raise MongoError("BadValue", "Polygon must have at least 3 points")
    ring = [_pair(corner) for corner in corners]
    area = geometry.Shape(polygons=[[[*ring, ring[0]]]])
    return area.contains


def _circle(measure):
    def read(operand):
        if not isinstance(operand, list) or len(operand) != 2 or not is_number(operand[1]):
            raise MongoError("BadValue", f"circle expects a centre and a radius, found {show(operand)}")
        centre, radius = _pair(operand[0]), to_double(operand[1])
        if radius < 0:
            raise MongoError("BadValue", "radius must be a non-negative number")
        return lambda shape: all(measure(centre, point) <= radius for point in shape.vertices())

    return read


AREAS = {
    "$geometry": _geometry,
    "$box": _box,
    "$polygon": _polygon,
    "$center": _circle(geometry.distance),
    "$centerSphere": _circle(geometry.angle),
}


def intersects(operand):
    """Return the condition of $geoIntersects."""
    if not isinstance(operand, dict) or "$geometry" not in operand:
        raise MongoError("BadValue", f"$geoIntersects not supported with provided geometry: {show(operand)}")
    area = geometry.shape(operand["$geometry"])
    return Condition(lambda value, found: _holds(value, area.intersects), whole=True)


class Near:
    """What $near asks for: documents by distance from a point.

    `distance(document)` is in metres for a GeoJSON point, in radians for $nearSphere with a pair, else in the plane's unit; None
    without a place in the document. `spherical` says which index serves it.
    """

    def __init__(self, path, point, measure, low, high, spherical):
        self.path = path
        self.parts = split(path)
        self.point = point
        self.measure = measure
        self.low = low
        self.high = high
        self.spherical = spherical
        self.condition = Condition(self._holds, whole=True)

    def distance(self, document):
        """Return the distance of the nearest place in the document's field, None without one."""
        found = [near for value in leaves(document, self.parts) if (near := self._of(value)) is not None]
        return min(found) if found else None

    def _of(self, value):
        shape = geometry.of_value(value) if value is not MISSING else None
        if shape is not None:
            return geometry.to_shape(self.point, shape, self.measure)
        if isinstance(value, list):
            return min(
                (near for inner in value if isinstance(inner, (dict, list)) and (near := self._of(inner)) is not None), default=None
            )
        return None

    def _holds(self, value, found):
        far = self._of(value)
        return far is not None and self.low <= far <= self.high


def near(path, name, operators):
    """Return the Near of {"$near": …} with $minDistance and $maxDistance inside or beside it."""
    operand = operators[name]
    if isinstance(operand, dict) and "$geometry" in operand:
        shape = geometry.shape(operand["$geometry"])
        if len(shape.points) != 1:
            raise MongoError("BadValue", f"invalid point in geo near query $geometry argument: {show(operand)}")
        limits = {**operators, **operand}
        return Near(path, shape.points[0], geometry.metres, *_limits(limits), True)
    measure = geometry.angle if name == "$nearSphere" else geometry.distance
    return Near(path, _pair(operand), measure, *_limits(operators), name == "$nearSphere")


def _limits(spec):
    limits = []
    for name, default in (("$minDistance", 0.0), ("$maxDistance", math.inf)):
        value = spec.get(name, default)
        if not is_number(value):
            raise MongoError("BadValue", f"{name} must be a number")
        if to_double(value) < 0:
            raise MongoError("BadValue", f"{name} must be non-negative")
        limits.append(to_double(value))
    return limits
