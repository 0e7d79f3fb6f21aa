"""The stand-in against memcached itself, an unmodified driver, and the rule for a real server."""

import socket
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheError

import stores
from stores.memcached import text
from stores.memcached.embedded import EmbeddedMemcached
from stores.memcached.real import RealMemcached

BIG = b"x" * 2**20
LONG = b"k" * 251
# Conversations, each on its own connection to the same server: what comes back must be memcached's, byte for byte.
CONVERSATIONS = [
    b"get a\r\n",
    b"set a 5 0 3\r\nabc\r\nget a\r\nget b a a\r\n",
    b"get\r\ngets\r\nnosuch\r\n\r\nSET a 0 0 1\r\n",
    b"set a 0 0\r\nset a 0 0 x\r\nset a 0 0 -1\r\nset a 0 x 1\r\nset a -1 0 1\r\nget a\r\n",
    b"set a 0 0 2\r\nabcd\r\nget a\r\n",
    b"set a 0 0 0\r\n\r\nget a\r\nset a 0 0 4\r\n\r\n\r\n\r\nget a\r\n",
    b"set %s 0 0 1\r\nx\r\n" % LONG,
    b"get %s\r\ndelete %s\r\nincr %s 1\r\ntouch %s 1\r\n" % (LONG, LONG, LONG, LONG),
    b"set %s 0 0 1\r\nx\r\nget %s\r\n" % (LONG[:250], LONG[:250]),
    b"set n 0 0 2\r\n10\r\nincr n 5\r\ndecr n 10\r\nget n\r\ndecr n 100\r\nget n\r\nincr n -1\r\nincr n x\r\n",
    b"incr missing 1\r\ndecr missing 1\r\nincr n\r\nset t 0 0 1\r\nx\r\nincr t 1\r\n",
    b"set n 0 0 20\r\n18446744073709551615\r\nincr n 1\r\nget n\r\n",
    b"set n 0 0 2\r\n99\r\nincr n 1\r\nget n\r\ndecr n 1\r\nget n\r\nincr n 1\r\nget n\r\n",
    b"add z 0 0 1\r\nx\r\nadd z 0 0 1\r\ny\r\nreplace z 1 0 1\r\ny\r\nreplace zz 0 0 1\r\nx\r\nget z\r\n",
    b"append z 9 0 1\r\n>\r\nprepend z 9 0 1\r\n<\r\nget z\r\nappend zz 0 0 1\r\nx\r\nprepend zz 0 0 1\r\nx\r\n",
    b"cas z 0 0 1 99999999\r\nx\r\ncas zq 0 0 1 1\r\nx\r\ncas z 0 0 1\r\n",
    b"delete z\r\ndelete z\r\ndelete z 0\r\ndelete z 5\r\ndelete\r\ndelete a noreply\r\nget a\r\n",
    b"set a 3 0 1\r\nx\r\ntouch a 10\r\ntouch zz 10\r\ntouch a x\r\ntouch a\r\ngat 10 a zz\r\ngat x a\r\ngat 10\r\ngat\r\n",
    b"set t 0 -1 1\r\nx\r\nget t\r\nset t 0 0 1 noreply\r\nx\r\nget t\r\n",
    b"flush_all\r\nget t\r\nflush_all 0\r\nflush_all noreply\r\nflush_all x\r\nflush_all -1\r\n",
    b"verbosity 1\r\nverbosity\r\nverbosity 1 noreply\r\nversion x\r\ncache_memlimit 4\r\ncache_memlimit x\r\n",
    b"set big 0 0 1\r\nx\r\nset big 0 0 1048576\r\n%s\r\nget big\r\n" % BIG,
    b"set b 0 0 1048516\r\n%s\r\ndelete b\r\n" % BIG[:1048516],
    b"set b 0 0 1048517\r\n%s\r\nget b\r\n" % BIG[:1048517],
    b"set a 0 0 1 other\r\nx\r\nset  a  0 0 1\r\ny\r\nget  a\r\nget a\nget b\n",
    b"stats reset\r\nstats nosuch\r\n",
    b"get " + b" ".join(b"k%d" % i for i in range(500)) + b"\r\n",
    b"x" * 3000,
    b"get a\r\nquit\r\nget a\r\n",
]


def talk(port, data):
    """Send `data`, then quit, and return everything that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(data)
        try:
            if b"\n" in data:
                sock.sendall(b"quit\r\n")
        except OSError:
            pass  # it has closed already
        answer = b""
        try:
            while more := sock.recv(2**16):
                answer += more
        except ConnectionResetError:
            pass
        return answer


@pytest.fixture
def server():
    server = EmbeddedMemcached()
    yield server
    server.stop()


@pytest.fixture
def client(server):
    with_replies = Client((server.host, server.port), default_noreply=False)
    yield with_replies
    with_replies.close()


def test_the_stand_in_answers_as_memcached_itself(launch, server):
    program = launch("memcached")
    for data in CONVERSATIONS:
        assert talk(server.port, data) == talk(program.port, data), data[:80]
    program.stop()


def test_pymemcache_connects_unmodified(client):
    assert client.set("k", "v") and client.get("k") == b"v"
    assert client.set_many({"a": "1", "b": "2"}) == [] and client.get_many(["a", "b", "c"]) == {
        "a": b"1",
        "b": b"2",
    }
    value, unique = client.gets("k")
    assert client.cas("k", "w", unique) and not client.cas("k", "x", unique)
    assert value == b"v" and client.cas("missing", "x", unique) is None
    assert client.incr("a", 4) == 5 and client.decr("a", 9) == 0 and client.incr("missing", 1) is None
    assert client.append("k", "!") and client.prepend("k", "!") and client.get("k") == b"!w!"
    assert client.touch("k", 5) and client.delete("k") and not client.delete("k")
    assert not client.add("a", 1) and not client.replace("zz", 1)
    assert client.version() == b"1.6.18" and client.stats()[b"curr_items"] == 2
    with pytest.raises(MemcacheError):
        client.set("big", b"x" * 2**20)
    assert client.flush_all() and client.get("a") is None


def test_a_large_value_without_a_reply_is_lost_silently(server):
    client = Client((server.host, server.port))  # default_noreply: the driver does not wait for an answer
    client.set("k", "old")
    client.set("k", b"x" * 2**20)
    assert client.get("k") is None
    client.close()


def test_ttls_follow_the_servers_clock(server, client):
    client.set("k", "v", expire=60)
    client.set("forever", "v")
    client.set("date", "v", expire=int(server.clock.now()) + 90)
    server.clock.advance(59)
    assert talk(server.port, b"gat 100 k\r\n") == b"VALUE k 0 1\r\nv\r\nEND\r\n"
    server.clock.advance(32)
    assert client.get("k") == b"v" and client.get("date") is None
    server.clock.advance(100)
    assert client.get("k") is None and client.get("forever") == b"v"
    client.flush_all(10)
    assert client.get("forever") == b"v"
    server.clock.advance(11)
    assert client.get("forever") is None


def test_the_least_recently_used_items_go_first(server, client):
    server.memory_limit = 100_000
    for i in range(9):
        client.set(f"k{i}", b"x" * 10_000)
    client.get("k0")
    client.set("k9", b"x" * 10_000)
    assert client.get("k0") is not None and client.get("k1") is None
    assert client.stats()[b"evictions"] == 1
    server.reset()
    assert client.stats()[b"curr_items"] == 0


def test_record_and_faults_work_as_with_redis(server, client):
    with server.record() as log:
        client.set("k", "v")
        client.get_many(["k", "l"])
    assert [command.name for command in log] == ["SET", "GET"] and log.round_trips == 2
    assert log.commands[1].args == ("k", "l")
    with server.faults.transient("INCR"), pytest.raises(MemcacheError):
        client.incr("k", 1)
    with server.faults.drop_reply("INCR"):
        client.set("n", "1")
        with pytest.raises((OSError, MemcacheError)):
            client.incr("n", 1)
    client.close()
    assert client.get("n") == b"2"


def test_start_names_the_stand_in():
    server = stores.start("memcached")
    assert (server.name, server.kind) == ("memcached", "embedded")
    assert server.url == f"memcached://127.0.0.1:{server.port}"
    stores.stop_all()


words = st.text("abk01 ", min_size=1, max_size=12).map(str.encode)
commands = st.one_of(
    st.builds(
        lambda key, data: b"set %s 0 0 %d\r\n%s\r\n" % (key, len(data), data),
        st.just(b"k"),
        st.binary(max_size=30),
    ),
    st.builds(lambda word: b"get %s\r\n" % word, words),
    st.just(b"delete k noreply\r\n"),
)


@given(st.lists(commands, max_size=8), st.lists(st.integers(0, 1000), max_size=8))
def test_requests_come_out_whole_however_the_bytes_are_split(sent, cuts):
    data = b"".join(sent)
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    parser = text.Requests()
    found = [r for start, end in zip(at, at[1:], strict=False) for r in parser.feed(data[start:end])]  # noqa: RUF007
    assert found == text.Requests().feed(data) and len(found) == len(sent)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_parsed_alike_whole_and_in_two(data, cut):
    whole, split = text.Requests(), text.Requests()
    assert list(map(repr, whole.feed(data))) == list(
        map(repr, split.feed(data[:cut]) + split.feed(data[cut:]))
    )


# A real server.


@pytest.fixture
def program(launch):
    program = launch("memcached")
    yield program
    program.stop()


def test_the_course_writes_under_its_own_prefix_and_deletes_only_that(program):
    server = RealMemcached(program.url)
    ours = Client((server.host, server.port), default_noreply=False)
    direct = Client((program.host, program.port), default_noreply=False)
    direct.set("k", "theirs")  # comes after the start, under the same name
    ours.set_many({"k": "ours", "l": "2"})
    assert ours.get("k") == b"ours" and ours.get_many(["k", "l", "m"]) == {"k": b"ours", "l": b"2"}
    assert ours.touch("l", 100) and ours.incr("l", 1) == 3 and ours.delete("l")
    ours.flush_all()
    assert ours.get("k") is None and direct.get("k") == b"theirs"
    ours.set("k", "ours", expire=60)
    server.clock.advance(30)
    assert ours.get("k") == b"ours"
    server.clock.advance(31)
    assert ours.get("k") is None
    for line in (
        b"shutdown\r\n",
        b"cache_memlimit 8\r\n",
        b"verbosity 1\r\n",
        b"stats reset\r\n",
        b"flush_all 9\r\n",
    ):
        assert b"not available on a real server" in talk(server.port, line)
    ours.set("left", "1")
    ours.close()
    server.stop()
    assert direct.get("k") == b"theirs" and direct.stats()[b"curr_items"] == 1
    direct.close()


def test_a_server_with_items_of_others_is_refused(program):
    direct = Client((program.host, program.port), default_noreply=False)
    direct.set("k", "theirs")
    with pytest.raises(stores.Unreachable, match="holds items of others"):
        RealMemcached(program.url)
    assert direct.get("k") == b"theirs"
    direct.close()


def test_what_a_killed_kernel_left_does_not_stop_the_next(program):
    code = (
        "import sys, time; from pymemcache.client.base import Client; from stores.memcached.real import RealMemcached\n"
        "s = RealMemcached(sys.argv[1]); Client((s.host, s.port), default_noreply=False).set('k', 1)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, program.url], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    process.stdout.close()
    time.sleep(0.05)
    server = RealMemcached(program.url)
    client = Client((server.host, server.port), default_noreply=False)
    assert client.get("k") is None and client.set("k", "new")
    client.close()
    server.stop()
