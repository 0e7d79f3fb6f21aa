"""What a find gives of each document: fields taken in or left out, computed ones, $slice, $elemMatch, `field.$`, $meta.

The same rules serve $project (stages/shape.py). https://www.mongodb.com/docs/manual/reference/method/db.collection.find/#projection
"""

from stores.mongodb import paths
from stores.mongodb.errors import MongoError
from stores.mongodb.expressions import Scope, environment, read
from stores.mongodb.expressions.base import SYSTEM
from stores.mongodb.ordering import MISSING, type_name
from stores.mongodb.query import Reading
from stores.mongodb.query.parser import Parser
from stores.mongodb.values import is_number, show, to_double


class Projection:
    """A projection that was read: apply(document, match) gives what remains of a document.

    `spec` None or {} leaves documents as they are. Raises MongoError: 31253 and 31254 for a mix of fields taken in and left
    out, 31249 and 31250 for paths inside one another, and the errors of expressions.
    """

    def __init__(self, spec, query=None, let=None, fold=None, now=None, find=True):
        if spec is not None and not isinstance(spec, dict):
            raise MongoError("TypeMismatch", f"projection must be an object, found {type_name(spec)}")
        self.spec = spec or {}
        self.find = find
        self.variables = {**(let or {}), **({"NOW": now} if now is not None else {})}
        self.scope = Scope(SYSTEM | set(self.variables), fold)
        self.tree, self.arrays, self.positional = {}, [], None
        self.including = None
        self.keeps_id = True
        for path, value in self.spec.items():
            self._read(path, value)
        if self.including is None:  # what is left out or taken in is said by _id alone, or by nothing
            only_id = self.keeps_id and set(self.spec) == {"_id"}
            self.including = only_id or (bool(self.tree) and not self.find)
        if self.including:
            for parts, _ in self.arrays:
                if parts[0] not in self.tree:
                    self._claim(".".join(parts), True)
        if self.positional and not self.including:
            raise MongoError(31395, "positional projection cannot be used with exclusion")

    # Reading ---------------------------------------------------------------------------------------------------

    def _read(self, path, value, prefix=""):
        full = prefix + path
        if self.find and full.endswith(".$"):
            self._positional(full)
        elif isinstance(value, dict) and self._special(full, value):
            return
        elif isinstance(value, dict) and value and not next(iter(value)).startswith("$"):
            for name, inner in value.items():
                self._read(name, inner, full + ".")
        elif isinstance(value, bool) or is_number(value):
            self._flag(full, value is True or (not isinstance(value, bool) and to_double(value) != 0))
        else:
            if isinstance(value, dict) and not value:
                raise MongoError(51270, f"An empty sub-projection is not a valid value. Found empty object at path: {full}")
            self._mixed(full, True, computed=True)
            self._claim(full, read(value, self.scope))

    def _flag(self, path, take):
        if path == "_id":
            self.keeps_id = take
            return
        self._mixed(path, take)
        self._claim(path, take)

    def _mixed(self, path, take, computed=False):
        if self.including is None:
            self.including = take
        elif self.including and not take:
            raise MongoError(31254, f"Cannot do exclusion on field {path} in inclusion projection")
        elif take and not self.including:
            if computed:
                raise MongoError(31252, f"Cannot use an expression {path} in an exclusion projection")
            raise MongoError(31253, f"Cannot do inclusion on field {path} in exclusion projection")

    def _claim(self, path, leaf):
        """Put a leaf (True, False or a node) into the tree of names. Raises 31249, 31250 for a path inside another."""
        parts = path.split(".")
        self._check_names(path, parts)
        tree = self.tree
        for part in parts[:-1]:
            tree = tree.setdefault(part, {})
            if not isinstance(tree, dict):
                raise MongoError(31249, f"Path collision at {path} remaining portion {'.'.join(parts[parts.index(part) + 1 :])}")
        if parts[-1] in tree:
            raise MongoError(31250, f"Path collision at {path}")
        tree[parts[-1]] = leaf

    def _check_names(self, path, parts):
        if not path:
            raise MongoError(40352, "FieldPath cannot be constructed with empty string")
        if any(not part for part in parts):
            raise MongoError(
                40353 if not parts[-1] else 15998,
                "FieldPath must not end with a '.'." if not parts[-1] else "FieldPath field names may not be empty strings.",
            )
        for part in parts:
            if part.startswith("$"):
                raise MongoError(
                    16410, f"FieldPath field names may not start with '$'. Consider using $getField or $setField. Found: '{part}'"
                )

    def _positional(self, path):
        if self.positional:
            raise MongoError(31276, "Cannot specify more than one positional projection per query.")
        self._mixed(path, True)
        self.positional = path[:-2].split(".")
        self._claim(path[:-2], True)

    def _special(self, path, value):
        """Read find's own $slice, $elemMatch and $meta; return whether it was one."""
        name = next(iter(value), "")
        if not self.find or len(value) != 1 or name not in ("$slice", "$elemMatch", "$meta"):
            return False
        operand = value[name]
        if name == "$slice" and not (isinstance(operand, list) and operand and not is_number(operand[0])):
            self.arrays.append((path.split("."), _slice(operand)))
            return True
        if name == "$elemMatch":
            if "." in path:
                raise MongoError(31275, "Cannot use $elemMatch projection on a nested field.")
            if not isinstance(operand, dict):
                raise MongoError(31274, f"elemMatch: Invalid argument, object required, but got {type_name(operand)}")
            self._mixed(path, True)
            self._claim(path, _elem_match(path, operand, self.scope))
            return True
        if name == "$meta":
            self._claim(path, read(value, self.scope))
            return True
        return False

    # Use -------------------------------------------------------------------------------------------------------

    def apply(self, document, match=None, metadata=None):
        """Return what the projection gives of a document. `metadata` has the values of $meta, {"textScore": 1.5}."""
        if not self.spec:
            return document
        env = environment(document, {**self.variables, "META": metadata or {}})
        if self.including:
            made = self._include(document, self.tree, env)
            if self.keeps_id and "_id" in document and "_id" not in made:
                made = {"_id": document["_id"], **made}
            elif "_id" in made and "_id" in document and "_id" not in self.tree:
                made = {"_id": made.pop("_id"), **made}
        else:
            made = self._exclude(document, self.tree, env)
            if not self.keeps_id:
                made = {name: value for name, value in made.items() if name != "_id"}
        if self.positional:
            made = self._one_element(document, made, match)
        for parts, cut in self.arrays:
            made = _cut(made, parts, cut)
        return made

    def _include(self, value, tree, env):
        """Fields keep the document's order; computed ones follow in the projection's."""
        made = {}
        for name, inner in value.items():
            leaf = tree.get(name)
            if leaf is True:
                made[name] = inner
            elif isinstance(leaf, dict):
                found = self._include_in(inner, leaf, env)
                if found is not MISSING:
                    made[name] = found
        for name, leaf in tree.items():
            if callable(leaf):
                found = leaf(env)
                made.pop(name, None)
                if found is not MISSING:
                    made[name] = found
            elif isinstance(leaf, dict) and name not in made and _computes(leaf):
                made[name] = self._include({}, leaf, env)
        return made

    def _include_in(self, value, tree, env):
        if isinstance(value, dict):
            return self._include(value, tree, env)
        if isinstance(value, list):
            found = [self._include_in(inner, tree, env) for inner in value]
            return [inner for inner in found if inner is not MISSING]
        return self._include({}, tree, env) if _computes(tree) else MISSING

    def _exclude(self, value, tree, env):
        if isinstance(value, list):
            return [self._exclude(inner, tree, env) for inner in value]
        if not isinstance(value, dict):
            return value
        made = {}
        for name, inner in value.items():
            leaf = tree.get(name)
            if leaf is None:
                made[name] = inner
            elif isinstance(leaf, dict):
                made[name] = self._exclude(inner, leaf, env)
        for name, leaf in tree.items():
            if callable(leaf) and (found := leaf(env)) is not MISSING:  # $meta beside fields left out
                made[name] = found
        return made

    def _one_element(self, document, made, match):
        array = paths.get(document, self.positional)
        if not isinstance(array, list):
            return made
        if match is None or match.position is None or match.position >= len(array):
            raise MongoError(
                51246,
                "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the "
                "array",
            )
        return paths.put(made, self.positional, [array[match.position]])

    def paths(self):
        """Return the top-level fields that the result is made of (for covered queries), None if it needs the whole document."""
        if not self.spec or not self.including or self.arrays or self.positional:
            return None
        if any(leaf is not True for leaf in self.tree.values()):
            return None
        return set(self.tree) | ({"_id"} if self.keeps_id else set())


def _computes(tree):
    return any(callable(leaf) or (isinstance(leaf, dict) and _computes(leaf)) for leaf in tree.values())


def _elem_match(name, operand, scope):
    """Return the node that gives the first element that matches, in an array of its own."""
    parser = Parser(Reading(scope, scope.fold))
    first = next(iter(operand), "")
    if first.startswith("$") and first not in ("$and", "$or", "$nor"):
        conditions = parser.conditions(operand, "")
        holds = lambda value: all(condition.holds(value) for condition in conditions)  # noqa: E731
    else:
        test = parser.filter(operand)
        holds = lambda value: isinstance(value, dict) and test(value, None)  # noqa: E731

    def node(env):
        array = env["ROOT"].get(name, MISSING)
        return next(([value] for value in array if holds(value)), MISSING) if isinstance(array, list) else MISSING

    return node


def _slice(operand):
    """Return the function that cuts an array for {$slice: n} or {$slice: [skip, n]}."""
    numbers = operand if isinstance(operand, list) else [operand]
    if len(numbers) not in (1, 2) or (isinstance(operand, list) and len(numbers) != 2):
        raise MongoError(28724, f"First argument to $slice must be an array, but is of type: {type_name(operand)}")
    whole = [int(to_double(number)) if is_number(number) else None for number in numbers]
    if None in whole:
        raise MongoError(28724, f"First argument to $slice must be an array, but is of type: {show(operand)}")
    if len(whole) == 1:
        (n,) = whole
        return lambda array: array[:n] if n >= 0 else array[n:]
    skip, n = whole
    if n <= 0:
        raise MongoError(28724, "Third argument to $slice must be positive: " + str(n))

    def cut(array):
        start = max(0, len(array) + skip) if skip < 0 else skip
        return array[start : start + n]

    return cut


def _cut(value, parts, cut):
    """Cut the array at a path; documents on the way are copied."""
    if isinstance(value, list):
        return [_cut(inner, parts, cut) for inner in value]
    if not isinstance(value, dict) or parts[0] not in value:
        return value
    inner = value[parts[0]]
    if len(parts) == 1:
        return {**value, parts[0]: cut(inner)} if isinstance(inner, list) else value
    return {**value, parts[0]: _cut(inner, parts[1:], cut)}
