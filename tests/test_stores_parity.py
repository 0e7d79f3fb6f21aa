"""The same commands through the same front, to fakeredis and to a real redis-server: the same bytes come back.

What differs is listed here, each with its reason. A line that no longer differs fails too, so the list stays true.
"""

import contextlib
import re
import shlex
import socket
from pathlib import Path

import pytest

from stores.redis.embedded import EmbeddedRedis
from stores.redis.real import RealRedis
from stores.redis.resp import Frames, encode_request

TABLE = Path(__file__).parent / "data" / "redis_commands.txt"
BOTH = (2, 3)
NO_NULL_ARRAY = (
    "fakeredis has one null; the nulls here are inside its own code. Every driver reads both as None"
)
UNSUPPORTED = "fakeredis lacks the command"
DIFFERENCES = {  # line -> (protocols in which it differs, why that is accepted)
    "TOUCH c d e": (BOTH, UNSUPPORTED),
    "OBJECT HELP x": (BOTH, UNSUPPORTED),
    "OBJECT ENCODING missing": (BOTH, UNSUPPORTED),
    "WAIT 0 0": (BOTH, UNSUPPORTED),
    "EVAL \"return redis.sha1hex('')\" 0": (BOTH, "fakeredis' Lua lacks the function"),
    "LPOP missing 2": ((2,), NO_NULL_ARRAY),
    "GEOPOS g missing": ((2,), NO_NULL_ARRAY),
    "XPENDING s g": (BOTH, "an empty list of consumers where Redis sends null; drivers give an empty list"),
    "ZRANDMEMBER missing": (BOTH, "an empty array where Redis sends null"),
    "BLPOP q abc": (BOTH, "another text of the same error"),
    "ZRANGE z a b": (BOTH, "another text of the same error"),
    "GEODIST g Palermo Catania km": (BOTH, "all digits where Redis rounds to four"),
    "ZRANGE f 0 -1 WITHSCORES": (
        (3,),
        "the shortest form of a double, as Redis 7.2 and later; 7.0 sends 17 digits",
    ),
}


def groups():
    text = "\n".join(line for line in TABLE.read_text().splitlines() if not line.startswith("#"))
    return [group.splitlines() for group in re.split(r"\n\n+", text.strip())]


def answers(server, lines, protocol):
    """Send each line on one connection and return its answer: every byte until PING's or ECHO's comes back."""
    with contextlib.closing(socket.create_connection((server.host, server.port))) as sock:
        sock.settimeout(5)
        framer = Frames()
        ask(sock, framer, [b"HELLO", b"%d" % protocol])
        ask(sock, framer, [b"FLUSHDB"])
        return [ask(sock, framer, [word.encode() for word in shlex.split(line)]) for line in lines]


def ask(sock, framer, words):
    sock.sendall(encode_request(words))
    wanted = max(1, len(words) - 1) if words[0].endswith(b"SUBSCRIBE") else 1
    frames = []
    while len(frames) < wanted:
        frames += framer.feed(sock.recv(2**16))
    return b"".join(frames)


@pytest.fixture(scope="module")
def servers(redis_server):
    real = RealRedis(redis_server.url)
    embedded = EmbeddedRedis(version=real._version)
    yield embedded, real
    embedded.stop()
    real.stop()


@pytest.mark.parametrize("protocol", [2, 3], ids=["RESP2", "RESP3"])
@pytest.mark.parametrize("lines", groups(), ids=lambda lines: lines[0])
def test_the_embedded_server_answers_as_the_real_one(servers, lines, protocol):
    pairs = zip(lines, *(answers(server, lines, protocol) for server in servers), strict=True)
    wrong = {}
    for line, embedded, real in pairs:
        differs = embedded != real
        if differs != (protocol in DIFFERENCES.get(line, ((), ""))[0]):
            wrong[line] = f"embedded {embedded!r}, real {real!r}"
    assert not wrong


def test_the_table_is_large_and_the_differences_are_in_it():
    lines = [line for group in groups() for line in group]
    assert len(lines) > 300 and set(DIFFERENCES) <= set(lines)
