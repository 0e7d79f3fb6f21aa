"""CREATE, ALTER and DROP: what changes the schema. Here keyspaces and user types; tables and indexes have their own files."""

import re
from typing import NamedTuple

from stores.cassandra import types
from stores.cassandra.cql import definitions as cql
from stores.cassandra.cql.typenames import UserTypeName
from stores.cassandra.errors import AlreadyExists, InvalidRequest, Unauthorized
from stores.cassandra.execute.properties import keyspace_options
from stores.cassandra.relations import refuse
from stores.cassandra.schema import LOCAL, SYSTEM, VIRTUAL, Keyspace, named_keyspace

NAME = re.compile(r"\w+", re.ASCII)


class Change(NamedTuple):
    """What happened, as clients are told. `change` is CREATED, UPDATED or DROPPED."""

    change: str
    target: str
    keyspace: str
    name: str = ""
    warnings: tuple = ()


class Definer:
    """Executes statements that define data. `cluster` forgets the data of what is dropped."""

    def __init__(self, schema, cluster, current):
        self.schema = schema
        self.cluster = cluster
        self.current = current  # the session's keyspace

    def keyspace(self, name):
        """Return the Keyspace in which a Name's object is to be made, or raise."""
        wanted = named_keyspace(name, self.current)
        return self.changeable(wanted, "CREATE", f"<all tables in {wanted}>")

    def changeable(self, name, verb, resource):
        """Return a keyspace of users, or raise; `verb` and `resource` say what is refused for one of the system's."""
        refuse_system(name, verb, resource)
        keyspace = self.schema.keyspaces.get(name)
        refuse(keyspace is None, f"Keyspace '{name}' doesn't exist")
        return keyspace

    def existing(self, name, verb):
        """Return the Keyspace of a Name of something to ALTER or DROP, or None where it does not exist."""
        wanted = named_keyspace(name, self.current)
        refuse_system(wanted, verb, f"<table {wanted}.{name.name}>")
        return self.schema.keyspaces.get(wanted)


def refuse_system(name, verb, resource):
    if name in LOCAL | VIRTUAL:
        raise Unauthorized(f"{name} keyspace is not user-modifiable.")
    if name in SYSTEM:
        raise Unauthorized(f"Cannot {verb} {resource}")


EXECUTE = {}  # class of statement: function(definer, statement) -> Change or None


def defines(*classes):
    """Register a function as the executor of these statements."""

    def register(function):
        for each in classes:
            EXECUTE[each] = function
        return function

    return register


@defines(cql.CreateKeyspace)
def create_keyspace(definer, statement):
    name, schema = statement.keyspace, definer.schema
    refuse(
        not NAME.fullmatch(name),
        f'Keyspace name must not be empty and must contain alphanumeric or underscore characters only (got "{name}")',
    )
    refuse(len(name) > 48, f'Keyspace name must not be more than 48 characters long (got {len(name)} characters for "{name}")')
    refuse(name in LOCAL | VIRTUAL, f"System keyspace '{name}' is not user-modifiable")
    if name in schema.keyspaces:
        if statement.if_not_exists:
            return None
        raise AlreadyExists(name)
    schema.keyspaces[name] = Keyspace(name, *keyspace_options(name, statement.properties))
    return Change("CREATED", "KEYSPACE", name)


@defines(cql.AlterKeyspace)
def alter_keyspace(definer, statement):
    name = statement.keyspace
    if statement.if_exists and name not in definer.schema.keyspaces:
        return None
    keyspace = definer.changeable(name, "ALTER", f"<keyspace {name}>")
    properties = {"durable_writes": str(keyspace.durable_writes), **statement.properties}
    keyspace.replication, keyspace.durable_writes = keyspace_options(name, properties, keyspace.replication)
    return Change("UPDATED", "KEYSPACE", name)


@defines(cql.DropKeyspace)
def drop_keyspace(definer, statement):
    name = statement.keyspace
    if statement.if_exists and name not in definer.schema.keyspaces:
        return None
    for table in definer.changeable(name, "DROP", f"<keyspace {name}>").tables.values():
        definer.cluster.drop(table)
    del definer.schema.keyspaces[name]
    return Change("DROPPED", "KEYSPACE", name)


# --- user types -------------------------------------------------------------------------------------------------------


@defines(cql.CreateType)
def create_type(definer, statement):
    keyspace, name = definer.keyspace(statement.name), statement.name.name
    if name in keyspace.types:
        refuse(not statement.if_not_exists, f"A user type with name '{name}' already exists")
        return None
    fields = []
    for field, written in statement.fields:
        refuse(any(field == other for other, _ in fields), f"Duplicate field name '{field}' in type '{name}'")
        fields.append((field, _field_type(definer, keyspace, written)))
    keyspace.types[name] = types.UserType(keyspace.name, name, fields)
    keyspace.written_types[name] = tuple(statement.fields)
    return Change("CREATED", "TYPE", keyspace.name, name)


def _field_type(definer, keyspace, written):
    refuse(isinstance(written, UserTypeName), "A user type cannot contain non-frozen UDTs")
    type_ = types.resolve(written, keyspace.name, definer.schema.user_type)
    refuse(type_.cql_name == "counter", "A user type cannot contain counters")
    return type_


@defines(cql.AlterType)
def alter_type(definer, statement):
    keyspace, name = definer.existing(statement.name, "ALTER"), statement.name.name
    if keyspace is None or name not in keyspace.types:
        refuse(not statement.if_exists, f"Type {statement.name.keyspace or definer.current}.{name} doesn't exist")
        return None
    fields, change = list(keyspace.written_types[name]), statement.change
    if isinstance(change, cql.AddField):
        if change.field in dict(fields):
            message = (
                f"Cannot add field {change.field} to type {keyspace.name}.{name}: a field with name {change.field} already exists"
            )
            refuse(not change.if_not_exists, message)
            return None
        _add_field(definer, keyspace, name, change)
        fields.append((change.field, change.type))
    elif isinstance(change, cql.RenameFields):
        for old, new in change.renamed:
            names = [field for field, _ in fields]
            if old not in names and change.if_exists:
                continue
            refuse(old not in names, f"Unkown field {old} in user type {keyspace.name}.{name}")
            refuse(new in names, f"Duplicate field name {new} in type {keyspace.name}")
            fields[names.index(old)] = (new, fields[names.index(old)][1])
    else:
        raise InvalidRequest("Altering field types is no longer supported")
    keyspace.written_types[name] = tuple(fields)
    resolve_again(definer.schema, keyspace)
    return Change("UPDATED", "TYPE", keyspace.name, name)


def _add_field(definer, keyspace, name, change):
    type_ = _field_type(definer, keyspace, change.type)
    shown = f"frozen<{keyspace.name}.{type_.name}>" if type_.kind == "udt" else type_
    message = f"Cannot add new field {change.field} of type {shown} to user type {keyspace.name}.{name}"
    refuse(mentions(type_, keyspace.name, name), f"{message} as it would create a circular reference")
    users = [
        f"{table.keyspace}.{table.name}"
        for table in keyspace.tables.values()
        if any(mentions(column.type, keyspace.name, name) for column in table.partition_key)
    ]
    refuse(
        users,
        f"{message} as the type is being used in partition key by the following tables: {', '.join(users)}",
    )


def mentions(type_, keyspace, name):
    """Return whether a type is the user type of that name or has it inside."""
    return type_.mentions(lambda each: each.kind == "udt" and (each.keyspace, each.name) == (keyspace, name))


def resolve_again(schema, keyspace):
    """Make the keyspace's types and its columns' types anew from what was written, after a user type has changed."""
    done = {}

    def user_type(of, name):
        if of != keyspace.name:
            return schema.user_type(of, name)
        if name not in done and name in keyspace.written_types:
            fields = [(field, types.resolve(written, of, user_type)) for field, written in keyspace.written_types[name]]
            done[name] = types.UserType(of, name, fields)
        return done.get(name)

    for name in keyspace.written_types:
        user_type(keyspace.name, name)
    keyspace.types = {name: done[name] for name in keyspace.types}
    for table in keyspace.tables.values():
        for column in table.columns.values():
            if column.written is not None:
                column.type = types.resolve(column.written, keyspace.name, user_type)
        table.arrange()


@defines(cql.DropType)
def drop_type(definer, statement):
    keyspace, name = definer.existing(statement.name, "DROP"), statement.name.name
    if keyspace is None or name not in keyspace.types:
        shown = statement.name.keyspace or definer.current
        refuse(not statement.if_exists, f"Type '{shown}.{name}' doesn't exist")
        return None
    shown = f"Cannot drop user type '{keyspace.name}.{name}' as it is still used by"
    others = [other for other, each in keyspace.types.items() if other != name and mentions(each, keyspace.name, name)]
    refuse(others, f"{shown} user types {', '.join(others)}")
    users = [
        table.name
        for table in keyspace.tables.values()
        if any(mentions(column.type, keyspace.name, name) for column in table.columns.values())
    ]
    refuse(users, f"{shown} tables {', '.join(users)}")
    del keyspace.types[name], keyspace.written_types[name]
    return Change("DROPPED", "TYPE", keyspace.name, name)
