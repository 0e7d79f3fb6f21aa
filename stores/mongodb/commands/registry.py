"""The table of commands: what each is called, which fields it has, who may call it when."""

from dataclasses import dataclass
from typing import Any

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import type_name

COMMANDS = {}  # spelling: Spec

# What every command may have; `api` names the fields of the versioned API.
API = ("apiVersion", "apiStrict", "apiDeprecationErrors")
GENERIC = {
    *("$db", "lsid", "txnNumber", "autocommit", "startTransaction", "$clusterTime", "$readPreference", *API),
    *("readConcern", "writeConcern", "maxTimeMS", "comment", "$audit", "$client", "maxTimeMSOpOnly", "$query"),
}
NUMBERS = ("long", "int", "decimal", "double")
WORDS = {"number": NUMBERS, "bool": ("bool", *NUMBERS)}


@dataclass(frozen=True)
class Spec:
    """One command. `fields` maps the names of its fields to the types they may have: "object|string", "any".

    Where it is None the command takes whatever it is given.
    """

    name: str
    handler: Any
    fields: dict | None
    in_transaction: bool = False
    admin: bool = False
    api: bool = False  # part of API version 1
    retryable: bool = False  # a write that has a transaction number outside transactions


def command(*names, fields=None, **flags):
    """Register handler(call) -> reply (or an awaitable of one) under its names, the first of which is the right one."""

    def register(handler):
        known = None if fields is None else dict.fromkeys(names, "any") | fields
        spec = Spec(names[0], handler, known, **flags)
        for name in names:
            COMMANDS[name] = spec
        return handler

    return register


def look_up(name):
    """Return the Spec of a command. Raises CommandNotFound."""
    if name not in COMMANDS:
        raise MongoError("CommandNotFound", f"no such command: '{name}'")
    return COMMANDS[name]


def check_fields(name, document, fields, generic=()):
    """Raise MongoError where a document has a field that is unknown or of another type than `fields` says."""
    if fields is None:
        return
    for field, value in document.items():
        if field in generic:
            continue
        if field not in fields:
            raise MongoError(40415, f"BSON field '{name}.{field}' is an unknown field.")
        expected = fields[field]
        if expected == "any" or value is None:
            continue
        allowed = [word for kind in expected.split("|") for word in WORDS.get(kind, (kind,))]
        if (found := type_name(value)) not in allowed:
            raise wrong_type(f"{name}.{field}", found, allowed)


def wrong_type(field, found, allowed):
    """Return the error for a field of the wrong type."""
    expected = f"type '{allowed[0]}'" if len(allowed) == 1 else f"types '[{', '.join(allowed)}]'"
    return MongoError("TypeMismatch", f"BSON field '{field}' is the wrong type '{found}', expected {expected}")
