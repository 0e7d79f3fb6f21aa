"""Makes the shop's month: people and products, sessions full of events, and how the events were delivered."""

from datetime import timedelta
from itertools import product as every_pair

from . import facts
from .dice import Dice, Wheel, zipf_weights
from .event import MILLISECOND, Event, event_id, from_millis, to_millis
from .records import Delivery, Product, Session, User

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000  # in milliseconds
START = to_millis(facts.FIRST_DAY)
END = START + facts.DAYS * DAY


def make_users(dice: Dice) -> list[User]:
    cities = facts.CITIES.split()
    full_names = list(every_pair(facts.FIRST_NAMES.split(), facts.LAST_NAMES.split()))
    users = []
    for number, (first, last) in enumerate(dice.sample(full_names, facts.USERS), start=1):
        email = f"{first}.{last}@shopstream.example".lower()
        joined = (facts.FIRST_DAY - timedelta(days=dice.between(1, 1500))).date()
        users.append(User(f"u{number}", f"{first} {last}", email, dice.pick(cities), joined))
    return users


def make_products(dice: Dice) -> list[Product]:
    products = []
    for category, ((lowest, highest), materials, things) in facts.CATALOGUE.items():
        for thing in things.split():
            name = f"{dice.pick(materials.split())} {thing.replace('-', ' ')}"
            price = dice.between(lowest, highest) // 50 * 50 + 49  # 12.49 or 12.99
            products.append((name, category, price, dice.between(5, 200)))
    return [Product(f"p{number}", *rest) for number, rest in enumerate(dice.shuffled(products), start=1)]


class Month:
    """Fills 30 days with exactly `facts.EVENTS` events, visit by visit.

    A visit is (user_id, device, steps). A step is a dict of an Event's arguments, with its time in milliseconds.
    """

    def __init__(self, dice: Dice, users: list[User], products: list[Product]):
        self.dice, self.users, self.products = dice, users, products
        self.by_id = {product.product_id: product for product in products}
        self.visits: list[tuple[str, str, list[dict]]] = []
        self.room = facts.EVENTS
        self.shoppers = self._wheel_of_shoppers()
        self.popular = Wheel(dice.shuffled(products), zipf_weights(len(products)))
        self.hours = Wheel(range(24), facts.HOUR_WEIGHTS)
        self.page_text = " ".join(dice.pick(products).name for _ in range(facts.PAGE_TEXT_LENGTH // 5))

    def fill(self) -> "Month":
        self._double_taps()
        self._around_midnight()
        for _ in range(facts.FLASH_SALE_SESSIONS):
            self._visit_to_the_sale()
        while self.room:
            self._ordinary_visit()
        return self

    def finish(self) -> tuple[list[Session], list[Event]]:
        """Number the sessions by time, and sort the events by time (event_id breaks ties)."""
        sessions, events = [], []
        in_order = sorted(self.visits, key=lambda visit: (visit[2][0]["timestamp"], visit[0]))
        for number, (user_id, device, steps) in enumerate(in_order, start=1):
            mine = [Event(user_id, f"s{number}", **step | {"timestamp": from_millis(step["timestamp"])}) for step in steps]
            sessions.append(Session(f"s{number}", user_id, device, mine[0].timestamp, mine[-1].timestamp))
            events += mine
        return sessions, sorted(events, key=lambda event: (event.timestamp, str(event.event_id)))

    def _wheel_of_shoppers(self) -> Wheel:
        """Zipf's law over the users in random order, but for those whose rank is planned."""
        planned = {1: facts.CELEBRITY, 8: facts.HEAVY_USER, 30: facts.EXAMPLE_USER}
        order = self.dice.shuffled([u.user_id for u in self.users if u.user_id not in planned.values()])
        for rank, user_id in planned.items():
            order.insert(rank - 1, user_id)
        return Wheel(order, zipf_weights(len(order)))

    # -- visits ------------------------------------------------------------------------------------

    def _ordinary_visit(self) -> None:
        user_id = self.shoppers.spin(self.dice)
        when = START + self.dice.below(facts.DAYS) * DAY + self.hours.spin(self.dice) * HOUR + self.dice.below(HOUR)
        steps = []
        for _ in range(self.dice.between(1, 6)):
            when = self._look_at(self.popular.spin(self.dice), when, steps, cart=30, buy=60)
        self._add(user_id, steps)

    def _visit_to_the_sale(self) -> None:
        """Anyone may come, most of them early: the smallest of three moments."""
        length = facts.FLASH_SALE_LENGTH // MILLISECOND
        when = to_millis(facts.FLASH_SALE_START) + min(self.dice.below(length) for _ in range(3))
        steps = []
        item = self.by_id[facts.FLASH_SALE_PRODUCT]
        self._look_at(item, when, steps, cart=60, buy=75, percent_off=facts.FLASH_SALE_PERCENT_OFF)
        self._add(self.dice.pick(self.users).user_id, steps)

    def _double_taps(self) -> None:
        """A user puts two products in the cart with one tap: one user, one millisecond, two events."""
        others = [user.user_id for user in self.users if user.user_id != facts.CELEBRITY]
        for user_id in [facts.CELEBRITY, *self.dice.sample(others, facts.SAME_MILLISECOND_PAIRS - 1)]:
            when = START + self.dice.below(facts.DAYS) * DAY + self.dice.between(8 * HOUR, 22 * HOUR)
            one, other = self.dice.sample(self.products, 2)
            steps = [self._step("view", one, when - 9 * SECOND, details={"referrer": "home"})]
            steps += [self._step("cart", item, when) for item in (one, other)]
            self._add(user_id, steps)

    def _around_midnight(self) -> None:
        """One event in the last millisecond of a day, the next in the first of the day after."""
        midnight = to_millis(facts.MIDNIGHT)
        item, user = self.dice.pick(self.products), self.dice.pick(self.users)
        before = self._step("cart", item, midnight - 1)
        self._add(user.user_id, [before, self._step("purchase", item, midnight, item.price_cents)])

    def _look_at(self, item: Product, when: int, steps: list, cart: int, buy: int, percent_off: int = 0) -> int:
        """Append a view of `item` and perhaps a cart and a purchase, with the given chances in percent.
        Returns the time of the next step."""
        dice = self.dice
        steps.append(self._step("view", item, when, details={"referrer": dice.pick(facts.REFERRERS)}))
        when += dice.between(2 * SECOND, 2 * MINUTE)
        if not dice.chance(cart):
            return when
        quantity = dice.pick((1, 1, 1, 2, 3))
        steps.append(self._step("cart", item, when, quantity=quantity))
        when += dice.between(5 * SECOND, 3 * MINUTE)
        if not dice.chance(buy):
            return when
        amount = item.price_cents * (100 - percent_off) // 100 * quantity
        details = {"payment": dice.pick(facts.PAYMENTS)} | ({"sale": "flash"} if percent_off else {})
        steps.append(self._step("purchase", item, when, amount, quantity, details))
        return when + dice.between(5 * SECOND, 3 * MINUTE)

    @staticmethod
    def _step(event_type: str, item: Product, when: int, amount=None, quantity=1, details=None) -> dict:
        """The arguments of an Event, all but user and session."""
        return {
            "event_type": event_type,
            "product_id": item.product_id,
            "timestamp": when,
            "quantity": quantity,
            "amount_cents": amount,
            "details": details or {},
        }

    def _add(self, user_id: str, steps: list[dict]) -> None:
        """Keep a visit, as far as there is room and month left, and now and then send a purchase back."""
        steps = [step for step in steps if step["timestamp"] < END][: self.room]
        if not steps:
            return
        if user_id == facts.HEAVY_USER:
            self._attach_page_text(steps)
        self.visits.append((user_id, self.dice.pick(facts.DEVICES), steps))
        self.room -= len(steps)
        for step in steps:
            if step["event_type"] == "purchase" and self.dice.chance(8):
                self._send_back(user_id, step)

    def _send_back(self, user_id: str, bought: dict) -> None:
        """A refund, days later, of all that was paid. It names the purchase that it undoes."""
        when = bought["timestamp"] + self.dice.between(1 * DAY, 6 * DAY)
        purchase_id = event_id(user_id, from_millis(bought["timestamp"]), "purchase", bought["product_id"])
        details = {"reason": self.dice.pick(facts.REASONS), "purchase_id": str(purchase_id)}
        self._add(user_id, [bought | {"event_type": "refund", "timestamp": when, "details": details}])

    def _attach_page_text(self, steps: list[dict]) -> None:
        for step in steps:
            start = self.dice.below(len(self.page_text) - facts.PAGE_TEXT_LENGTH)
            step["details"] = step["details"] | {"page_text": self.page_text[start : start + facts.PAGE_TEXT_LENGTH]}


def deliver(dice: Dice, events: list[Event]) -> list[Delivery]:
    """Every event arrives, most of them at once, some hours late, some twice. In order of arrival."""
    positions = range(len(events))
    late = set(dice.sample(positions, facts.LATE_EVENTS))
    twice = set(dice.sample(positions, facts.DUPLICATE_DELIVERIES))
    least = facts.LATE_AFTER // MILLISECOND
    arrivals = []
    for position, event in enumerate(events):
        delay = dice.between(least, 30 * HOUR) if position in late else dice.between(20, 2 * SECOND)
        arrivals.append((to_millis(event.timestamp) + delay, position))
        if position in twice:
            arrivals.append((arrivals[-1][0] + dice.between(200, 2 * MINUTE), position))
    return [Delivery(events[position], from_millis(arrived)) for arrived, position in sorted(arrivals)]


def make_follows(dice: Dice, users: list[User]) -> list[tuple[str, str]]:
    """Pairs (follower, followed): most people follow the celebrity and a few others, the ring only itself."""
    everyone = [user.user_id for user in users if user.user_id not in facts.RING]
    others = dice.shuffled([user_id for user_id in everyone if user_id != facts.CELEBRITY])
    well_known = Wheel(others, zipf_weights(len(others)))
    follows = set(zip(facts.RING, facts.RING[1:] + facts.RING[:1], strict=True))
    for user_id in everyone:
        if dice.chance(60):
            follows.add((user_id, facts.CELEBRITY))
        follows |= {(user_id, well_known.spin(dice)) for _ in range(dice.between(0, 8))}
    return sorted(pair for pair in follows if pair[0] != pair[1])
