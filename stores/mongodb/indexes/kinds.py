"""The kinds of index beside the ordinary one: hashed, 2dsphere, wildcard, and text (text.py). They differ in the keys they make."""

import hashlib

from stores.mongodb.errors import MongoError
from stores.mongodb.indexes.index import Index
from stores.mongodb.indexes.keys import reach
from stores.mongodb.indexes.keystring import OBJECT, encode
from stores.mongodb.indexes.text import TextIndex
from stores.mongodb.ordering import MISSING


def make(spec, fold=None, matches=None):
    """Return the Index for a specification in the form of spec.normalise."""
    if "weights" in spec:
        return TextIndex(spec, None, matches)
    if any(path.endswith("$**") for path in spec["key"]):
        return WildcardIndex(spec, fold, matches)
    if any(isinstance(way, str) for way in spec["key"].values()):
        return MixedIndex(spec, fold, matches)
    return Index(spec, fold, matches)


def hashed(value, fold=None):
    """Return the bytes under which a hashed index has a value: no order, equal for equal values."""
    return encode(int.from_bytes(hashlib.md5(encode(value, fold), usedforsecurity=False).digest()[:7], "big"))


class MixedIndex(Index):
    """An index with hashed, 2dsphere or 2d fields, alone or among ordinary ones."""

    def __init__(self, spec, fold=None, matches=None):
        super().__init__(spec, fold, matches)
        self.special = {field: way for field, way in self.pattern.items() if isinstance(way, str)}
        # An index with a geo field leaves out documents that have none of its places, as MongoDB does.
        self.geo = [field for field, way in self.special.items() if way in ("2dsphere", "2d")]
        self.sparse = self.sparse or bool(self.geo)

    def keys(self, document):
        if self.geo and all(document_value(document, field) in (None, MISSING) for field in self.geo):
            return []
        keys = super().keys(document)
        for position, field in enumerate(self.fields):
            kind = self.special.get(field)
            if kind == "hashed":
                value = document_value(document, field)
                if isinstance(value, list):
                    raise MongoError(16766, f"hashed indexes do not currently support array values. Found array at path: {field}")
                keys = [(*key[:position], hashed(value, self.fold), *key[position + 1 :]) for key in keys]
            elif kind in ("2dsphere", "2d"):
                check_place(document_value(document, field), field, document)
                keys = list(dict.fromkeys((*key[:position], OBJECT, *key[position + 1 :]) for key in keys))
        return keys


def document_value(document, path):
    """Return the first value at a path, or MISSING."""
    return next(reach(document, path.split(".")), MISSING)


def check_place(value, field, document):
    """Raise 16755 for a value that is neither GeoJSON nor a pair of coordinates."""
    if value is MISSING or value is None:
        return
    pair = value
    if isinstance(value, dict) and "type" in value:
        if isinstance(value.get("coordinates"), list) or isinstance(value.get("geometries"), list):
            pair = value["coordinates"] if value["type"] == "Point" else [0, 0]
        else:
            pair = None
    elif isinstance(value, dict):
        pair = list(value.values())[:2]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        return
    numbers = (
        isinstance(pair, list)
        and len(pair) >= 2
        and all(isinstance(each, int | float) and not isinstance(each, bool) for each in pair[:2])
    )
    if not numbers:
        raise MongoError(
            16755,
            f"Can't extract geo keys: {document}  unknown GeoJSON type or a point that is not two numbers: {{ {field}: {value} }}",
        )
    longitude, latitude = pair[:2]
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise MongoError(
            16755, f"Can't extract geo keys: {document}  longitude/latitude is out of bounds, lng: {longitude:g} lat: {latitude:g}"
        )


class WildcardIndex(Index):
    """An index of every path, or of every path below one: an entry is (path, value)."""

    def __init__(self, spec, fold=None, matches=None):
        super().__init__(spec, fold, matches)
        (path,) = self.fields
        self.root = path[: -len(".$**")] if path != "$**" else ""
        self.fields = ["$_path", path]
        self.directions = [1, -1 if self.pattern[path] == -1 else 1]
        self.sparse = True
        self.array_paths = set()
        self.projection = spec.get("wildcardProjection")

    def keys(self, document):
        if self.matches is not None and not self.matches(document):
            return []
        keys = []
        if self.root:
            for value in reach(document, self.root.split(".")):
                self._add(self.root, value, keys)
        else:
            for name, value in document.items():
                if name != "_id" or self.covers("_id"):
                    self._add(name, value, keys)
        return [self.directed(key) for key in dict.fromkeys(keys)]

    def covers(self, path):
        """Return whether the index has the values at a path."""
        if self.root:
            return path == self.root or path.startswith(self.root + ".")
        if not self.projection:
            return path != "_id" and not path.startswith("_id.")
        named = [name for name, value in self.projection.items() if name != "_id"]
        inside = any(path == name or path.startswith(name + ".") for name in named)
        including = any(value for name, value in self.projection.items() if name != "_id")
        if path == "_id":
            return bool(self.projection.get("_id", 0))
        return inside if including else not inside

    @property
    def multikey(self):
        return bool(self.array_paths)

    @property
    def multikey_paths(self):
        return {field: [] for field in self.fields}

    def is_multikey(self, field):
        return field in self.array_paths

    def _add(self, path, value, keys):
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                self._add(f"{path}.{name}", inner, keys)
        elif isinstance(value, list) and value:
            self.array_paths.add(path)
            for inner in value:
                if isinstance(inner, dict) and inner:
                    for name, each in inner.items():
                        self.array_paths.add(f"{path}.{name}")
                        self._add(f"{path}.{name}", each, keys)
                elif self._listed(path):
                    keys.append((encode(path), encode(inner, self.fold)))
        elif self._listed(path):
            keys.append((encode(path), encode(value, self.fold)))

    def _listed(self, path):
        return self.root or self.covers(path)
