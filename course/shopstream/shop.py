"""`load()` returns the shop: everything that happened in its month, and ways to ask for parts of it."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from itertools import combinations

from . import facts, generate
from .database import Database
from .dice import Dice
from .event import Event, to_text
from .records import Delivery, Product, Session, User


@dataclass(frozen=True)
class Trap:
    """Something in the data that breaks a careless program. `about` says what `where` holds."""

    name: str
    about: str
    where: tuple


class Shop:
    """Shopstream, a small shop in June 2026. Everybody has the same one: share it and do not change it.

    users       list of User, u1 to u400
    products    list of Product, p1 to p120
    events      list of 12,000 Event by time: each event that happened, once
    deliveries  list of Delivery by arrival: the events as the servers received them, some twice, some late
    sessions    list of Session by start
    follows     list of (follower, followed) user ids
    """

    def __init__(self, seed: int = facts.SEED):
        dice = Dice(seed)
        self.users: list[User] = generate.make_users(dice)
        self.products: list[Product] = generate.make_products(dice)
        self.sessions: list[Session]
        self.events: list[Event]
        self.sessions, self.events = generate.Month(dice, self.users, self.products).fill().finish()
        self.deliveries: list[Delivery] = generate.deliver(dice, self.events)
        self.follows: list[tuple[str, str]] = generate.make_follows(dice, self.users)

    def __repr__(self) -> str:
        return (
            f"<Shopstream: {len(self.users)} users, {len(self.products)} products, "
            f"{len(self.events):,} events in {facts.DAYS} days from {facts.FIRST_DAY:%d %B %Y}>"
        )

    # -- asking ------------------------------------------------------------------------------------

    def user(self, user_id: str) -> User:
        """Raises KeyError for an unknown id."""
        return self._users[user_id]

    def product(self, product_id: str) -> Product:
        """Raises KeyError for an unknown id."""
        return self._products[product_id]

    def events_of(self, user_id: str) -> list[Event]:
        """The user's events by time. Empty for a user who never came; KeyError for an unknown one."""
        return list(self._events_by_user[self.user(user_id).user_id])

    def sessions_of(self, user_id: str) -> list[Session]:
        """The user's sessions by start."""
        return [session for session in self.sessions if session.user_id == self.user(user_id).user_id]

    def day(self, day: date | str) -> list[Event]:
        """The events of one UTC day, `shop.day("2026-06-19")`. The next midnight belongs to the next day."""
        day = date.fromisoformat(day) if isinstance(day, str) else day
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return self.between(midnight, midnight + timedelta(days=1))

    def between(self, start: datetime, end: datetime) -> list[Event]:
        """The events with start <= timestamp < end (aware datetimes)."""
        return [event for event in self.events if start <= event.timestamp < end]

    def of_type(self, event_type: str) -> list[Event]:
        """All views, carts, purchases or refunds, by time."""
        return [event for event in self.events if event.event_type == event_type]

    @cached_property
    def co_purchases(self) -> list[tuple[str, str, int]]:
        """(product, other product, how many users bought both), the most frequent first; each pair once."""
        baskets = defaultdict(set)
        for event in self.of_type("purchase"):
            baskets[event.user_id].add(event.product_id)
        pairs = Counter(pair for basket in baskets.values() for pair in combinations(sorted(basket), 2))
        return sorted(((a, b, buyers) for (a, b), buyers in pairs.items()), key=lambda edge: (-edge[2], edge[:2]))

    def database(self, latency: float = 0.0) -> Database:
        """A fresh SQLite database with users, products and orders, for a cache to stand in front of.
        `latency` is the seconds that each read takes."""
        return Database(self.users, self.products, self.of_type("purchase"), latency)

    def fingerprint(self) -> str:
        """SHA-256 of everything, to show that two machines hold the same shop."""
        digest = hashlib.sha256()
        for record in (*self.users, *self.products, *self.sessions, *self.follows, *self.co_purchases):
            digest.update(f"{record}\n".encode())
        for event in self.events:
            digest.update(f"{event.to_json()}\n".encode())
        for delivery in self.deliveries:
            digest.update(f"{delivery.event.event_id} {to_text(delivery.arrived_at)}\n".encode())
        return digest.hexdigest()

    # -- traps -------------------------------------------------------------------------------------

    @cached_property
    def traps(self) -> dict[str, Trap]:
        """What was planted to break careless programs, by name: `shop.traps["same_millisecond"].where`."""
        sale_end = facts.FLASH_SALE_START + facts.FLASH_SALE_LENGTH
        sale = [e for e in self.between(facts.FLASH_SALE_START, sale_end) if e.product_id == facts.FLASH_SALE_PRODUCT]
        just_before = facts.MIDNIGHT - timedelta(milliseconds=1)
        midnight = [event for event in self.events if event.timestamp in (just_before, facts.MIDNIGHT)]
        silent = [user.user_id for user in self.users if not self._events_by_user[user.user_id]]
        repeats = self._repeats()
        late = [delivery for delivery in self.deliveries if delivery.late and delivery not in repeats]
        traps = [
            Trap("celebrity", "the user who makes the most events and has the most followers", (facts.CELEBRITY,)),
            Trap("heavy_user", "the user whose events take more than 1 MB as JSON", (facts.HEAVY_USER,)),
            Trap("silent_users", "users without any event", tuple(silent)),
            Trap("ring", "users who follow each other in a circle, cut off from all others", facts.RING),
            Trap("flash_sale", "the events of the sale product during the sale", tuple(sale)),
            Trap("same_millisecond", "pairs of events of one user at one moment", tuple(self._same_millisecond())),
            Trap("midnight", "the last event of a day and the first of the next, 1 ms apart", tuple(midnight)),
            Trap("duplicates", "deliveries of an event that had arrived before", tuple(repeats)),
            Trap("late", "first deliveries, an hour or more after the event", tuple(late)),
        ]
        return {trap.name: trap for trap in traps}

    def _same_millisecond(self) -> list[tuple[Event, Event]]:
        by_moment = defaultdict(list)
        for event in self.events:
            by_moment[event.user_id, event.timestamp].append(event)
        return [tuple(events) for events in by_moment.values() if len(events) > 1]

    def _repeats(self) -> list[Delivery]:
        seen, repeats = set(), []
        for delivery in self.deliveries:
            if delivery.event.event_id in seen:
                repeats.append(delivery)
            seen.add(delivery.event.event_id)
        return repeats

    @cached_property
    def _users(self) -> dict[str, User]:
        return {user.user_id: user for user in self.users}

    @cached_property
    def _products(self) -> dict[str, Product]:
        return {product.product_id: product for product in self.products}

    @cached_property
    def _events_by_user(self) -> dict[str, list[Event]]:
        by_user = {user.user_id: [] for user in self.users}
        for event in self.events:
            by_user[event.user_id].append(event)
        return by_user


@cache
def load() -> Shop:
    """The shop. Made on the first call (a fraction of a second), shared from then on."""
    return Shop()
