"""Terms and selectors compiled: each becomes an Expression, a type and a function that gives its serialised value.

What receives a value (a column, a function's argument, the LIMIT) decides what a literal or a bind marker means;
without a receiver the type is inferred where Cassandra infers it. Literals of collections are in literals.py,
columns and what is selected of them in selectors.py.
"""

from typing import NamedTuple

from stores.cassandra import functions, types
from stores.cassandra.cql import nodes
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.kinds import BIGINT, INT, VARINT, native
from stores.cassandra.results import UNSET, BindColumn


class Receiver(NamedTuple):
    """What a value is for: the name that messages quote, and its type."""

    name: str
    type: object


class Expression(NamedTuple):
    """`evaluate(env)` returns the serialised value, None or UNSET. The type of a bare null is None."""

    type: object
    evaluate: object
    aggregate: bool = False


class Env:
    """What an expression is evaluated with: the bound values, and when selecting the row or group of rows."""

    __slots__ = ("group", "moment", "now", "row", "values")

    def __init__(self, values, moment, now=None):
        self.values = values
        self.moment = moment  # seconds, with a fraction
        self.now = int(moment) if now is None else now
        self.row = None
        self.group = None


class Compiler:
    """Compiles the terms of one statement. `bound` collects what each bind marker stands for."""

    def __init__(self, schema, table, markers, keyspace=None):
        self.schema = schema
        self.table = table
        self.keyspace = table.keyspace if table is not None else keyspace
        self.bound = [None] * len(markers)
        self.used = {}  # the columns selected, by name
        self._tried = {}  # (node, what fits() or inferred() found): each level of a nested term asks for all below it

    def compile(self, node, receiver=None, selecting=False):
        """Return the Expression of a term; of a selector too when `selecting`."""
        if type(node) in _SELECTORS and not selecting:
            if isinstance(node, nodes.Column):
                raise InvalidRequest(f"Undefined column name {nodes.quoted(node.name)} in table {self.table}")
            raise InvalidRequest(f"Invalid term: {node}")
        return COMPILERS[type(node)](self, node, receiver, selecting)

    def value(self, node, name, type_):
        """Return the function that evaluates a term for what is called `name` and has this type."""
        return self.compile(node, Receiver(name, type_)).evaluate

    def fits(self, node, receiver, selecting=False):
        """Return whether a term could be used there."""
        question = (id(node), str(receiver.type), selecting)
        if question not in self._tried:
            try:
                self._trial().compile(node, receiver, selecting)
                self._tried[question] = node, True
            except InvalidRequest:
                self._tried[question] = node, False
        return self._tried[question][1]

    def inferred(self, node, selecting=False):
        """Return the type of a term without a receiver, None where it could be any."""
        if isinstance(node, nodes.BindMarker | nodes.Null):
            return None
        question = (id(node), None, selecting)
        if question not in self._tried:
            self._tried[question] = node, self._trial().compile(node, None, selecting).type
        return self._tried[question][1]

    def resolve(self, type_name):
        """Return the type that a name in this statement means."""
        return types.resolve(type_name, self.keyspace, self.schema.user_type)

    def _trial(self):
        trial = Compiler(self.schema, self.table, self.bound, self.keyspace)
        trial.bound = list(self.bound)
        trial._tried = self._tried
        return trial


COMPILERS = {}  # class of node: function(compiler, node, receiver, selecting) -> Expression
_SELECTORS = {nodes.Column, nodes.FieldOf, nodes.ElementOf, nodes.SliceOf, nodes.WritetimeOrTtl}


# What a literal means, its receiver decides: the type inferred for it alone says little.
LITERALS = (nodes.Constant, nodes.ListLiteral, nodes.SetLiteral, nodes.MapLiteral, nodes.UserTypeLiteral, nodes.TupleLiteral)


def compiles(*classes):
    """Register a function as the compiler of these nodes."""

    def register(function):
        for each in classes:
            COMPILERS[each] = function
        return function

    return register


def assignable(receiver, given):
    """Return whether a value of type `given` may be used where `receiver` is wanted."""
    return given is None or receiver.accepts(given)


def constant(value):
    return lambda env: value


@compiles(nodes.Constant)
def _constant(compiler, node, receiver, selecting):
    receiver = receiver or Receiver("?", guessed(node))
    return Expression(receiver.type, constant(receiver.type.constant(node, receiver.name)))


def guessed(node):
    """Return the type of a constant that nothing receives."""
    if node.kind == "integer":
        number = int(node.text)
        return INT if -(2**31) <= number < 2**31 else BIGINT if -(2**63) <= number < 2**63 else VARINT
    return native({"string": "text", "float": "double", "hex": "blob"}.get(node.kind, node.kind))


@compiles(nodes.Null)
def _null(compiler, node, receiver, selecting):
    return Expression(receiver and receiver.type, constant(None))


@compiles(nodes.BindMarker)
def _marker(compiler, node, receiver, selecting):
    if receiver is None:
        raise InvalidRequest(f"Cannot infer type for term {node} in selection clause (try using a cast to force a type)")
    wanted, index = receiver.type, node.index
    table = compiler.table.name if compiler.table is not None else ""
    compiler.bound[index] = BindColumn(compiler.keyspace or "", table, node.name or receiver.name, wanted)
    bind = wanted.bind

    def evaluate(env):
        value = env.values[index]
        return value if value is None or value is UNSET else bind(value)

    return Expression(wanted, evaluate)


@compiles(nodes.TypeHint)
def _hint(compiler, node, receiver, selecting):
    hinted = compiler.resolve(node.type)
    name = receiver.name if receiver else "?"
    if not compiler.fits(node.term, Receiver(name, hinted), selecting):
        raise InvalidRequest(f"Cannot cast value {node.term} to type {hinted}")
    if receiver and not assignable(receiver.type, hinted):
        raise InvalidRequest(f"Cannot assign value {node} to {name} of type {receiver.type}")
    inner = compiler.compile(node.term, Receiver(name, hinted), selecting)
    if not assignable(hinted, inner.type):
        raise InvalidRequest(f"Cannot assign value {node} to {node} of type {hinted}")
    return inner._replace(type=hinted)


@compiles(nodes.Cast)
def _cast(compiler, node, receiver, selecting):
    inner = compiler.compile(node.term, None, selecting)
    wanted = compiler.resolve(node.type)
    if inner.type == wanted:
        return inner
    convert = functions.cast(inner.type, wanted)
    evaluate = inner.evaluate

    def cast(env):
        value = evaluate(env)
        return convert(value) if value else None

    return Expression(wanted, cast, inner.aggregate)


@compiles(nodes.Negation)
def _negation(compiler, node, receiver, selecting):
    inner = compiler.compile(node.term, receiver, selecting)
    negate = functions.negation(inner.type)
    evaluate = inner.evaluate

    def negated(env):
        value = evaluate(env)
        return negate(value) if value else None

    return Expression(inner.type, negated, inner.aggregate)


@compiles(nodes.Operation)
def _operation(compiler, node, receiver, selecting):
    left, right = _operand_types(compiler, node, receiver, selecting)
    try:
        function = functions.operation(node.operator, left, right)
    except InvalidRequest:
        message = f"the '{node.operator}' operation is not supported between {node.left} and {node.right}"
        raise InvalidRequest(message) from None
    wanted = receiver.type if receiver else None
    if wanted is not None and not assignable(wanted, function.return_type):
        raise InvalidRequest(
            f"Type error: cannot assign result of operation {node.operator} (type {function.return_type}) to "
            f"{receiver.name} (type {wanted})"
        )
    name = receiver.name if receiver else "?"
    one = compiler.compile(node.left, Receiver(name, function.argument_types[0]), selecting)
    two = compiler.compile(node.right, Receiver(name, function.argument_types[1]), selecting)
    return Expression(function.return_type, _applied(function, [one, two]), one.aggregate or two.aggregate)


def _operand_types(compiler, node, receiver, selecting):
    """Return the types of both sides: a literal or marker takes the other side's type if it can."""
    left, right = (compiler.inferred(side, selecting) for side in (node.left, node.right))
    wanted = receiver.type if receiver else None

    def literal(side):
        if isinstance(side, nodes.Operation):
            return literal(side.left) and literal(side.right)
        return isinstance(side, nodes.Constant) and side.kind != "duration"

    def can_be(side, type_):
        return type_ is not None and compiler.fits(side, Receiver("?", type_))

    if literal(node.left) and literal(node.right) and can_be(node.left, wanted) and can_be(node.right, wanted):
        left = right = wanted
    elif literal(node.left) and can_be(node.left, right):
        left = right
    elif literal(node.right) and can_be(node.right, left):
        right = left
    left, right = left or right or wanted, right or left or wanted
    if left is None:
        raise InvalidRequest(
            f"Ambiguous '{node.operator}' operation with args {node.left} and {node.right}: use type hint to "
            "disambiguate, example '(int) ?'"
        )
    return left, right


@compiles(nodes.FunctionCall)
def _call(compiler, node, receiver, selecting):
    given = [_argument_type(compiler, node, each, selecting) for each in node.arguments]
    wanted = receiver.type if receiver else None
    function = functions.find(
        node.name,
        given,
        receiver=wanted,
        arguments=node.arguments,
        fits=_fits(compiler, selecting),
        table=compiler.table,
        selecting=selecting,
    )
    if function.aggregate and not selecting:
        raise InvalidRequest("Aggregation function are not supported in the where clause")
    if wanted is not None and not assignable(wanted, function.return_type):
        raise InvalidRequest(
            f"Type error: cannot assign result of function {function.name} (type {function.return_type}) "
            f"to {receiver.name} (type {wanted})"
        )
    arguments = []
    for i, each in enumerate(node.arguments):
        wants = function.argument_types[i]
        if given[i] is not None and type(each) not in LITERALS and wants is not None and not assignable(wants, given[i]):
            raise InvalidRequest(f"Type error: {each} cannot be passed as argument {i} of function {function.name} of type {wants}")
        target = Receiver(f"arg{i}({function.name})", wants) if wants is not None else None
        if type(each) in LITERALS and target and not compiler.fits(each, target, selecting):
            raise InvalidRequest(f"Type error: {each} cannot be passed as argument {i} of function {function.name} of type {wants}")
        arguments.append(compiler.compile(each, target, selecting))
    if not function.aggregate:
        return Expression(function.return_type, _applied(function, arguments), any(each.aggregate for each in arguments))
    if any(each.aggregate for each in arguments):
        raise InvalidRequest("aggregate functions cannot be used as arguments of aggregate functions")
    return Expression(function.return_type, _aggregated(function, arguments), True)


def _argument_type(compiler, node, argument, selecting):
    # token(1) takes the partition key's type; whatever the literal looks like
    if isinstance(argument, nodes.Constant) and node.name.name == "token":
        return None
    return compiler.inferred(argument, selecting)


def _fits(compiler, selecting):
    return lambda node, type_: compiler.fits(node, Receiver("?", type_), selecting)


def _applied(function, arguments):
    evaluates = [each.evaluate for each in arguments]
    call, needs_now = function.call, getattr(function, "needs_now", False)

    def evaluate(env):
        values = [each(env) for each in evaluates]
        if UNSET in values:
            raise InvalidRequest(f"Invalid unset value for argument in call to function {function.name.rpartition('.')[2]}")
        return call(env.moment, *values) if needs_now else call(*values)

    return evaluate


def _aggregated(function, arguments):
    """An aggregate's call takes a list: of the argument's value in each row, or of the rows for count(*)."""

    def evaluate(env):
        if not arguments:
            return function.call(env.group)
        first, values = env.row, []
        for row in env.group:
            env.row = row
            values.append(arguments[0].evaluate(env))
        env.row = first
        return function.call(values)

    return evaluate
