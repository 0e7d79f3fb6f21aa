"""Functions, triggers and roles: parsed so that what the engine refuses, it can refuse in Cassandra's words."""

from collections.abc import Mapping

from stores.cassandra.cql.nodes import Name, Term
from stores.cassandra.cql.statements import Statement, statement
from stores.cassandra.cql.typenames import TypeName


@statement
class CreateFunction(Statement):
    """`arguments` has pairs (name, type)."""

    name: Name
    arguments: tuple[tuple[str, TypeName], ...]
    returns: TypeName
    language: str
    body: str
    called_on_null: bool = False
    or_replace: bool = False
    if_not_exists: bool = False


@statement
class CreateAggregate(Statement):
    name: Name
    arguments: tuple[TypeName, ...]
    state_function: str
    state_type: TypeName
    final_function: str | None = None
    initial: Term | None = None
    or_replace: bool = False
    if_not_exists: bool = False


@statement
class DropFunction(Statement):
    """DROP FUNCTION or AGGREGATE; `arguments` is None where the text gives no types."""

    name: Name
    arguments: tuple[TypeName, ...] | None = None
    aggregate: bool = False
    if_exists: bool = False


@statement
class CreateTrigger(Statement):
    name: str
    table: Name
    class_name: str
    if_not_exists: bool = False


@statement
class DropTrigger(Statement):
    name: str
    table: Name
    if_exists: bool = False


@statement
class CreateRole(Statement):
    """Also CREATE USER (`user`). `options` has password, hashed_password, superuser, login, access… as written."""

    role: str
    options: Mapping[str, object]
    user: bool = False
    if_not_exists: bool = False


@statement
class AlterRole(Statement):
    role: str
    options: Mapping[str, object]
    user: bool = False
    if_exists: bool = False


@statement
class DropRole(Statement):
    role: str
    user: bool = False
    if_exists: bool = False


@statement
class Grant(Statement):
    """GRANT permissions ON resource TO role; `resource` is its text in words, as "ALL KEYSPACES" or "TABLE ks.t"."""

    permissions: tuple[str, ...]
    resource: str
    role: str


@statement
class Revoke(Statement):
    permissions: tuple[str, ...]
    resource: str
    role: str


@statement
class GrantRole(Statement):
    granted: str
    role: str


@statement
class RevokeRole(Statement):
    revoked: str
    role: str


@statement
class ListRoles(Statement):
    """LIST ROLES [OF role] [NORECURSIVE], LIST USERS (`users`), LIST SUPERUSERS (`superusers`)."""

    role: str | None = None
    recursive: bool = True
    users: bool = False
    superusers: bool = False


@statement
class ListPermissions(Statement):
    permissions: tuple[str, ...]
    resource: str | None = None
    role: str | None = None
    recursive: bool = True


@statement
class AddIdentity(Statement):
    identity: str
    role: str
    if_not_exists: bool = False


@statement
class DropIdentity(Statement):
    identity: str
    if_exists: bool = False
