"""What functions are, where they are found, and which of several of one name a call means."""

from dataclasses import dataclass

from stores.cassandra.cql.nodes import FunctionCall, Negation, Operation, TypeHint
from stores.cassandra.errors import InvalidRequest

# How well an argument fits a parameter.
EXACT, WEAK, NOT = "exact", "weak", "not"


@dataclass(frozen=True, slots=True)
class Function:
    """A function of known types over serialised values.

    `call(*values)` returns a value; None is null. An aggregate's takes one list: its argument's values in all rows of the group
    (of count(*): the rows). Where `needs_now` the engine's time (float seconds) comes before the values.
    """

    name: str
    argument_types: tuple
    return_type: object
    call: object
    aggregate: bool = False
    needs_now: bool = False

    def __str__(self):
        return f"{self.name} : ({', '.join(map(str, self.argument_types))}) -> {self.return_type}"


class Call:
    """What is known of a call when its function is looked for.

    `given` are the arguments' types (None: any), `nodes` their syntax, `fits(node, type)` says whether a literal could be of a type,
    `receiver` is the type that the result is for (or None), `table` the table of the statement (or None).
    """

    def __init__(self, name, given, nodes, fits, receiver, table):
        self.name = name  # with "system."
        self.given = given
        self.nodes = nodes
        self.fits = fits
        self.receiver = receiver
        self.table = table

    def fit(self, place, wanted):
        """Return EXACT, WEAK or NOT: how well argument number `place` fits a type."""
        given, node = self.given[place], self.nodes[place]
        if given == wanted:
            return EXACT
        if given is None:
            return WEAK
        if isinstance(node, FunctionCall | Operation | Negation | TypeHint) or not _is_term(node):
            return WEAK if wanted.accepts(given) else NOT
        return WEAK if self.fits(node, wanted) else NOT

    def expect_arguments(self, count, signature):
        """Raise InvalidRequest unless there are `count` arguments; `signature` is for the message, as "(map)"."""
        if len(self.given) != count:
            raise InvalidRequest(f"Invalid number of arguments for function {self.name}{signature}")

    def type_of(self, place):
        """Return the type of an argument that must have one. Raises InvalidRequest."""
        if self.given[place] is None:
            raise InvalidRequest(
                f"Cannot infer type of argument {self.nodes[place]} in call to function {self.name}: use type casts to disambiguate"
            )
        return self.given[place]


def _is_term(node):
    """Say whether a node is a literal (what is selected of a row is not)."""
    return type(node).__name__ in ("Constant", "ListLiteral", "SetLiteral", "MapLiteral", "TupleLiteral", "UserTypeLiteral")


# name → list of Function, or a maker: function(Call) -> Function, for functions of any collection, any vector …
FUNCTIONS = {}


def register(names, argument_types, return_type, call, **more):
    """Add a function under several names (new ones have underscores, the old ones none)."""
    for name in names.split():
        FUNCTIONS.setdefault(name, []).append(Function(f"system.{name}", tuple(argument_types), return_type, call, **more))


def maker(names):
    """Register a function that makes the Function of a Call."""

    def decorate(make):
        for name in names.split():
            FUNCTIONS[name] = make
        return make

    return decorate


def strict(call):
    """Return `call` so that it gives null where any value is null."""

    def with_nulls(*values):
        return None if None in values else call(*values)

    return with_nulls


def find(name, given, *, receiver=None, arguments=(), fits=lambda node, wanted: False, table=None, selecting=False):
    """Return the Function that a call means.

    `name`: nodes.Name; `given`: the arguments' types, None where any would do; `arguments`: their nodes. The rest as in Call.
    Raises InvalidRequest in Cassandra's words.
    """
    found = FUNCTIONS.get(name.name) if name.keyspace in (None, "system") else None
    if found is None:
        raise InvalidRequest(f"Unknown function '{name}'" if selecting else f"Unknown function {name} called")
    call = Call(f"system.{name.name}", given, arguments, fits, receiver, table)
    if callable(found):
        if selecting and name.name in ("from_json", "fromjson"):
            raise InvalidRequest(f"{name}() cannot be used in the selection clause of a SELECT statement")
        return found(call)
    if len(found) == 1:
        return _checked(found[0], call)
    return _chosen(found, call, name)


def _checked(function, call):
    """Return the one function of its name, if the arguments fit."""
    if len(call.given) != len(function.argument_types):
        raise InvalidRequest(
            f"Invalid number of arguments in call to function {function.name}: "
            f"{len(function.argument_types)} required but {len(call.given)} provided"
        )
    for place, wanted in enumerate(function.argument_types):
        if call.fit(place, wanted) is NOT:
            raise InvalidRequest(
                f"Type error: {call.nodes[place]} cannot be passed as argument {place} of function {function.name} of type {wanted}"
            )
    return function


def no_match(name, candidates):
    """Return the error that no function of a name takes such arguments."""
    signatures = ", ".join(map(str, candidates))
    return InvalidRequest(f"Invalid call to function {name}, none of its type signatures match (known type signatures: {signatures})")


def _chosen(candidates, call, name):
    """Return the one of several functions that the arguments fit best."""
    fitting = []
    for function in candidates:
        if len(function.argument_types) != len(call.given):
            continue
        fits = [call.fit(place, wanted) for place, wanted in enumerate(function.argument_types)]
        if fits and all(fit is EXACT for fit in fits):
            return function
        if NOT not in fits:
            fitting.append(function)
    if not fitting:
        raise no_match(name, candidates)
    if len(fitting) > 1 and call.receiver is not None:
        fitting = [function for function in fitting if function.return_type == call.receiver] or fitting
    if len(fitting) > 1:
        raise InvalidRequest(
            f"Ambiguous call to function {name} (can be matched by following signatures: {', '.join(map(str, fitting))}): "
            "use type casts to disambiguate"
        )
    return fitting[0]
