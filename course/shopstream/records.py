"""The other records of the shop, besides Event."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from . import facts
from .event import Event


@dataclass(frozen=True, slots=True)
class User:
    """Someone with an account. `joined` is the day they opened it."""

    user_id: str
    name: str
    email: str
    city: str
    joined: date


@dataclass(frozen=True, slots=True)
class Product:
    """Something for sale; `price_cents` is the price outside the flash sale."""

    product_id: str
    name: str
    category: str
    price_cents: int
    stock: int


@dataclass(frozen=True, slots=True)
class Session:
    """One visit of a user: from `started_at` to `ended_at`, its first and last event."""

    session_id: str
    user_id: str
    device: str
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it reached the servers. One event may be delivered twice, or long after it happened."""

    event: Event
    arrived_at: datetime

    @property
    def delay(self) -> timedelta:
        return self.arrived_at - self.event.timestamp

    @property
    def late(self) -> bool:
        return self.delay >= facts.LATE_AFTER
