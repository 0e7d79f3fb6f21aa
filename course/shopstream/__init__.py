"""Shopstream: the shop whose 30 days of events the whole course asks questions about.

from course import shopstream

shop = shopstream.load()
shop.events[0]                      # an Event
shop.events_of("u17")               # one user's events
shop.day("2026-06-19")              # the day of the flash sale
shop.traps                          # what will break a careless program, and where it is
database = shop.database()          # a slow, correct database to put a cache in front of
"""

from . import facts
from .database import Database
from .event import EVENT_TYPES, Event, from_millis, to_millis, to_text
from .records import Delivery, Product, Session, User
from .shop import Shop, Trap, load

__all__ = [
    "EVENT_TYPES",
    "Database",
    "Delivery",
    "Event",
    "Product",
    "Session",
    "Shop",
    "Trap",
    "User",
    "facts",
    "from_millis",
    "load",
    "to_millis",
    "to_text",
]
