"""The parser's chapters on functions, triggers, roles and permissions, and on DESCRIBE."""

from stores.cassandra.cql.administration import (
    AddIdentity,
    AlterRole,
    CreateAggregate,
    CreateFunction,
    CreateRole,
    CreateTrigger,
    DropFunction,
    DropIdentity,
    DropRole,
    DropTrigger,
    Grant,
    GrantRole,
    ListPermissions,
    ListRoles,
    Revoke,
    RevokeRole,
)
from stores.cassandra.cql.ddl import Definition
from stores.cassandra.cql.nodes import RESERVED, Name
from stores.cassandra.cql.statements import Describe
from stores.cassandra.errors import SyntaxException

_PERMISSIONS = "create alter drop select modify authorize describe execute unmask select_masked".split()
_LISTS = {word: word for word in "cluster keyspaces tables types functions aggregates".split()} | {"columnfamilies": "tables"}


class Access(Definition):
    """Who may do what, what runs inside of the server, and what there is."""

    # --- DESCRIBE ---

    def describe(self):
        self.at += 1
        made = self._described()
        if self.take("with"):
            self.expect("internals")
            made = Describe(made.what, made.name, made.full, made.only, with_internals=True)
        return made

    def _described(self):
        key, following = self.key, self.peek()
        if key in _LISTS and following in ("<end>", ";", "with"):
            self.at += 1
            return Describe(_LISTS[key])
        if key == "full" or (key == "schema" and following in ("<end>", ";", "with")):
            self.take("full")
            self.expect("schema")
            return Describe("schema", full=key == "full")
        only = key == "only" and following == "keyspace" and self.take("only")
        if self.take("keyspace"):
            name = Name(None, self.keyspace_name()) if self.is_name(self.at) else None
            return Describe("keyspace", name, only=only)
        if self.take_words("materialized", "view"):
            return Describe("view", self.qualified())
        for words, what, read in (
            (("table", "columnfamily"), "table", self.qualified),
            (("index",), "index", self.qualified),
            (("type",), "type", self.user_type_name),
            (("function",), "function", self.function_name),
            (("aggregate",), "aggregate", self.function_name),
        ):
            # words that may be names mean the kind of thing only before a name
            if self.key in words and (self.key in RESERVED or self.is_name(self.at + 1) or self.peek() == "token"):
                self.at += 1
                return Describe(what, read())
        element = self.identifier()
        if self.take("."):
            return Describe("element", Name(element, self.identifier()))
        self.check_follows(("<end>", ";", "with"))
        return Describe("element", Name(None, element))

    # --- functions, aggregates, triggers ---

    def create_function(self, or_replace=False):
        if_not_exists = self.if_not_exists()
        name = self.function_name()
        arguments = self.arguments(lambda: (self.identifier(), self.type()))
        called_on_null = self.take("called")
        if not called_on_null:
            self.expect("returns", "null")
        self.expect("on", "null", "input", "returns")
        returns = self.type()
        self.expect("language")
        language = self.identifier()
        self.expect("as")
        body = self.expect_kind("<string>", "STRING_LITERAL")
        return CreateFunction(name, arguments, returns, language, body, called_on_null, or_replace, if_not_exists)

    def create_aggregate(self, or_replace=False):
        if_not_exists = self.if_not_exists()
        name = self.function_name()
        arguments = self.arguments(self.type)
        self.expect("sfunc")
        state_function = self.function_name().name
        self.expect("stype")
        state_type = self.type()
        final_function = self.function_name().name if self.take("finalfunc") else None
        initial = self.term() if self.take("initcond") else None
        return CreateAggregate(name, arguments, state_function, state_type, final_function, initial, or_replace, if_not_exists)

    def drop_function(self, aggregate=False):
        if_exists = self.if_exists()
        name = self.function_name()
        return DropFunction(name, self.arguments(self.type) if self.key == "(" else None, aggregate, if_exists)

    def drop_aggregate(self):
        return self.drop_function(aggregate=True)

    def create_trigger(self):
        if_not_exists = self.if_not_exists()
        name = self.identifier()
        self.expect("on")
        table = self.qualified()
        self.expect("using")
        return CreateTrigger(name, table, self.expect_kind("<string>", "STRING_LITERAL"), if_not_exists)

    def drop_trigger(self):
        if_exists = self.if_exists()
        name = self.identifier()
        self.expect("on")
        return DropTrigger(name, self.qualified(), if_exists)

    # --- roles ---

    def _role_name(self):
        if self.key == "?":
            raise SyntaxException("Bind variables cannot be used for role names")
        if self.key == "<string>":
            self.at += 1
            return self.texts[self.at - 1]
        return self.identifier()

    def _user_name(self):
        if self.key == "<name>":
            raise SyntaxException("Quoted strings are are not supported for user names and USER is deprecated, please use ROLE")
        if self.key == "<string>":
            self.at += 1
            return self.texts[self.at - 1]
        return self.identifier()

    def create_role(self):
        if_not_exists = self.if_not_exists()
        return CreateRole(self._role_name(), self._role_options(), if_not_exists=if_not_exists)

    def alter_role(self):
        if_exists = self.if_exists()
        return AlterRole(self._role_name(), self._role_options(), if_exists=if_exists)

    def drop_role(self):
        if_exists = self.if_exists()
        return DropRole(self._role_name(), if_exists=if_exists)

    def create_user(self):
        if_not_exists = self.if_not_exists()
        return CreateRole(self._user_name(), self._user_options(), True, if_not_exists)

    def alter_user(self):
        if_exists = self.if_exists()
        return AlterRole(self._user_name(), self._user_options(), True, if_exists)

    def drop_user(self):
        if_exists = self.if_exists()
        return DropRole(self._user_name(), True, if_exists)

    def _user_options(self):
        options = {}
        if self.take("with"):
            option = "hashed password" if self.take("hashed") else "password"
            self.expect("password")
            options[option] = self.expect_kind("<string>", "STRING_LITERAL")
        if self.key in ("superuser", "nosuperuser"):
            options["superuser"] = self.key == "superuser"
            self.at += 1
        return options

    def _role_options(self):
        options = {}
        if self.take("with"):
            self._role_option(options)
            while self.take("and"):
                self._role_option(options)
        if "password" in options and "hashed password" in options:
            raise SyntaxException("Options 'password' and 'hashed password' are mutually exclusive")
        return options

    def _role_option(self, options):
        if self.take("access"):
            what, word = ("datacenters", "to") if self.key == "to" else ("cidrs", "from")
            self.expect(word)
            options[f"access {word}"] = self._all_or_strings(what)
            return
        option = "hashed password" if self.take("hashed") else self.key
        if option not in ("password", "hashed password", "superuser", "login", "options"):
            self.fail()
        self.expect(option.split()[-1], "=")
        if option in ("superuser", "login"):
            options[option] = self.expect_kind("<boolean>", "BOOLEAN").lower() == "true"
        elif option == "options":
            options[option] = self._property_map()
        else:
            options[option] = self.expect_kind("<string>", "STRING_LITERAL")

    def _all_or_strings(self, what):
        """Return None for ALL what, or the texts of what { 'a', 'b' }."""
        if self.take("all"):
            self.expect(what)
            return None
        self.expect(what, "{")
        texts = self.listed(lambda: self.expect_kind("<string>", "STRING_LITERAL"))
        self.expect("}")
        return texts

    def add_identity(self):
        self.expect("add", "identity")
        if_not_exists = self.if_not_exists()
        identity = self._user_name()
        self.expect("to", "role")
        return AddIdentity(identity, self._user_name(), if_not_exists)

    def drop_identity(self):
        if_exists = self.if_exists()
        return DropIdentity(self._user_name(), if_exists)

    # --- permissions ---

    def grant(self):
        self.at += 1
        if not self._at_permissions():
            granted = self._role_name()
            self.expect("to")
            return GrantRole(granted, self._role_name())
        permissions, resource = self._permissions_on_resource()
        self.expect("to")
        return Grant(permissions, resource, self._role_name())

    def revoke(self):
        self.at += 1
        if not self._at_permissions():
            revoked = self._role_name()
            self.expect("from")
            return RevokeRole(revoked, self._role_name())
        permissions, resource = self._permissions_on_resource()
        self.expect("from")
        return Revoke(permissions, resource, self._role_name())

    def list_access(self):
        self.at += 1
        if self.key in ("users", "superusers"):
            self.at += 1
            return ListRoles(users=self.keys[self.at - 1] == "users", superusers=self.keys[self.at - 1] == "superusers")
        if self.take("roles"):
            role = self._role_name() if self.take("of") else None
            return ListRoles(role, not self.take("norecursive"))
        if not self._at_permissions():
            self.fail(marked=0)
        permissions = self._permissions()
        resource = self._resource() if self.take("on") else None
        role = self._role_name() if self.take("of") else None
        return ListPermissions(permissions, resource, role, not self.take("norecursive"))

    def _at_permissions(self):
        follows = self.peek() in (",", "on", "of", "permission", "permissions", ";", "<end>")
        return (self.key in _PERMISSIONS and (self.key in RESERVED or follows)) or (self.key == "all" and follows)

    def _permissions_on_resource(self):
        permissions = self._permissions()
        self.expect("on")
        return permissions, self._resource()

    def _permissions(self):
        if self.take("all"):
            self.take("permissions")
            return ("ALL",)
        return self.listed(self._permission)

    def _permission(self):
        key = self.key
        if key not in _PERMISSIONS:
            self.fail()
        self.at += 1
        self.take("permission")
        return key.upper()

    def _resource(self):
        """Return the text of a resource, in words."""
        if self.take("all"):
            what = self.key
            if what not in ("keyspaces", "functions", "roles", "mbeans", "tables"):
                self.fail()
            self.at += 1
            if what == "tables" or (what == "functions" and self.key == "in"):
                self.expect("in", "keyspace")
                return f"ALL {what.upper()} IN KEYSPACE {self.keyspace_name()}"
            return f"ALL {what.upper()}"
        if self.take("keyspace"):
            return f"KEYSPACE {self.keyspace_name()}"
        if self.key == "role" and self.peek() not in ("to", "from", "of", "."):
            self.at += 1
            return f"ROLE {self._role_name()}"
        if self.key in ("mbean", "mbeans") and self.peek() == "<string>":
            self.at += 1
            return f"{self.keys[self.at - 1].upper()} {self.expect_kind('<string>', 'STRING_LITERAL')}"
        if self.key == "function" and self.peek() not in ("to", "from", "of", "."):
            self.at += 1
            return f"FUNCTION {self.function_name()}({', '.join(map(str, self.arguments(self.type)))})"
        if self.key in ("table", "columnfamily"):
            self.at += 1
        return f"TABLE {self.qualified()}"
