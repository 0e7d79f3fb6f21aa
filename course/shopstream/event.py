"""The event contract: what one event of the shop is, in Python and in every store.

Each store has its own idea of a time, a number and a nested value. The contract is defined once, here:
`for_<store>()` translates an event into what the store's driver takes, `from_<store>()` translates it back.
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
    """Milliseconds from 1970-01-01T00:00Z to an aware `moment`, in whole numbers: no rounding."""
    return (moment - EPOCH) // MILLISECOND


def from_millis(millis: int) -> datetime:
    """The UTC moment `millis` milliseconds after 1970-01-01T00:00Z."""
    return EPOCH + timedelta(milliseconds=millis)


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC, `2026-06-19T12:00:00.000Z`. Sorting such texts sorts the moments.
    Raises ValueError for a naive datetime or one finer than a millisecond."""
    return _require_moment(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
        _require_whole("quantity", self.quantity, at_least=1, instead="pass a whole number of pieces, such as 1")
        _require_amount(self.event_type, self.amount_cents)
        _require_details(self.details)
        fill = object.__setattr__  # the way a frozen dataclass may still complete itself
        fill(self, "timestamp", _require_moment(self.timestamp))
        fill(self, "details", dict(self.details))
        if self.event_id is None:
            fill(self, "event_id", event_id(self.user_id, self.timestamp, self.event_type, self.product_id))
        elif not isinstance(self.event_id, uuid.UUID):
            raise TypeError(f"event_id is {self.event_id!r}; pass a uuid.UUID, or leave it out to have it derived")

    def _fields(self) -> dict:
        """A fresh dict of the fields, without an amount where there is none. Every translation starts here."""
        fields = {name: getattr(self, name) for name in _REQUIRED}
        fields["details"] = dict(self.details)
        if self.amount_cents is not None:
            fields["amount_cents"] = self.amount_cents
        return fields

    # -- text ---------------------------------------------------------------------------------

    def to_json(self) -> str:
        """One line of JSON. The same event always gives the same text, on every machine."""
        return _dumps(self._fields() | {"event_id": str(self.event_id), "timestamp": to_text(self.timestamp)})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Event":
        """The event that `to_json` wrote. Raises ValueError or TypeError if the text is something else."""
        return cls._read(json.loads(text))

    # -- stores -------------------------------------------------------------------------------
    #
    # Each `from_` reads what its store gives back for what `for_` stored, and passes over what else a program
    # keeps beside an event (a sort key, a bucket number).

    def for_redis(self) -> dict[str, str]:
        """Fields of a hash or of a stream entry: flat, and all of them text. The time is in milliseconds,
        so it can also be the score in a sorted set."""
        fields = self._fields() | {"timestamp": to_millis(self.timestamp), "details": _dumps(self.details)}
        return {name: str(value) for name, value in fields.items()}

    @classmethod
    def from_redis(cls, fields: dict) -> "Event":
        """Takes what HGETALL or XRANGE returned: text, or bytes without `decode_responses`."""
        fields = {_as_text(name): _as_text(value) for name, value in fields.items()}
        return cls._read(
            fields,
            timestamp=lambda text: from_millis(int(text)),
            quantity=int,
            amount_cents=int,
            details=json.loads,
        )

    def for_mongodb(self) -> dict:
        """A document. `_id` is the event id, so inserting the event twice is a DuplicateKeyError; it is text,
        so no client needs the option uuidRepresentation. BSON keeps dates in UTC milliseconds, as we do."""
        fields = self._fields()
        return {"_id": str(fields.pop("event_id")), **fields}

    @classmethod
    def from_mongodb(cls, document: dict) -> "Event":
        """Takes a document. Without `tz_aware=True`, PyMongo returns naive datetimes that mean UTC."""
        return cls._read({**document, "event_id": document.get("_id")}, timestamp=_assume_utc)

    def for_cassandra(self) -> dict:
        """Values to bind by name. The columns: `event_id uuid`, `timestamp timestamp`, `day date`,
        `quantity int`, `amount_cents bigint`, `details map<text, text>`, the others `text`. `day` is the
        UTC date, to build a partition key with. An absent amount is None, which empties the cell and leaves
        a tombstone there; take the name out, and nothing is written."""
        return {**self._fields(), "day": self.timestamp.date(), "amount_cents": self.amount_cents}

    @classmethod
    def from_cassandra(cls, row) -> "Event":
        """Takes a row, as a named tuple or a dict. The driver returns naive datetimes that mean UTC, and
        None for an empty map."""
        fields = row if isinstance(row, dict) else row._asdict()
        return cls._read(fields, timestamp=_assume_utc, details=lambda entries: dict(entries or {}))

    def for_neo4j(self) -> dict:
        """Properties of a node or a relationship. A property cannot be a map, so `details` is JSON text."""
        return self._fields() | {"event_id": str(self.event_id), "details": _dumps(self.details)}

    @classmethod
    def from_neo4j(cls, properties: dict) -> "Event":
        """Takes the properties of a node. The driver returns its own DateTime, which counts nanoseconds."""
        return cls._read(
            properties,
            timestamp=lambda moment: moment.to_native() if hasattr(moment, "to_native") else moment,
            details=json.loads,
        )

    def for_dynamodb(self) -> dict:
        """Attributes of an item, for boto3's resources: numbers are Decimal (a float is refused), the time is
        text that sorts by time. The keys (PK, SK) are the table's business and not part of the event."""
        fields = self._fields() | {"event_id": str(self.event_id), "timestamp": to_text(self.timestamp)}
        return {name: Decimal(value) if isinstance(value, int) else value for name, value in fields.items()}

    @classmethod
    def from_dynamodb(cls, item: dict) -> "Event":
        """Takes an item; boto3 returns every number as a Decimal."""
        return cls._read(item, quantity=_as_int, amount_cents=_as_int)

    @classmethod
    def _read(cls, fields: dict, **parsers) -> "Event":
        """An event from a store's `fields`, each through the parser of its name. Times and ids may be text."""
        if not isinstance(fields, dict):
            raise ValueError(f"expected the fields of an event by name, got {fields!r}")
        if missing := {*_REQUIRED, "details"} - fields.keys():
            raise ValueError(f"this is no event, it lacks {', '.join(sorted(missing))}: {fields!r:.200}")
        parsers = {"timestamp": _parse_moment, "event_id": _parse_id} | parsers
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        return cls(**{name: parsers[name](value) if name in parsers else value for name, value in known.items()})


_REQUIRED = ("event_id", "user_id", "session_id", "event_type", "product_id", "timestamp", "quantity")


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
        instead = "pass whole cents as an int, 1999 for 19.99 (positive for a refund too: the type says which way)"
        _require_whole("amount_cents", amount, at_least=0, instead=instead)
    elif amount is not None:
        raise ValueError(f"amount_cents is {amount!r}, but a {event_type} moves no money; leave it out")


def _require_details(details) -> None:
    if not isinstance(details, dict):
        raise TypeError(f"details is {details!r}; pass a dict of text, such as {{'referrer': 'search'}}")
    for name, value in details.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"details has {name!r}: {value!r}; names and values must be text, so write str(value)")
        if not name.isidentifier():  # MongoDB gives "." and "$" in a name a meaning, BSON forbids "\0"
            raise ValueError(f"details has the name {name!r}; use a plain word such as 'referrer', which every store takes")


def _require_moment(moment) -> datetime:
    if not isinstance(moment, datetime):
        raise TypeError(f"timestamp is {moment!r}; pass an aware datetime, such as datetime.now(UTC)")
    if moment.utcoffset() is None:
        raise ValueError(
            f"timestamp {moment} has no time zone, so it names no moment; say which one it is in: moment.replace(tzinfo=UTC)"
        )
    if moment.microsecond % 1000:
        raise ValueError(
            f"timestamp {moment} is finer than a millisecond, which some stores would cut off unasked; "
            "cut it yourself: moment.replace(microsecond=moment.microsecond // 1000 * 1000)"
        )
    return moment.astimezone(UTC)


def _dumps(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _as_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _parse_id(value) -> uuid.UUID:
    return uuid.UUID(value) if isinstance(value, str) else value


def _parse_moment(value) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _assume_utc(moment: datetime) -> datetime:
    """For drivers that return a naive datetime which is in UTC by the store's definition."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _as_int(number: Decimal) -> int:
    if number != int(number):
        raise ValueError(f"{number} is not whole; quantities are pieces and amounts are cents")
    return int(number)
