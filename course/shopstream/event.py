"""The event contract: what one event of the shop is, in Python and in every store.

Each store has its own idea of a time, a number and a nested value. The contract is defined once, here, and each
`for_<store>()` translates it, with a `from_<store>()` that translates it back.
"""

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

EVENT_TYPES = ("view", "cart", "purchase", "refund")
MONEY_TYPES = ("purchase", "refund")  # only these move money; a view or a cart has no amount at all
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "shopstream.example")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def to_millis(moment: datetime) -> int:
    """Milliseconds from 1970-01-01T00:00Z to an aware `moment`. Whole-number arithmetic, so nothing is rounded."""
    return (moment - EPOCH) // MILLISECOND


def from_millis(millis: int) -> datetime:
    """The UTC moment `millis` milliseconds after 1970-01-01T00:00Z."""
    return EPOCH + timedelta(milliseconds=millis)


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with three decimals, `2026-06-19T12:00:00.000Z`: sorting the texts sorts the moments."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_id(user_id: str, timestamp: datetime, event_type: str, product_id: str) -> uuid.UUID:
    """The id of an event follows from its facts: sending the same event again gives the same id."""
    return uuid.uuid5(NAMESPACE, f"{user_id} {to_text(timestamp)} {event_type} {product_id}")


@dataclass(frozen=True, slots=True)
class Event:
    """Something a user did to a product at one moment.

    timestamp     aware datetime with whole milliseconds; any zone is accepted, UTC is kept
    event_type    one of EVENT_TYPES
    quantity      how many of the product, 1 or more
    amount_cents  whole cents, never negative; required for a purchase or refund, None for a view or cart
    details       small extras as text, `{"referrer": "search"}`; which ones depends on the event type
    event_id      a uuid5 of user, timestamp, type and product unless given

    Raises TypeError or ValueError that says what to pass instead.
    """

    user_id: str
    session_id: str
    event_type: str
    product_id: str
    timestamp: datetime
    quantity: int = 1
    amount_cents: int | None = None
    details: dict[str, str] = field(default_factory=dict, hash=False)
    event_id: uuid.UUID | None = None

    def __post_init__(self):
        for name in ("user_id", "session_id", "product_id"):
            _require_text(name, getattr(self, name))
        if self.event_type not in EVENT_TYPES:
            raise ValueError(f"event_type is {self.event_type!r}; use one of {', '.join(EVENT_TYPES)}")
        _require_whole(
            "quantity", self.quantity, at_least=1, instead="pass a whole number of pieces, such as 1"
        )
        _require_amount(self.event_type, self.amount_cents)
        _require_details(self.details)
        fill = object.__setattr__  # the way a frozen dataclass may still complete itself
        fill(self, "timestamp", _require_moment(self.timestamp))
        fill(self, "details", dict(self.details))
        if self.event_id is None:
            fill(self, "event_id", event_id(self.user_id, self.timestamp, self.event_type, self.product_id))
        elif not isinstance(self.event_id, uuid.UUID):
            raise TypeError(
                f"event_id is {self.event_id!r}; pass a uuid.UUID, or leave it out to have it derived"
            )

    def _fields(self) -> dict:
        """The fields by name, in order, without an absent amount. Every adapter starts from this copy."""
        fields = {name: getattr(self, name) for name in ("event_id", *_PLAIN_FIELDS)}
        if self.amount_cents is not None:
            fields["amount_cents"] = self.amount_cents
        return fields | {"details": dict(self.details)}

    # -- text --------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """One line of JSON. The same event always gives the same text, on every machine."""
        fields = self._fields() | {"event_id": str(self.event_id), "timestamp": to_text(self.timestamp)}
        return _dumps(fields)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Event":
        """The event that `to_json` wrote. Raises ValueError when the text is something else."""
        return cls._read("JSON", json.loads(text))

    # -- stores ------------------------------------------------------------------------------------

    def for_redis(self) -> dict[str, str]:
        """Fields of a Redis hash or stream entry: flat, and all of them text. The time is in milliseconds,
        so it can also be the score of a sorted set."""
        fields = self._fields() | {"timestamp": to_millis(self.timestamp), "details": _dumps(self.details)}
        return {name: str(value) for name, value in fields.items()}

    @classmethod
    def from_redis(cls, fields: dict) -> "Event":
        """Takes what HGETALL or XRANGE returned, as text or (without `decode_responses`) as bytes."""
        fields = {_as_text(name): _as_text(value) for name, value in fields.items()}
        fields |= {name: int(fields[name]) for name in ("quantity", "amount_cents") if name in fields}
        return cls._read("Redis", fields | {"timestamp": from_millis(int(fields["timestamp"]))})

    def for_mongodb(self) -> dict:
        """A document. `_id` is the event id as text: inserting the event twice is then a DuplicateKeyError, and
        no client needs the uuidRepresentation option. BSON keeps dates in UTC milliseconds, as we do."""
        fields = self._fields()
        return {"_id": str(fields.pop("event_id")), **fields}

    @classmethod
    def from_mongodb(cls, document: dict) -> "Event":
        """Takes a found document. Without `tz_aware=True` PyMongo returns naive datetimes that mean UTC."""
        fields = dict(document)
        fields["event_id"] = fields.pop("_id", None)
        return cls._read("MongoDB", fields | {"timestamp": _assume_utc(fields.get("timestamp"))})

    def for_cassandra(self) -> dict:
        """Values to bind by name: `event_id uuid, timestamp timestamp, day date, quantity int, amount_cents bigint,
        details map<text, text>`, the rest `text`. `day` is the UTC date, to build a partition key with. An absent
        amount is bound as None, because a prepared statement wants a value for each name."""
        day = self.timestamp.date()
        return {"day": day, **self._fields(), "amount_cents": self.amount_cents}

    @classmethod
    def from_cassandra(cls, row) -> "Event":
        """Takes a row (a named tuple, or a dict with dict_factory). The driver returns naive datetimes that mean UTC,
        and None for an empty map."""
        fields = dict(row) if isinstance(row, dict) else row._asdict()
        fields.pop("day", None)
        fields |= {
            "timestamp": _assume_utc(fields.get("timestamp")),
            "details": dict(fields.get("details") or {}),
        }
        return cls._read("Cassandra", fields)

    def for_neo4j(self) -> dict:
        """Properties of a node or relationship. A property cannot be a map, so `details` is JSON text."""
        return self._fields() | {"event_id": str(self.event_id), "details": _dumps(self.details)}

    @classmethod
    def from_neo4j(cls, properties: dict) -> "Event":
        """Takes the properties of a node. The driver returns its own DateTime (nanoseconds), made native here."""
        fields = dict(properties)
        moment = fields.get("timestamp")
        return cls._read(
            "Neo4j", fields | {"timestamp": moment.to_native() if hasattr(moment, "to_native") else moment}
        )

    def for_dynamodb(self) -> dict:
        """Attributes of an item, for boto3's resource layer: numbers are Decimal (a float is refused), the time is
        text that sorts by time. Keys (PK, SK) are the table's business and not part of the event."""
        fields = self._fields() | {"event_id": str(self.event_id), "timestamp": to_text(self.timestamp)}
        numbers = {name: Decimal(fields[name]) for name in ("quantity", "amount_cents") if name in fields}
        return fields | numbers

    @classmethod
    def from_dynamodb(cls, item: dict) -> "Event":
        """Takes an item as boto3 returns it. Attributes that are no field of an event (PK, SK, ...) are left out."""
        fields = {name: value for name, value in item.items() if name in cls.__slots__}
        fields |= {name: _as_int(fields[name]) for name in ("quantity", "amount_cents") if name in fields}
        return cls._read("DynamoDB", fields)

    @classmethod
    def _read(cls, source: str, fields: dict) -> "Event":
        """Build an event from fields whose id, time and details may still be text."""
        if not isinstance(fields, dict):
            raise ValueError(
                f"{source}: expected the fields of an event, got {type(fields).__name__} {fields!r}"
            )
        required = {"event_id", *_PLAIN_FIELDS, "details"}
        if missing := required - fields.keys():
            raise ValueError(f"{source}: not an event, it lacks {', '.join(sorted(missing))}")
        if unknown := fields.keys() - set(cls.__slots__):
            raise ValueError(
                f"{source}: an event has no {', '.join(sorted(unknown))}; leave these out before reading it"
            )
        parsers = {"event_id": uuid.UUID, "timestamp": datetime.fromisoformat, "details": json.loads}
        return cls(
            **{
                name: parsers[name](value) if name in parsers and isinstance(value, str) else value
                for name, value in fields.items()
            }
        )


_PLAIN_FIELDS = ("user_id", "session_id", "event_type", "product_id", "timestamp", "quantity")


def _require_text(name: str, value) -> None:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} is {value!r}; pass text, such as 'u17'")


def _require_whole(name: str, value, at_least: int, instead: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, a {type(value).__name__}; {instead}")
    if value < at_least:
        raise ValueError(f"{name} is {value}, and must be {at_least} or more; {instead}")


def _require_amount(event_type: str, amount) -> None:
    if event_type in MONEY_TYPES:
        instead = "pass whole cents as an int: 19.99 is 1999 (a refund is positive too, its type says the direction)"
        _require_whole("amount_cents", amount, at_least=0, instead=instead)
    elif amount is not None:
        raise ValueError(f"amount_cents is {amount!r}, but a {event_type} moves no money; leave it out")


def _require_details(details) -> None:
    if not isinstance(details, dict):
        raise TypeError(f"details is {details!r}; pass a dict of text, such as {{'referrer': 'search'}}")
    for name, value in details.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"details has {name!r}: {value!r}; names and values must be text, so write str(value)"
            )


def _require_moment(moment) -> datetime:
    if not isinstance(moment, datetime):
        raise TypeError(f"timestamp is {moment!r}; pass an aware datetime, such as datetime.now(UTC)")
    if moment.utcoffset() is None:
        raise ValueError(
            f"timestamp {moment} has no time zone, so it names no moment; "
            "say which one it is in: moment.replace(tzinfo=UTC)"
        )
    if moment.microsecond % 1000:
        raise ValueError(
            f"timestamp {moment} is finer than a millisecond, which some stores would cut off unasked; "
            "cut it yourself: moment.replace(microsecond=moment.microsecond // 1000 * 1000)"
        )
    return moment.astimezone(UTC)


def _dumps(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=to_text)


def _as_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _assume_utc(moment):
    """Some drivers hand back naive datetimes that are in UTC by the store's definition."""
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) and moment.tzinfo is None else moment


def _as_int(number: Decimal) -> int:
    if number != int(number):
        raise ValueError(f"{number} is not whole; amounts are whole cents")
    return int(number)
