"""What must differ from run to run, taken out of a cell's outputs; everything else is compared as it is.

Each rule replaces what a pattern finds by one word. Ids that a cell computes from its data (uuid5, hashes) are kept.
"""

import hashlib
import re
import time
from datetime import UTC, datetime
from typing import NamedTuple

from nbformat import NotebookNode

DAY = 24 * 3600
AROUND_NOW = 3 * DAY  # seconds: lessons move a server's clock by up to a day
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-%s[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


class Rule(NamedTuple):
    """What is replaced, and by which word (or a function of the match, which may keep the text)."""
    what: str
    pattern: re.Pattern
    word: object


def _if_now(match: re.Match) -> str:
    """NOW for a time of the days of this run; any other time is the lesson's own and stays."""
    text = match[0]
    try:
        if "-" in text:
            seconds = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        else:   # seconds have 10 digits, milliseconds 13, microseconds 16
            seconds = float(text) / 10 ** (len(text.partition(".")[0]) - 10)
    except ValueError:
        return text
    return "NOW" if abs(seconds - time.time()) < AROUND_NOW else text


RULES = tuple(Rule(what, re.compile(pattern, re.S), word) for what, pattern, word in (
    ("the server card as text", r"<(\w+) server: [^>]*>", r"<\1 server>"),
    ("the server card as HTML", r"<strong>(\w+)</strong> · (?:embedded|real)<br>.*?</code>", r"<strong>\1</strong>"),
    ("the address of a server", r"\b(127\.0\.0\.\d+|localhost):\d{2,5}\b", r"\1:PORT"),
    ("the address of a server as a pair", r"'(127\.0\.0\.\d+|localhost)', \d{2,5}\b", r"'\1', PORT"),
    ("a connection's own port, as the Neo4j driver logs it", r"\[#[0-9A-F]{4}\]", "[#PORT]"),
    ("the address of an object in memory", r"\b0x[0-9a-f]{6,16}\b", "0xADDRESS"),
    ("an element id of Neo4j, embedded or real", rf"#\d+:\d+|\b\d:{UUID % '[0-9a-f]'}:\d+", "ELEMENT"),
    ("a uuid of time or chance (versions 1, 4, 7)", rf"\b{UUID % '[147]'}\b", "UUID"),
    ("an ObjectId", r"\b[0-9a-f]{24}\b", "OBJECTID"),
    ("the keyspace that the course claims on a real Cassandra", r"\bcourse_[0-9a-f]{8}\b", "course"),
    ("a file made for this run", r"/[\w./-]*/(?:ipykernel_\d+|tmp[\w-]{6,})\b", "/TEMPORARY"),
    ("a date and time of these days", r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?", _if_now),
    ("these days in seconds, milliseconds or microseconds", r"\b(?:1\d{9}(?:\.\d+)?|1\d{12}|1\d{15})\b", _if_now),
))


def exact(cell: NotebookNode) -> list[tuple[str, str]]:
    """A cell's outputs in order, as (what it is, what it says): texts after RULES, pictures as a digest of their data.

    What one cell writes to a stream is one text, however many messages it came in. An error is its name and message: its traceback
    shows lines of libraries.
    """
    said: list[tuple[str, str]] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            earlier = "".join(text for kind, text in said if kind == output.name)
            said = [part for part in said if part[0] != output.name]
            said.append((output.name, earlier + output.text))
        elif output.output_type == "error":
            said.append(("error", f"{output.ename}: {output.evalue}"))
        else:
            said += [(kind, data if isinstance(data, str) else repr(data)) for kind, data in sorted(output.data.items())]
    return [(kind, digest(text) if is_picture(kind) else apply_rules(text)) for kind, text in said]


def coarse(cell: NotebookNode) -> list[tuple[str, str]]:
    """The same without numbers and pictures: what stays of a cell that measures or draws at random."""
    return [(kind, "a picture" if is_picture(kind) else re.sub(r"\d+(?:[.,]\d+)*", "N", text)) for kind, text in exact(cell)]


def is_picture(kind: str) -> bool:
    return kind.startswith("image/")


def digest(data: str) -> str:
    return f"a picture, SHA-256 {hashlib.sha256(data.encode()).hexdigest()[:16]}"


def apply_rules(text: str) -> str:
    for rule in RULES:
        text = rule.pattern.sub(rule.word, text)
    return text
