"""Query results as plain values, which a YAML file can hold and two servers can be compared by."""

from neo4j.graph import Node, Path, Relationship
from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time


def plain(value):
    """Return `value` with graph elements, dates and points as text; numbers, text, lists and maps as they are.

    node (:Admin:Person {age: 41})    relationship [:KNOWS {since: 2015}]    path (:A)-[:KNOWS]->(:B)
    date 2024-03-09                   duration P1Y2M                         point 7203 (3.0, 4.0)
    """
    match value:
        case Node():
            return "(" + "".join(f":{label}" for label in sorted(value.labels)) + _properties(value) + ")"
        case Relationship():
            return f"[:{value.type}{_properties(value)}]"
        case Path():
            return _path(value)
        case Point():
            return f"point {value.srid} {tuple(value)}"
        case Date() | DateTime() | Time():
            return f"{type(value).__name__.lower()} {value.iso_format()}"
        case Duration():
            return f"duration {value.iso_format()}"
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
    return value


def _path(path):
    text = plain(path.start_node)
    for node, relationship, reached in zip(path.nodes, path.relationships, path.nodes[1:], strict=False):
        onwards = relationship.start_node.element_id == node.element_id
        text += ("-{}->" if onwards else "<-{}-").format(plain(relationship)) + plain(reached)
    return text


def _properties(element):
    pairs = ", ".join(f"{key}: {plain(value)!r}" for key, value in sorted(element.items()))
    return f" {{{pairs}}}" if pairs else ""


def exact(value):
    """Return `value` in a form in which 1, 1.0 and true differ, and not-a-number equals itself."""
    if isinstance(value, list):
        return ("list", tuple(exact(item) for item in value))
    if isinstance(value, dict):
        return ("map", tuple(sorted((key, exact(item)) for key, item in value.items())))
    if isinstance(value, float) and value != value:
        return ("float", "NaN")
    return (type(value).__name__, value)
