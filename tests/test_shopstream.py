"""The data set holds what it promises, everywhere the same, and an event survives every store."""

import json
import threading
import uuid
from collections import Counter, namedtuple
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise

import pytest
from cassandra import cqltypes
from hypothesis import given
from hypothesis import strategies as st

from course import shopstream
from course.shopstream import EVENT_TYPES, Event, facts, from_millis, to_millis, to_text

NOON = datetime(2026, 6, 19, 12, tzinfo=UTC)
TWO_HOURS_EAST = timezone(timedelta(hours=2))


@pytest.fixture(scope="module")
def shop():
    return shopstream.load()


def event(**changes) -> Event:
    facts_of_it = {"user_id": "u17", "session_id": "s1", "event_type": "purchase", "product_id": "p7"}
    return Event(**facts_of_it | {"timestamp": NOON, "amount_cents": 1999} | changes)


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)  # all of Unicode that UTF-8 has
words = st.from_regex(r"[a-z_][a-z0-9_]{0,9}", fullmatch=True)


@st.composite
def events(draw) -> Event:
    event_type = draw(st.sampled_from(EVENT_TYPES))
    return Event(
        user_id=draw(text),
        session_id=draw(text),
        event_type=event_type,
        product_id=draw(text),
        timestamp=from_millis(draw(st.integers(0, 4_000_000_000_000))),
        quantity=draw(st.integers(1, 10**6)),
        amount_cents=draw(st.integers(0, 10**15)) if event_type in ("purchase", "refund") else None,
        details=draw(st.dictionaries(words, text, max_size=4)),
    )


# -- the data set -----------------------------------------------------------------------------


def test_every_machine_and_every_python_makes_the_same_shop(shop):
    assert shop.fingerprint() == "62b94009353aedbd7039a17ceadfdab0eb957764a7adbd6b4b98f6c610adad96"


def test_numbers_of_everything(shop):
    assert (len(shop.users), len(shop.products), len(shop.events)) == (400, 120, 12_000)
    assert len(shop.deliveries) == 12_600
    assert {e.event_type for e in shop.events} == set(EVENT_TYPES)
    assert len({user.name for user in shop.users}) == 400
    assert len({product.name for product in shop.products}) == 120
    assert len({e.event_id for e in shop.events}) == 12_000


def test_events_are_in_order_and_within_thirty_days(shop):
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(shop.events))
    days = {e.timestamp.date() for e in shop.events}
    assert days == {date(2026, 6, 1) + timedelta(days=n) for n in range(30)}


def test_events_refer_to_users_products_and_sessions_that_exist(shop):
    products = {product.product_id for product in shop.products}
    sessions = {session.session_id: session for session in shop.sessions}
    assert len(sessions) == len(shop.sessions)
    for e in shop.events:
        session = sessions[e.session_id]
        assert session.user_id == e.user_id == shop.user(e.user_id).user_id
        assert session.started_at <= e.timestamp <= session.ended_at
        assert e.product_id in products


def test_a_refund_undoes_an_earlier_purchase_and_only_once(shop):
    purchases = {str(e.event_id): e for e in shop.of_type("purchase")}
    refunds = shop.of_type("refund")
    assert len({e.details["purchase_id"] for e in refunds}) == len(refunds) > 0
    for refund in refunds:
        bought = purchases[refund.details["purchase_id"]]
        assert bought.timestamp < refund.timestamp
        for same in ("user_id", "product_id", "amount_cents", "quantity"):
            assert getattr(bought, same) == getattr(refund, same)


def test_busy_users_follow_zipfs_law(shop):
    counts = [count for _, count in Counter(e.user_id for e in shop.events).most_common()]
    assert counts[0] > 1.5 * counts[1]
    for rank in (2, 5, 10, 20, 50):
        assert 0.5 < counts[rank - 1] * rank / counts[0] < 2


def test_follows_and_co_purchases_are_proper_edges(shop):
    assert len(set(shop.follows)) == len(shop.follows)
    assert all(follower != followed for follower, followed in shop.follows)
    bought = Counter()
    for user in shop.users:
        basket = {e.product_id for e in shop.events_of(user.user_id) if e.event_type == "purchase"}
        bought.update((a, b) for a in basket for b in basket if a < b)
    assert {(a, b): buyers for a, b, buyers in shop.co_purchases} == bought
    assert all(one[2] >= other[2] for one, other in pairwise(shop.co_purchases))


def test_a_day_begins_at_midnight_and_ends_before_the_next(shop):
    before, after = shop.traps["midnight"].where
    assert before in shop.day("2026-06-09") and after not in shop.day("2026-06-09")
    assert after in shop.day(date(2026, 6, 10)) and before not in shop.day("2026-06-10")
    assert sum(len(shop.day(f"2026-06-{n:02}")) for n in range(1, 31)) == 12_000


def test_events_and_sessions_of_a_user(shop):
    mine = shop.events_of("u17")
    assert mine == [e for e in shop.events if e.user_id == "u17"]
    assert 20 < len(mine) < 100  # the user of most examples is neither busy nor silent
    assert {s.session_id for s in shop.sessions_of("u17")} == {e.session_id for e in mine}
    mine.clear()
    assert shop.events_of("u17")  # a caller's list is the caller's
    with pytest.raises(KeyError):
        shop.events_of("u401")


def test_load_makes_the_shop_once(shop):
    assert shopstream.load() is shop


# -- its traps --------------------------------------------------------------------------------


def test_celebrity_is_busiest_and_most_followed(shop):
    (celebrity,) = shop.traps["celebrity"].where
    assert Counter(e.user_id for e in shop.events).most_common(1)[0][0] == celebrity
    assert Counter(followed for _, followed in shop.follows).most_common(1)[0][0] == celebrity


def test_heavy_user_has_more_than_a_megabyte_of_events_and_nobody_else_has(shop):
    (heavy,) = shop.traps["heavy_user"].where
    sizes = Counter()
    for e in shop.events:
        sizes[e.user_id] += len(e.to_json().encode())
    assert [user for user, size in sizes.items() if size > 2**20] == [heavy]
    largest = max(len(e.to_json().encode()) for e in shop.events_of(heavy))
    assert largest < 400 * 1024  # what a DynamoDB item may hold


def test_same_millisecond_pairs_are_two_events_of_one_user(shop):
    pairs = shop.traps["same_millisecond"].where
    assert len(pairs) == facts.SAME_MILLISECOND_PAIRS
    for one, other in pairs:
        assert (one.user_id, one.timestamp) == (other.user_id, other.timestamp)
        assert one.event_id != other.event_id
    moments = Counter((e.user_id, e.timestamp) for e in shop.events)
    assert sum(count - 1 for count in moments.values()) == len(pairs)


def test_flash_sale_is_the_busiest_hour_by_far(shop):
    hours = Counter(e.timestamp.replace(minute=0, second=0, microsecond=0) for e in shop.events)
    (first, most), (_, second) = hours.most_common(2)
    assert first == facts.FLASH_SALE_START and most > 5 * second
    sale = shop.traps["flash_sale"].where
    price = shop.product(facts.FLASH_SALE_PRODUCT).price_cents * 60 // 100
    bought = [e for e in sale if e.details.get("sale") == "flash"]
    assert len(bought) > 100 and all(e.amount_cents == price * e.quantity for e in bought)


def test_duplicates_and_late_events_among_the_deliveries(shop):
    assert all(a.arrived_at <= b.arrived_at for a, b in pairwise(shop.deliveries))
    assert all(delivery.arrived_at > delivery.event.timestamp for delivery in shop.deliveries)
    times = Counter(delivery.event.event_id for delivery in shop.deliveries)
    assert set(times) == {e.event_id for e in shop.events}
    assert Counter(times.values()) == {1: 11_400, 2: 600}
    assert {d.event.event_id for d in shop.traps["duplicates"].where} == {i for i, n in times.items() if n == 2}
    first_arrival = {d.event.event_id: d for d in reversed(shop.deliveries)}
    late = {i for i, d in first_arrival.items() if d.arrived_at - d.event.timestamp >= timedelta(hours=1)}
    assert {d.event.event_id for d in shop.traps["late"].where} == late
    assert len(late) == 240
    assert any(d.arrived_at.date() > d.event.timestamp.date() for d in shop.traps["late"].where)


def test_ring_is_a_circle_cut_off_from_the_rest(shop):
    ring = shop.traps["ring"].where
    touching = {(a, b) for a, b in shop.follows if a in ring or b in ring}
    assert touching == set(zip(ring, ring[1:] + ring[:1], strict=True))


def test_silent_users_have_no_event(shop):
    silent = shop.traps["silent_users"].where
    assert silent and not any(shop.events_of(user_id) for user_id in silent)
    assert len({e.user_id for e in shop.events}) == 400 - len(silent)


def test_every_trap_says_what_it_holds(shop):
    for name, trap in shop.traps.items():
        assert trap.name == name and trap.about and trap.where


# -- the contract -----------------------------------------------------------------------------


def test_same_facts_give_the_same_id_in_every_time_zone():
    here = event(timestamp=NOON.astimezone(TWO_HOURS_EAST))
    assert here == event() and here.event_id == event().event_id and hash(here) == hash(event())
    assert here.timestamp.tzinfo is UTC
    assert event().event_id.version == 5


@pytest.mark.parametrize("change", [{"user_id": "u18"}, {"product_id": "p8"}, {"event_type": "refund"},
                                    {"timestamp": NOON + timedelta(milliseconds=1)}])  # fmt: skip
def test_other_facts_give_another_id(change):
    assert event(**change).event_id != event().event_id


@pytest.mark.parametrize(
    ("wrong", "error", "advice"),
    [
        ({"timestamp": datetime(2026, 6, 19)}, ValueError, "replace(tzinfo=UTC)"),
        ({"timestamp": NOON.replace(microsecond=1)}, ValueError, "microsecond // 1000 * 1000"),
        ({"timestamp": "2026-06-19"}, TypeError, "pass an aware datetime"),
        ({"timestamp": date(2026, 6, 19)}, TypeError, "pass an aware datetime"),
        ({"amount_cents": 19.99}, TypeError, "1999 for 19.99"),
        ({"amount_cents": Decimal("19.99")}, TypeError, "1999 for 19.99"),
        ({"amount_cents": True}, TypeError, "whole cents"),
        ({"amount_cents": None}, TypeError, "whole cents"),
        ({"amount_cents": -5}, ValueError, "must be 0 or more"),
        ({"event_type": "view"}, ValueError, "leave it out"),
        ({"event_type": "order"}, ValueError, "use one of view, cart, purchase, refund"),
        ({"user_id": 17}, TypeError, "pass text"),
        ({"user_id": ""}, TypeError, "pass text"),
        ({"quantity": 0}, ValueError, "must be 1 or more"),
        ({"quantity": 1.0}, TypeError, "whole number"),
        ({"details": {"stars": 5}}, TypeError, "str(value)"),
        ({"details": None}, TypeError, "pass a dict"),
        ({"details": {"$set": "x"}}, ValueError, "plain word"),
        ({"details": {"a.b": "x"}}, ValueError, "plain word"),
        ({"event_id": "e1"}, TypeError, "uuid.UUID"),
    ],
)
def test_a_wrong_event_is_refused_with_advice(wrong, error, advice):
    with pytest.raises(error) as refusal:
        event(**wrong)
    assert advice in str(refusal.value)


def test_an_event_does_not_change():
    details = {"payment": "card"}
    bought = event(details=details)
    details["payment"] = "cash"
    assert bought.details == {"payment": "card"}
    bought.for_mongodb()["details"]["payment"] = "cash"
    bought.for_dynamodb()["details"]["payment"] = "cash"
    bought.for_cassandra()["details"]["payment"] = "cash"
    assert bought.details == {"payment": "card"}
    with pytest.raises(FrozenInstanceError):
        bought.quantity = 2
    assert replace(bought, quantity=2).event_id == bought.event_id


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_milliseconds_and_back(moment):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert from_millis(to_millis(moment)) == moment == datetime.fromisoformat(to_text(moment))
    later = moment + timedelta(milliseconds=1)
    assert to_millis(later) == to_millis(moment) + 1 and to_text(later) > to_text(moment)


@pytest.mark.parametrize("unclear", [datetime(2026, 6, 19), NOON.replace(microsecond=1)])
def test_a_time_that_is_unclear_has_no_text(unclear):
    with pytest.raises(ValueError, match="timestamp"):
        to_text(unclear)


# -- the forms --------------------------------------------------------------------------------


def test_json_is_stable_text():
    assert event(details={"payment": "card", "city": "Malmö"}).to_json() == (
        '{"event_id":"' + str(event().event_id) + '","user_id":"u17","session_id":"s1","event_type":"purchase",'
        '"product_id":"p7","timestamp":"2026-06-19T12:00:00.000Z","quantity":1,'
        '"details":{"payment":"card","city":"Malmö"},"amount_cents":1999}'
    )


@pytest.mark.parametrize(
    "broken", ['{"user_id": "u17"}', "[]", "7", "{", event().to_json().replace("Z", ""),
               event().to_json().replace("1999", "19.99"), event().to_json().replace('"u17"', "17")]
)  # fmt: skip
def test_broken_json_is_refused(broken):
    with pytest.raises((ValueError, TypeError)):
        Event.from_json(broken)


@given(events())
def test_every_form_leads_back_to_the_event(e):
    assert Event.from_json(e.to_json()) == e
    assert Event.from_json(e.to_json().encode()) == e
    for store in ("redis", "mongodb", "cassandra", "neo4j", "dynamodb"):
        form = getattr(e, f"for_{store}")()
        assert getattr(Event, f"from_{store}")(form | {"PK": "something else"}) == e


@given(events())
def test_redis_form_is_flat_text(e):
    assert all(type(name) is type(value) is str for name, value in e.for_redis().items())
    as_bytes = {name.encode(): value.encode() for name, value in e.for_redis().items()}
    assert Event.from_redis(as_bytes) == e


def test_through_redis():
    import fakeredis

    for decode in (True, False):
        r = fakeredis.FakeRedis(decode_responses=decode)
        r.hset("event", mapping=event(details={"gift": "ja ♥"}).for_redis())
        assert Event.from_redis(r.hgetall("event")) == event(details={"gift": "ja ♥"})
        r.xadd("events", event().for_redis())
        ((_, fields),) = r.xrange("events")
        assert Event.from_redis(fields) == event()


@given(events())
def test_through_bson(e):
    import bson

    assert Event.from_mongodb(bson.decode(bson.encode(e.for_mongodb()))) == e  # naive datetimes, the default
    aware = bson.codec_options.CodecOptions(tz_aware=True)
    assert Event.from_mongodb(bson.decode(bson.encode(e.for_mongodb()), aware)) == e


def test_through_mongodb_twice_is_a_duplicate():
    import mongomock
    from pymongo.errors import DuplicateKeyError

    collection = mongomock.MongoClient().shop.events
    collection.insert_one(event().for_mongodb())
    with pytest.raises(DuplicateKeyError):
        collection.insert_one(event().for_mongodb())
    assert Event.from_mongodb(collection.find_one({"timestamp": NOON})) == event()
    assert "amount_cents" not in event(event_type="view", amount_cents=None).for_mongodb()


@given(events())
def test_through_cassandras_types(e):
    row = e.for_cassandra()
    columns = {"event_id": "UUIDType", "timestamp": "DateType", "day": "SimpleDateType", "quantity": "Int32Type",
               "amount_cents": "LongType", "details": "MapType(UTF8Type, UTF8Type)"}  # fmt: skip
    back = {}
    for name, value in row.items():
        kind = cqltypes.lookup_casstype(columns.get(name, "UTF8Type"))
        back[name] = None if value is None else kind.from_binary(kind.to_binary(value, 5), 5)
    assert Event.from_cassandra(back) == e
    assert back["day"].date() == e.timestamp.date()
    assert Event.from_cassandra(namedtuple("Row", back)(**back)) == e


def test_cassandra_gives_an_empty_map_back_as_none():
    assert Event.from_cassandra(event().for_cassandra() | {"details": None}) == event()


@given(events())
def test_through_neo4js_wire_format(e):
    from neo4j._codec.hydration.bolt.v2 import HydrationHandler
    from neo4j._codec.packstream.v1 import PackableBuffer, Packer, UnpackableBuffer, Unpacker

    scope = HydrationHandler().new_hydration_scope()
    packed = PackableBuffer()
    Packer(packed).pack(e.for_neo4j(), dehydration_hooks=scope.dehydration_hooks)
    back = Unpacker(UnpackableBuffer(packed.data)).unpack(hydration_hooks=scope.hydration_hooks)
    assert type(back["timestamp"]).__module__ == "neo4j.time"
    assert Event.from_neo4j(back) == e


@given(events())
def test_through_dynamodbs_types(e):
    types = pytest.importorskip("boto3.dynamodb.types")
    stored = types.TypeSerializer().serialize(e.for_dynamodb())
    back = types.TypeDeserializer().deserialize(stored)
    assert Event.from_dynamodb(back) == e
    assert stored["M"]["quantity"] == {"N": str(e.quantity)}


def test_dynamodb_refuses_part_of_a_cent():
    with pytest.raises(ValueError, match="not whole"):
        Event.from_dynamodb(event().for_dynamodb() | {"amount_cents": Decimal("19.99")})


def test_whole_shop_through_every_form(shop):
    for e in shop.events[::40]:
        for store in ("redis", "mongodb", "cassandra", "neo4j", "dynamodb"):
            assert getattr(Event, f"from_{store}")(getattr(e, f"for_{store}")()) == e
        assert json.loads(e.to_json())["event_id"] == str(e.event_id) == str(uuid.UUID(str(e.event_id)))


# -- the database -----------------------------------------------------------------------------


def test_database_knows_the_shop_and_counts(shop):
    database = shop.database()
    profile = database.load_profile("u17")
    bought = [e for e in shop.events_of("u17") if e.event_type == "purchase"]
    user = shop.user("u17")
    assert profile == {"user_id": "u17", "name": user.name, "email": user.email, "city": user.city,
                       "joined": user.joined.isoformat(), "orders": len(bought)}  # fmt: skip
    assert database.load_product("p7")["price_cents"] == shop.product("p7").price_cents
    assert database.load_profile("u401") is None and database.load_product("") is None
    assert database.queries == 4
    database.queries = 0
    (total,) = database.query("SELECT sum(amount_cents) AS cents FROM orders WHERE user_id = ?", "u17")
    assert total["cents"] == sum(e.amount_cents for e in bought) and database.queries == 1


def test_updates_are_seen_counted_and_private(shop):
    database = shop.database()
    database.update_profile("u17", city="Lima", name="Mila")
    database.update_product("p7", price_cents=900)
    assert (database.load_profile("u17")["city"], database.load_profile("u17")["name"]) == ("Lima", "Mila")
    assert database.load_product("p7")["price_cents"] == 900
    assert (database.updates, database.queries) == (2, 3)
    assert shop.database().load_profile("u17")["city"] == shop.user("u17").city


@pytest.mark.parametrize("changes", [{}, {"user_id": "u1"}, {"salary": 1}, {"city": "Lima", "city = ''; --": 1}])
def test_only_columns_can_be_updated(shop, changes):
    database = shop.database()
    with pytest.raises(ValueError, match="users have name, email, city, joined"):
        database.update_profile("u17", **changes)
    assert database.updates == 0


def test_updating_nobody_is_an_error(shop):
    database = shop.database()
    with pytest.raises(KeyError, match="u401"):
        database.update_profile("u401", city="Lima")
    assert database.updates == 0


def test_threads_share_the_database_and_none_is_miscounted(shop):
    database = shop.database()
    start, wrong = threading.Barrier(8), []

    def read_and_write(number: int):
        start.wait()
        for n in range(200):
            if database.load_profile(f"u{n % 400 + 1}")["user_id"] != f"u{n % 400 + 1}":
                wrong.append(n)
            database.update_product(f"p{number + 1}", stock=n)

    threads = [threading.Thread(target=read_and_write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (database.queries, database.updates, wrong) == (1600, 1600, [])


def test_latency_slows_readers_side_by_side(shop):
    database = shop.database(latency=0.05)
    threads = [threading.Thread(target=database.load_profile, args=("u17",)) for _ in range(10)]
    began = datetime.now(UTC)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = (datetime.now(UTC) - began).total_seconds()
    assert 0.05 <= took < 0.4 and database.queries == 10  # one after the other would take 0.5 s
