"""Plain geometry: points, lines and polygons given in longitude and latitude or on a flat plane.

Distances on the sphere are great-circle distances (haversine). Edges of polygons are straight in longitude and latitude, where
MongoDB's follow great circles: the two differ by little over distances of a city or a country.
"""

import itertools
import math

from stores.mongodb.errors import MongoError
from stores.mongodb.values import is_number, show, to_double

EARTH = 6378100.0  # metres, MongoDB's radius


class Shape:
    """A GeoJSON geometry as `points`, `lines` (lists of points) and `polygons` (lists of rings, the first the outer one)."""

    def __init__(self, points=(), lines=(), polygons=()):
        self.points = list(points)
        self.lines = list(lines)
        self.polygons = list(polygons)

    def vertices(self):
        """Yield every corner."""
        yield from self.points
        for line in self.lines:
            yield from line
        for polygon in self.polygons:
            for ring in polygon:
                yield from ring

    def edges(self):
        """Yield every straight piece as a pair of points."""
        for line in self.lines:
            yield from itertools.pairwise(line)
        for polygon in self.polygons:
            for ring in polygon:
                yield from itertools.pairwise(ring)

    def covers(self, point):
        """Return whether a point lies in a polygon, on a line or on a point of the shape."""
        return (
            any(in_polygon(point, polygon) for polygon in self.polygons)
            or any(on_edge(point, a, b) for a, b in self.edges())
            or any(near_zero(distance(point, other)) for other in self.points)
        )

    def contains(self, other):
        """Return whether the whole of another shape lies inside this one."""
        return all(map(self.covers, other.vertices())) and not any(
            crosses(a, b, c, d) for a, b in other.edges() for c, d in self.edges()
        )

    def intersects(self, other):
        """Return whether two shapes have a point in common."""
        return (
            any(map(self.covers, other.vertices()))
            or any(map(other.covers, self.vertices()))
            or any(crosses(a, b, c, d) for a, b in self.edges() for c, d in other.edges())
        )


def point_of(value):
    """Return a legacy coordinate pair, [x, y] or {lng: x, lat: y}, as (x, y); None if it is none."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)) and len(value) >= 2 and is_number(value[0]) and is_number(value[1]):
        return to_double(value[0]), to_double(value[1])
    return None


def _position(value):
    point = point_of(value) if isinstance(value, list) else None
    if point is None:
        raise MongoError("BadValue", f"Point must only contain numeric elements, found {show(value)}")
    if not (-180 <= point[0] <= 180 and -90 <= point[1] <= 90):
        raise MongoError("BadValue", f"longitude/latitude is out of bounds, lng: {point[0]:g} lat: {point[1]:g}")
    return point


def _line(value):
    if not isinstance(value, list) or len(value) < 2:
        raise MongoError("BadValue", f"GeoJSON LineString must have at least 2 vertices: {show(value)}")
    return [_position(position) for position in value]


def _polygon(value):
    if not isinstance(value, list) or not value:
        raise MongoError("BadValue", f"Polygon coordinates must be an array of rings: {show(value)}")
    rings = [_line(ring) for ring in value]
    for ring in rings:
        if ring[0] != ring[-1]:
            raise MongoError("BadValue", f"Polygon's loop is not closed, first vertex does not equal last vertex: {show(value)}")
        if len(ring) < 4:
            raise MongoError("BadValue", f"Loop must have at least 3 different vertices: {show(value)}")
    return rings


READERS = {
    "Point": lambda c: Shape(points=[_position(c)]),
    "MultiPoint": lambda c: Shape(points=[_position(position) for position in c]),
    "LineString": lambda c: Shape(lines=[_line(c)]),
    "MultiLineString": lambda c: Shape(lines=[_line(line) for line in c]),
    "Polygon": lambda c: Shape(polygons=[_polygon(c)]),
    "MultiPolygon": lambda c: Shape(polygons=[_polygon(polygon) for polygon in c]),
}


def shape(geometry):
    """Return the Shape of a GeoJSON object. Raises BadValue for what is none."""
    if not isinstance(geometry, dict) or not isinstance(geometry.get("type"), str):
        raise MongoError("BadValue", f"unknown GeoJSON type: {show(geometry)}")
    if geometry["type"] == "GeometryCollection":
        whole = Shape()
        for part in map(shape, geometry.get("geometries", [])):
            whole.points += part.points
            whole.lines += part.lines
            whole.polygons += part.polygons
        return whole
    if geometry["type"] not in READERS:
        raise MongoError("BadValue", f"unknown GeoJSON type: {show(geometry)}")
    if not isinstance(geometry.get("coordinates"), list):
        raise MongoError("BadValue", f"GeoJSON coordinates must be an array: {show(geometry)}")
    return READERS[geometry["type"]](geometry["coordinates"])


def of_value(value):
    """Return the Shape of a stored value, GeoJSON or a coordinate pair; None if it is neither."""
    if (isinstance(value, dict) and "type" in value and "coordinates" in value) or (isinstance(value, dict) and "geometries" in value):
        try:
            return shape(value)
        except MongoError:
            return None
    point = point_of(value)
    return Shape(points=[point]) if point else None


def in_polygon(point, rings):
    """Return whether a point lies inside the outer ring (or on it) and not inside a hole."""
    if any(on_edge(point, a, b) for ring in rings for a, b in itertools.pairwise(ring)):
        return True
    return in_ring(point, rings[0]) and not any(in_ring(point, hole) for hole in rings[1:])


def in_ring(point, ring):
    """Return whether a ray from the point crosses the ring an odd number of times."""
    (x, y), inside = point, False
    for (ax, ay), (bx, by) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            inside = not inside
    return inside


def _turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def near_zero(value):
    """Return whether a number is zero but for rounding."""
    return abs(value) < 1e-12


def on_edge(point, a, b):
    """Return whether a point lies on the straight piece from a to b."""
    if not near_zero(_turn(a, b, point)):
        return False
    return min(a[0], b[0]) <= point[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= point[1] <= max(a[1], b[1])


def crosses(a, b, c, d):
    """Return whether the pieces a-b and c-d cross in a point inside of both."""
    one, two, three, four = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    return one * two < 0 and three * four < 0


def distance(a, b):
    """Return the distance of two points on the plane."""
    return math.hypot(a[0] - b[0], a[1] - b[1])


def angle(a, b):
    """Return the distance of two points on the sphere, (longitude, latitude) in degrees, as an angle in radians."""
    lng1, lat1, lng2, lat2 = map(math.radians, (*a, *b))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lng2 - lng1) / 2) ** 2
    return 2 * math.asin(min(1.0, math.sqrt(half)))


def metres(a, b):
    """Return the distance of two points on the earth in metres."""
    return EARTH * angle(a, b)


def to_shape(point, other, measure):
    """Return the distance from a point to the nearest point of a shape: 0 inside; else of the corners and of the nearest
    places on its edges."""
    if any(in_polygon(point, polygon) for polygon in other.polygons):
        return 0.0
    places = [*other.vertices(), *(_foot(point, a, b) for a, b in other.edges())]
    return min(measure(point, place) for place in places)


def _foot(point, a, b):
    """The place on the piece a-b that is nearest to the point."""
    length = (b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2
    if not length:
        return a
    share = max(0.0, min(1.0, ((point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])) / length))
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
