"""Roles, functions and triggers: roles are kept by name only, the rest is refused as Cassandra refuses it by default."""

from stores.cassandra.cql import administration as cql
from stores.cassandra.errors import InvalidRequest, Unauthorized
from stores.cassandra.relations import refuse
from stores.cassandra.results import Void
from stores.cassandra.system import put


def _roles(engine):
    table = engine.schema.keyspaces["system_auth"].tables["roles"]
    return table, lambda role: engine.schema.store.partition(table, (role.encode(),))


def _create_role(engine, statement, context):
    table, find = _roles(engine)
    role = statement.role
    refuse(not role, "Role name can't be an empty string")
    if find(role):
        refuse(not statement.if_not_exists, f"{role} already exists")
        return Void()
    options = statement.options
    values = {"role": role, "can_login": _truth(options.get("login")), "is_superuser": _truth(options.get("superuser"))}
    put(engine.schema.store, table, values, engine.schema.timestamp())
    return Void()


def _truth(value):
    return str(value).lower() == "true"


def _alter_role(engine, statement, context):
    _, find = _roles(engine)
    refuse(not find(statement.role) and not statement.if_exists, f"Role {statement.role} doesn't exist")
    return Void()


def _drop_role(engine, statement, context):
    table, find = _roles(engine)
    refuse(not find(statement.role) and not statement.if_exists, f"{statement.role} doesn't exist")
    engine.schema.store.forget(table, (statement.role.encode(),))
    return Void()


def _no_permissions(engine, statement, context):
    raise Unauthorized("You have to be logged in and not anonymous to perform this request")


def _no_functions(engine, statement, context):
    raise InvalidRequest("User-defined functions are disabled in cassandra.yaml - set user_defined_functions_enabled=true to enable")


def _drop_function(engine, statement, context):
    what = "Aggregate" if statement.aggregate else "Function"
    refuse(not statement.if_exists, f"{what} '{statement.name}' doesn't exist")
    return Void()


def _create_trigger(engine, statement, context):
    raise InvalidRequest(f"Trigger class '{statement.class_name}' couldn't be loaded")


def _drop_trigger(engine, statement, context):
    refuse(not statement.if_exists, f"Trigger '{statement.name}' on '{statement.table}' doesn't exist")
    return Void()


ACCESS = {
    cql.CreateRole: _create_role,
    cql.AlterRole: _alter_role,
    cql.DropRole: _drop_role,
    cql.Grant: _no_permissions,
    cql.Revoke: _no_permissions,
    cql.GrantRole: _no_permissions,
    cql.RevokeRole: _no_permissions,
    cql.ListRoles: _no_permissions,
    cql.ListPermissions: _no_permissions,
    cql.CreateFunction: _no_functions,
    cql.CreateAggregate: _no_functions,
    cql.DropFunction: _drop_function,
    cql.CreateTrigger: _create_trigger,
    cql.DropTrigger: _drop_trigger,
}
