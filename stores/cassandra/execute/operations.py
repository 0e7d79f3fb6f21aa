"""What UPDATE, INSERT and DELETE do to single columns: set, add, subtract, prepend, put by key or index, remove.

Each operation becomes a function (cells, write): it changes the dict of cells of the row being written.
"""

import struct

from stores.cassandra.cells import LIVE, MAX_TIMESTAMP, Cell, Complex, Deletion, cell
from stores.cassandra.cql import statements as cql
from stores.cassandra.cql.nodes import Null
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.kinds import INT, set_of
from stores.cassandra.execute.rows import field_path, live_cells, parts
from stores.cassandra.relations import refuse
from stores.cassandra.results import UNSET
from stores.cassandra.store import INCREMENT, number, wrapped


class Write:
    """One row being written: when, for how long, and how to read what is there now.

    `current()` returns the row (or the static row) as it is, or None; only operations on lists ask.
    """

    __slots__ = ("current", "env", "new_time", "now", "timestamp", "ttl")

    def __init__(self, env, timestamp, ttl, now, new_time):
        self.env = env
        self.timestamp = timestamp  # µs
        self.ttl = ttl
        self.now = now  # seconds
        self.new_time = new_time  # function to a number that grows: the paths of list elements
        self.current = lambda static: None

    def cell(self, value):
        return cell(self.timestamp, value, self.now, self.ttl)

    def append_path(self):
        return struct.pack(">Q", 2**63 + self.new_time())

    def prepend_path(self):
        return struct.pack(">Q", 2**63 - self.new_time())


def set_value(cells, write, column, value):
    """Give the column a whole new value; None deletes it."""
    type_, name = column.type, column.name
    if not type_.is_multicell:
        cells[name] = write.cell(value)
        return
    # What was there goes first: a deletion just before the new cells.
    new = Complex(deleted=Deletion(write.timestamp - 1, write.now))
    for path, item in parts(type_, value, write.append_path) if value is not None else ():
        new.cells[path] = write.cell(item)
    _merge(cells, name, new)


def delete_value(cells, write, column):
    if column.type.cql_name == "counter":
        # Nobody can tell an increment from before the deletion from one after it, so no later one counts either.
        cells[column.name] = Complex(deleted=Deletion(MAX_TIMESTAMP, write.now))
    elif column.type.is_multicell:
        _merge(cells, column.name, Complex(deleted=Deletion(write.timestamp, write.now)))
    else:
        cells[column.name] = write.cell(None)


def _merge(cells, name, new):
    old = cells.get(name)
    cells[name] = new if old is None else old.merged(new)


def _put(cells, write, column, pairs):
    """Add cells to a column of many; a value of None makes a tombstone."""
    new = Complex({path: write.cell(value) for path, value in pairs})
    if new.cells:
        _merge(cells, column.name, new)


def operation(compiler, column, node):
    """Return the function (cells, write) for one assignment of UPDATE or one deletion of DELETE."""
    if column.type.cql_name == "counter":
        return _counter(compiler, column, node)
    return _OPERATIONS[type(node)](compiler, column, node)


def _counter(compiler, column, node):
    name = column.name
    if isinstance(node, cql.DeleteColumn):
        return lambda cells, write: delete_value(cells, write, column)
    refuse(
        not isinstance(node, cql.AddToColumn | cql.SubtractFromColumn),
        f"Cannot set the value of counter column {name} (counters can only be incremented/decremented, not set)",
    )
    refuse(isinstance(node.value, Null), "Invalid null value for counter increment/decrement")
    evaluate = compiler.value(node.value, name, column.type)
    sign = 1 if isinstance(node, cql.AddToColumn) else -1

    def count(cells, write):
        value = evaluate(write.env)
        refuse(value is None, "Invalid null value for counter increment")
        if value is not UNSET:
            increment = Cell(write.timestamp, LIVE, 0, wrapped(sign * number(value)))
            cells[name] = Complex({INCREMENT: increment})

    return count


def _set(compiler, column, node):
    evaluate = compiler.value(node.value, column.name, column.type)

    def set_(cells, write):
        value = evaluate(write.env)
        if value is not UNSET:
            set_value(cells, write, column, value)

    return set_


def _refuse_scalars(column, text):
    """Refuse addition and subtraction on what is no collection of many cells."""
    type_, name = column.type, column.name
    if type_.kind in ("list", "set", "map"):
        refuse(not type_.is_multicell, f"Invalid operation ({text}) for frozen collection column {name}")
        return
    what = "tuple" if type_.kind in ("tuple", "udt") else "non counter"
    raise InvalidRequest(f"Invalid operation ({text}) for {what} column {name}")


def _add(compiler, column, node):
    name, type_ = column.name, column.type
    _refuse_scalars(column, f"{name} = {name} + {node.value}")
    evaluate = compiler.value(node.value, name, type_)

    def add(cells, write):
        value = evaluate(write.env)
        if value is not None and value is not UNSET:
            _put(cells, write, column, parts(type_, value, write.append_path))

    return add


def _prepend(compiler, column, node):
    name, type_ = column.name, column.type
    text = f"{name} = {node.value} - {name}"  # with a minus, as Cassandra writes it
    evaluate = compiler.value(node.value, name, type_)
    refuse(type_.kind != "list", f"Invalid operation ({text}) for non list column {name}")
    refuse(not type_.is_multicell, f"Invalid operation ({text}) for frozen list column {name}")

    def prepend(cells, write):
        value = evaluate(write.env)
        if value is not None and value is not UNSET:
            _put(cells, write, column, [(write.prepend_path(), item) for item in reversed(type_.unpack(value))])

    return prepend


def _subtract(compiler, column, node):
    name, type_ = column.name, column.type
    _refuse_scalars(column, f"{name} = {name} - {node.value}")
    taken = set_of(type_.elements[0]) if type_.kind == "map" else type_
    try:
        evaluate = compiler.value(node.value, name, taken)
    except InvalidRequest:
        if type_.kind == "map":
            raise InvalidRequest(f"Value for a map substraction has to be a set, but was: '{node.value}'") from None
        raise

    def subtract(cells, write):
        value = evaluate(write.env)
        if value is None or value is UNSET:
            return
        paths = taken.unpack(value)
        if type_.kind == "list":  # the paths of a list say nothing about its values: look
            paths = [path for path, each in _present(column, write) if each.value in paths]
        _put(cells, write, column, [(path, None) for path in paths])

    return subtract


def _present(column, write):
    """Return the (path, cell) of a list as it is now."""
    row = write.current(column.kind == "static")
    each = row and row.cells.get(column.name)
    return live_cells(column.type, each, write.now) if each else []


def _path_of_index(column, write, index, action):
    """Return the path of the list's element with that index."""
    present = _present(column, write)
    refuse(not present, f"Attempted to {action} a list which is null")
    refuse(not 0 <= index < len(present), f"List index {index} out of bound, list has size {len(present)}")
    return present[index][0]


def _key(compiler, column, node):
    """Return the function that evaluates what stands in brackets."""
    name, type_ = column.name, column.type
    if type_.kind == "list":
        evaluate, what = compiler.value(node, f"idx({name})", INT), "list index"
    elif type_.kind == "map":
        evaluate, what = compiler.value(node, f"key({name})", type_.elements[0]), "map key"
    else:
        evaluate, what = compiler.value(node, f"value({name})", type_.elements[0]), "set element"
    is_list = type_.kind == "list"

    def key(env):
        value = evaluate(env)
        refuse(value is None, f"Invalid null value for {what}" if is_list else f"Invalid null {what}")
        refuse(value is UNSET, f"Invalid unset value for {what}" if is_list else f"Invalid unset {what}")
        return INT.deserialize(value) if is_list else value

    return key


def _set_element(compiler, column, node):
    name, type_ = column.name, column.type
    text = f"{name}[{node.key}] = {node.value}"
    refuse(type_.kind not in ("list", "set", "map"), f"Invalid operation ({text}) for non collection column {name}")
    refuse(not type_.is_multicell, f"Invalid operation ({text}) for frozen collection column {name}")
    refuse(type_.kind == "set", f"Invalid operation ({text}) for set column {name}")
    key = _key(compiler, column, node.key)
    evaluate = compiler.value(node.value, f"value({name})", type_.elements[-1])

    def set_element(cells, write):
        path, value = key(write.env), evaluate(write.env)
        if value is UNSET:
            return
        if type_.kind == "list":
            path = _path_of_index(column, write, path, "set an element on")
        _put(cells, write, column, [(path, value)])

    return set_element


def _set_field(compiler, column, node):
    name, type_ = column.name, column.type
    text = f"{name}.{node.field} = {node.value}"
    refuse(type_.kind != "udt", f"Invalid operation ({text}) for non-UDT column {name}")
    refuse(not type_.is_multicell, f"Invalid operation ({text}) for frozen UDT column {name}")
    refuse(node.field not in type_.names, f"UDT column {name} does not have a field named {node.field}")
    place = type_.names.index(node.field)
    evaluate = compiler.value(node.value, f"{name}.{node.field}", type_.elements[place])

    def set_field(cells, write):
        value = evaluate(write.env)
        if value is not UNSET:
            _put(cells, write, column, [(field_path(place), value)])

    return set_field


def _delete(compiler, column, node):
    return lambda cells, write: delete_value(cells, write, column)


def _delete_element(compiler, column, node):
    name, type_ = column.name, column.type
    refuse(type_.kind not in ("list", "set", "map"), f"Invalid deletion operation for non collection column {name}")
    refuse(not type_.is_multicell, f"Invalid deletion operation for frozen collection column {name}")
    key = _key(compiler, column, node.key)

    def delete_element(cells, write):
        path = key(write.env)
        if type_.kind == "list":
            path = _path_of_index(column, write, path, "delete an element from")
        _put(cells, write, column, [(path, None)])

    return delete_element


def _delete_field(compiler, column, node):
    name, type_ = column.name, column.type
    refuse(type_.kind != "udt", f"Invalid field deletion operation for non-UDT column {name}")
    refuse(not type_.is_multicell, f"Frozen UDT column {name} does not support field deletions")
    refuse(node.field not in type_.names, f"UDT column {name} does not have a field named {node.field}")
    path = field_path(type_.names.index(node.field))
    return lambda cells, write: _put(cells, write, column, [(path, None)])


_OPERATIONS = {
    cql.SetColumn: _set,
    cql.AddToColumn: _add,
    cql.SubtractFromColumn: _subtract,
    cql.PrependToColumn: _prepend,
    cql.SetElement: _set_element,
    cql.SetField: _set_field,
    cql.DeleteColumn: _delete,
    cql.DeleteElement: _delete_element,
    cql.DeleteField: _delete_field,
}
