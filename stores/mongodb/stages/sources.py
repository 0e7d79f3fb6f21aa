"""Stages that make documents themselves: $documents, $geoNear and those that tell about the server."""

import math

from stores.mongodb import paths
from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import type_name
from stores.mongodb.query import Query, geo, geometry
from stores.mongodb.stages.base import Marked, stage
from stores.mongodb.values import is_number, show, to_double


@stage("$documents", first=True, inside_facet=False)
def documents_(operand, context):
    node, environment = context.expression(operand), context.environments()

    def run(_):
        made = node(environment({}))
        if not isinstance(made, list):
            raise MongoError(5858203, f"an array is expected, got {type_name(made)}")
        for document in made:
            if not isinstance(document, dict):
                raise MongoError(40228, f"'newRoot' expression must evaluate to an object, but resulting value was: {show(document)}")
            yield document

    return run


GEO_NEAR = ("near", "distanceField", "spherical", "maxDistance", "minDistance", "query", "distanceMultiplier", "includeLocs", "key")


@stage("$geoNear", first=True, inside_facet=False)
def geo_near(operand, context):
    _check_geo_near(operand)
    query = Query(operand.get("query", {}), context.let, context.fold)
    field = _parts(operand["distanceField"]) if "distanceField" in operand else None
    places = _parts(operand["includeLocs"]) if "includeLocs" in operand else None
    times = to_double(operand.get("distanceMultiplier", 1.0))

    def run(documents):
        near = _near(operand, context)
        rows = []
        for document in documents:
            far = near.distance(document) if query(document) else None
            if far is not None and near.low <= far <= near.high:
                rows.append((far, document))
        for far, document in sorted(rows, key=lambda row: row[0]):
            made = paths.put(document, field, far * times) if field else document
            if places:
                made = paths.put(made, places, paths.get(document, near.parts))
            yield Marked(made, {"geoNearDistance": far * times, "geoNearPoint": paths.get(document, near.parts)})

    return run


def _parts(path):
    if not isinstance(path, str) or not path:
        raise MongoError(16606, f"$geoNear requires a 'distanceField' option as a String, found {show(path)}")
    return path.split(".")


def _check_geo_near(operand):
    if not isinstance(operand, dict):
        raise MongoError(10065, f"invalid parameter: expected an object ($geoNear), found {type_name(operand)}")
    for name in operand:
        if name not in GEO_NEAR:
            raise MongoError(40415, f"BSON field '$geoNear.{name}' is an unknown field.")
    if not isinstance(operand.get("near"), (dict, list)):
        raise MongoError(5860400, "$geoNear requires a 'near' argument")
    for name in ("maxDistance", "minDistance", "distanceMultiplier"):
        if name in operand and not is_number(operand[name]):
            raise MongoError("TypeMismatch", f"{name} must be a number, found {type_name(operand[name])}")
        if name in operand and to_double(operand[name]) < 0:
            raise MongoError("BadValue", f"{name} must be nonnegative")
    if not isinstance(operand.get("query", {}), dict):
        raise MongoError("TypeMismatch", "$geoNear requires the 'query' to be an object")


def _near(operand, context):
    """Return the Near of the stage: in metres for GeoJSON, in radians for a spherical pair, else on the plane."""
    key = operand.get("key")
    if key is None:
        found = context.geo_field(context.database, context.collection)
        if found is None:
            raise MongoError("IndexNotFound", "unable to find index for $geoNear query")
        key = found[0]
    limits = {f"${name}": operand[name] for name in ("minDistance", "maxDistance") if name in operand}
    if isinstance(operand["near"], dict) and "type" in operand["near"]:
        return geo.near(key, "$near", {"$near": {"$geometry": operand["near"], **limits}})
    spherical = operand.get("spherical", False)
    made = geo.near(key, "$nearSphere" if spherical else "$near", {"$nearSphere" if spherical else "$near": operand["near"], **limits})
    if spherical:
        made.measure = geometry.angle
    return made


COLL_STATS = ("latencyStats", "storageStats", "count", "queryExecStats")


@stage("$collStats", first=True, inside_facet=False)
def coll_stats(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(5447000, f"$collStats must take a nested object but found: {show(operand)}")
    for name in operand:
        if name not in COLL_STATS:
            raise MongoError(40415, f"BSON field '$collStats.{name}' is an unknown field.")

    def run(_):
        numbers = dict(context.coll_stats())
        made = {"ns": f"{context.database}.{context.collection}", "host": context.host, "localTime": context.variables()["NOW"]}
        if "latencyStats" in operand:
            none = {"latency": 0, "ops": 0}
            made["latencyStats"] = {"reads": dict(none), "writes": dict(none), "commands": dict(none), "transactions": dict(none)}
        if "storageStats" in operand:
            scale = operand["storageStats"].get("scale", 1) if isinstance(operand["storageStats"], dict) else 1
            made["storageStats"] = {**_scaled(numbers, to_double(scale)), "scaleFactor": scale}
        if "count" in operand:
            made["count"] = numbers.get("count", 0)
        if "queryExecStats" in operand:
            made["queryExecStats"] = {"collectionScans": {"total": 0, "nonTailable": 0}}
        yield made

    return run


def _scaled(numbers, scale):
    sizes = ("size", "storageSize", "totalIndexSize", "totalSize")
    return {
        name: math.floor(value / scale) if name in sizes and scale != 1 else value for name, value in numbers.items() if name != "ns"
    }


def _told(name, method):
    @stage(name, first=True, inside_facet=False)
    def reader(operand, context):
        if not isinstance(operand, dict):
            raise MongoError("FailedToParse", f"{name} options must be specified in an object, but found: {type_name(operand)}")

        def run(_):
            yield from getattr(context, method)()

        return run


_told("$indexStats", "index_stats")
_told("$currentOp", "current_op")
_told("$listSessions", "list_sessions")
_told("$listLocalSessions", "list_sessions")
