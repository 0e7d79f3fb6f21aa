"""Arrays: $filter, $map, $reduce, $zip, $slice, $sortArray …"""

from stores.mongodb.expressions.base import (
    MANY,
    MongoError,
    arguments,
    constant,
    expect,
    named,
    nullish,
    parse,
    reads,
    show,
    takes,
    type_name,
    variable_name,
)
from stores.mongodb.ordering import INT32, MISSING, Sort, sort_key
from stores.mongodb.values import integral, is_number, truth


@takes("$arrayElemAt", 2, null=True)
def array_elem_at(array, index):
    expect(array, "array", 28689, "$arrayElemAt's first argument must be an array, but is {type}")
    if not is_number(index):
        raise MongoError(28690, f"$arrayElemAt's second argument must be a numeric value, but is {type_name(index)}")
    if (at := integral(index)) is None:
        raise MongoError(28691, f"$arrayElemAt's second argument must be representable as a 32-bit integer: {show(index)}")
    return array[at] if -len(array) <= at < len(array) else MISSING


def _end(name, at):
    @takes(name, 1, null=True)
    def take(array):
        expect(array, "array", 28689, name + "'s argument must be an array, but is {type}")
        return array[at] if array else MISSING


_end("$first", 0)
_end("$last", -1)


def count_of(name, value):
    """Return the `n` of $firstN and its like as an int."""
    if not is_number(value):
        raise MongoError(5787902, f"Value for 'n' must be of integral type, but found {show(value)}")
    if (n := integral(value, range(-(2**63), 2**63))) is None:
        raise MongoError(5787903, f"Value for 'n' must be of integral type, but found {show(value)}")
    if n <= 0:
        raise MongoError(5787908, f"'n' must be greater than 0, found {n}")
    return n


def _several(name, choose):
    @reads(name)
    def read(operand, scope):
        nodes = named(name, operand, scope, ("n", "input"), (), 5787801, 5787901, (5787906, 5787907))

        def node(env):
            n, array = count_of(name, nodes["n"](env)), nodes["input"](env)
            if type_name(array) != "array":
                raise MongoError(5788200, "Input must be an array")
            return choose(array, n, scope.fold)

        return node


def smallest(array, n, fold=None):
    """Return the n smallest values, null and missing left out."""
    return sorted((value for value in array if not nullish(value)), key=lambda value: sort_key(value, fold))[:n]


def largest(array, n, fold=None):
    """Return the n largest values, the largest first, null and missing left out."""
    return sorted((value for value in array if not nullish(value)), key=lambda value: sort_key(value, fold), reverse=True)[:n]


_several("$firstN", lambda array, n, fold: array[:n])
_several("$lastN", lambda array, n, fold: array[-n:])
_several("$minN", smallest)
_several("$maxN", largest)


@takes("$concatArrays", 0, MANY)
def concat_arrays(*arrays):
    joined = []
    for array in arrays:
        if nullish(array):
            return None
        joined += expect(array, "array", 28664, "$concatArrays only supports arrays, not {type}")
    return joined


@reads("$filter")
def filter_(operand, scope):
    if not isinstance(operand, dict):
        raise MongoError(28646, "$filter only supports an object as its argument")
    for name in operand:
        if name not in ("input", "as", "cond", "limit"):
            raise MongoError(28647, f"Unrecognized parameter to $filter: {name}")
    for name, code in (("input", 28648), ("cond", 28650)):
        if name not in operand:
            raise MongoError(code, f"Missing '{name}' parameter to $filter")
    name = variable_name(operand.get("as", "this"))
    source, condition = parse(operand["input"], scope), parse(operand["cond"], scope.having(name))
    limit = parse(operand["limit"], scope) if "limit" in operand else constant(None)

    def node(env):
        array = source(env)
        if nullish(array):
            return None
        expect(array, "array", 28651, "input to $filter must be an array not {type}")
        most = _limit(limit(env), len(array))
        kept = []
        for value in array:
            if len(kept) == most:
                break
            if truth(condition({**env, name: value})):
                kept.append(value)
        return kept

    return node


def _limit(value, default):
    if nullish(value):
        return default
    if (most := integral(value)) is None:
        raise MongoError(327391, f"$filter: limit must be represented as a 32-bit integral value: {show(value)}")
    if most < 1:
        raise MongoError(327392, f"$filter: limit must be greater than 0: {most}")
    return most


@reads("$map")
def map_(operand, scope):
    if not isinstance(operand, dict):
        raise MongoError(16878, "$map only supports an object as its argument")
    for name in operand:
        if name not in ("input", "as", "in"):
            raise MongoError(16879, f"Unrecognized parameter to $map: {name}")
    for name, code in (("input", 16880), ("in", 16882)):
        if name not in operand:
            raise MongoError(code, f"Missing '{name}' parameter to $map")
    name = variable_name(operand.get("as", "this"))
    source, inner = parse(operand["input"], scope), parse(operand["in"], scope.having(name))

    def node(env):
        array = source(env)
        if nullish(array):
            return None
        expect(array, "array", 16883, "input to $map must be an array not {type}")
        made = [inner({**env, name: value}) for value in array]
        return [None if value is MISSING else value for value in made]

    return node


@reads("$reduce")
def reduce_(operand, scope):
    if not isinstance(operand, dict):
        raise MongoError(40075, f"$reduce requires an object as an argument, found: {type_name(operand)}")
    for name in operand:
        if name not in ("input", "initialValue", "in"):
            raise MongoError(40076, f"$reduce found an unknown argument: {name}")
    for name, code in (("input", 40077), ("initialValue", 40078), ("in", 40079)):
        if name not in operand:
            raise MongoError(code, f"$reduce requires '{name}' to be specified")
    source, initial = parse(operand["input"], scope), parse(operand["initialValue"], scope)
    step = parse(operand["in"], scope.having("this", "value"))

    def node(env):
        array = source(env)
        if nullish(array):
            return None
        expect(array, "array", 40080, "$reduce requires that 'input' be an array, found: {value}")
        value = initial(env)
        for this in array:
            value = step({**env, "this": this, "value": value})
        return value

    return node


@reads("$in")
def in_(operand, scope):
    needle, hay = arguments("$in", operand, scope, 2, 2)

    def node(env):
        value, array = needle(env), hay(env)
        expect(array, "array", 40081, "$in requires an array as a second argument, found: {type}")
        if value is MISSING:
            return False
        key = sort_key(value, scope.fold)
        return any(sort_key(inner, scope.fold) == key for inner in array)

    return node


@takes("$indexOfArray", 2, 4)
def index_of_array(array, value, start=0, end=MISSING):
    if nullish(array):
        return None
    expect(array, "array", 40090, "$indexOfArray requires an array as a first argument, found: {type}")
    first = index("$indexOfArray", start, "starting index")
    last = len(array) if end is MISSING else min(len(array), index("$indexOfArray", end, "ending index"))
    key = sort_key(value)
    return next((at for at in range(first, last) if sort_key(array[at]) == key), -1)


def index(name, value, which):
    """Return an index given to an operator as a non-negative int. Raises 40096, 40097."""
    at = integral(value)
    if at is None:
        found = f"found a value of type: {type_name(value)}, with value: {show(value)}"
        raise MongoError(40096, f"{name} requires an integral {which}, {found}")
    if at < 0:
        raise MongoError(40097, f"{name} requires a nonnegative {which}, found: {at}")
    return at


@takes("$isArray", 1)
def is_array(value):
    return type_name(value) == "array"


@takes("$range", 2, 3)
def range_(start, end, step=1):
    numbers = []
    for value, code, which in ((start, 34443, "starting value"), (end, 34445, "ending value"), (step, 34447, "step value")):
        if not is_number(value):
            raise MongoError(code, f"$range requires a numeric {which}, found value of type: {type_name(value)}")
        if (number := integral(value)) is None:
            message = f"$range requires a {which} that can be represented as a 32-bit integer, found value: {show(value)}"
            raise MongoError(code + 1, message)
        numbers.append(number)
    if not numbers[2]:
        raise MongoError(34449, "$range requires a non-zero step value")
    span = range(*numbers)
    if len(span) > 10**7:  # MongoDB stops at 64 MB of memory
        raise MongoError("ExceededMemoryLimit", "$range would use too much memory and cannot spill")
    return list(span)


@takes("$reverseArray", 1, null=True)
def reverse_array(array):
    return expect(array, "array", 34435, "The argument to $reverseArray must be an array, but was of type: {type}")[::-1]


@takes("$size", 1)
def size(array):
    return len(expect(array, "array", 17124, "The argument to $size must be an array, but was of type: {type}"))


@takes("$slice", 2, 3)
def slice_(array, position, count=MISSING):
    """The first (last) n elements, or n from a position."""
    if nullish(array) or nullish(position) or count is None:
        return None
    expect(array, "array", 28724, "First argument to $slice must be an array, but is of type: {type}")
    at = _slice_number(position, "Second", 28725)
    if count is MISSING:
        return array[:at] if at >= 0 else array[at:]
    n = _slice_number(count, "Third", 28727)
    if n <= 0:
        raise MongoError(28729, f"Third argument to $slice must be positive: {n}")
    start = max(0, len(array) + at) if at < 0 else at
    return array[start : start + n]


def _slice_number(value, which, code):
    if not is_number(value):
        raise MongoError(code, f"{which} argument to $slice must be numeric, but is of type: {type_name(value)}")
    if (number := integral(value)) is None:
        raise MongoError(code + 1, f"{which} argument to $slice can't be represented as a 32-bit integer: {show(value)}")
    return number


@reads("$sortArray")
def sort_array(operand, scope):
    if not isinstance(operand, dict):
        raise MongoError(2942500, f"$sortArray requires an object as an argument, found: {type_name(operand)}")
    for name in operand:
        if name not in ("input", "sortBy"):
            raise MongoError(2942501, f"$sortArray found an unknown argument: {name}")
    for name, code in (("input", 2942502), ("sortBy", 2942503)):
        if name not in operand:
            raise MongoError(code, f"$sortArray requires '{name}' to be specified")
    source, arrange = parse(operand["input"], scope), array_sorter(operand["sortBy"], scope.fold)

    def node(env):
        array = source(env)
        if nullish(array):
            return None
        return arrange(expect(array, "array", 2942504, "The input argument to $sortArray must be an array, but was of type: {type}"))

    return node


def array_sorter(by, fold=None):
    """Return a function that sorts an array: by 1 or -1 its values, by {path: 1} its documents. Raises BadValue."""
    if is_number(by):
        if by not in (1, -1):
            raise MongoError("BadValue", f"The $sort element value must be either 1 or -1, found {show(by)}")
        return lambda array: sorted(array, key=lambda value: sort_key(value, fold), reverse=by < 0)
    if not isinstance(by, dict) or not by:
        raise MongoError(
            "BadValue", "The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields"
        )
    for path, way in by.items():
        if not path or any(not part for part in path.split(".")):
            raise MongoError("BadValue", f"The $sort field is a dotted field but has an empty part: {path}")
        if isinstance(way, bool) or way not in (1, -1):
            raise MongoError("BadValue", f"The $sort element value must be either 1 or -1, found {show(way)}")
    order = Sort(by, fold)
    return lambda array: sorted(array, key=order.key)


@reads("$zip")
def zip_(operand, scope):
    if not isinstance(operand, dict):
        raise MongoError(34460, f"$zip only supports an object as an argument, found {type_name(operand)}")
    for name, value in operand.items():
        if name not in ("inputs", "defaults", "useLongestLength"):
            raise MongoError(34464, f"$zip found an unknown argument: {name}")
        if name == "useLongestLength":
            expect(value, "bool", 34463, "useLongestLength must be a bool, found {type}")
        else:
            expect(value, "array", 34461 if name == "inputs" else 34462, name + " must be an array of expressions, found {type}")
    inputs = [parse(inner, scope) for inner in operand.get("inputs", [])]
    defaults = [parse(inner, scope) for inner in operand.get("defaults", [])]
    longest = operand.get("useLongestLength", False)
    if not inputs:
        raise MongoError(34465, "$zip requires at least one input array")
    if defaults and not longest:
        raise MongoError(34466, "cannot specify defaults unless useLongestLength is true")
    if defaults and len(defaults) != len(inputs):
        raise MongoError(34467, "defaults and inputs must have the same length")

    def node(env):
        arrays = [inner(env) for inner in inputs]
        if any(nullish(array) for array in arrays):
            return None
        for array in arrays:
            expect(array, "array", 34468, "$zip found a non-array expression in input: {value}")
        fill = [inner(env) for inner in defaults] or [None] * len(arrays)
        length = (max if longest else min)(map(len, arrays))
        rows = [[array[row] if row < len(array) else fill[at] for at, array in enumerate(arrays)] for row in range(length)]
        return [[None if value is MISSING else value for value in row] for row in rows]

    return node


__all__ = ["INT32", "array_sorter", "count_of", "index", "largest", "smallest"]
