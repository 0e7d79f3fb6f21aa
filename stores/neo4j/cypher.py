"""Reading Cypher as far as a front must: which words are keywords, what kind of query it is, whether it writes.

It is a lexer, not a parser: the engine parses. Text in quotes, comments, and names that only look like a
keyword (`n.set`, `:Create`, `{merge: 1}`) are told apart here, so that nothing is decided on a word in a string.
"""

import re
from functools import lru_cache
from typing import NamedTuple

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
      | (?P<quoted>`(?:``|[^`])*`)
      | (?P<parameter>\$\w+|\$`[^`]*`)
      | (?P<number>\d[\w.]*)
      | (?P<word>[^\W\d]\w*)
      | (?P<sign>->|<-|<>|<=|>=|=~|\+=|\.\.|.)""",
    re.VERBOSE | re.DOTALL,
)
WRITES = {"CREATE", "INSERT", "MERGE", "SET", "DELETE", "REMOVE", "DROP", "FOREACH"}
SCHEMA = {"CONSTRAINT", "INDEX", "RANGE", "TEXT", "POINT", "LOOKUP", "FULLTEXT", "VECTOR"}
# What such a word may follow when it is a name: n.set, :Create, [:SET|DELETE], as an alias.
BEFORE_NAME = {".", ":", "|", "&", "!", "AS"}


class Token(NamedTuple):
    """One word or sign of a query: its kind (a group of TOKEN), its text, and where it starts."""

    kind: str
    text: str
    start: int
    depth: int  # how many brackets are open

    @property
    def end(self):
        return self.start + len(self.text)

    @property
    def word(self):
        """The text in capitals when it is a word, and as it is otherwise."""
        return self.text.upper() if self.kind == "word" else self.text


class Reading(NamedTuple):
    """What the front knows of a query. `kind` is the summary's query type: r, rw, w or s."""

    tokens: tuple
    kind: str
    prefix: str  # "PROFILE", "EXPLAIN" or ""

    @property
    def writes(self):
        return self.kind != "r"

    @property
    def balanced(self):
        """Whether every bracket that opens also closes."""
        signs = [token.text for token in self.tokens if token.kind == "sign"]
        return all(signs.count(a) == signs.count(b) for a, b in ("()", "[]", "{}"))

    def starts(self, *words):
        """Return whether the query begins with these words, after PROFILE or EXPLAIN."""
        return tuple(token.word for token in self.body[: len(words)]) == words

    @property
    def body(self):
        return self.tokens[bool(self.prefix) :]


@lru_cache(maxsize=512)
def read(text):
    """Return the Reading of a query's text. Text that is no Cypher is read too: the engine says what is wrong."""
    tokens = tuple(scan(text))
    prefix = tokens[0].word if tokens and tokens[0].word in ("PROFILE", "EXPLAIN") else ""
    return Reading(tokens, _kind(tokens[bool(prefix) :]), prefix)


def scan(text):
    """Yield the Tokens of a query without its spaces and comments."""
    depth = 0
    for match in TOKEN.finditer(text):
        kind, found = match.lastgroup, match[0]
        if kind == "space":
            continue
        if found in ")]}" and kind == "sign":
            depth -= 1
        yield Token(kind, found, match.start(), depth)
        if found in "([{" and kind == "sign":
            depth += 1


def keywords(tokens):
    """Yield the word tokens that are not names of something."""
    for i, token in enumerate(tokens):
        before = tokens[i - 1].word if i else ""
        after = tokens[i + 1].text if i + 1 < len(tokens) else ""
        if token.kind == "word" and before not in BEFORE_NAME and not (after == ":" and before in ("{", ",")):
            yield token


def _kind(tokens):
    first = [token.word for token in tokens[:2]]
    if first[:1] in (["CREATE"], ["DROP"]) and first[1:] and first[1] in SCHEMA:
        return "s"
    words = list(keywords(tokens))
    if not any(token.word in WRITES for token in words):
        return "r"
    returns = any(token.word == "RETURN" and token.depth == 0 for token in words)
    return "rw" if returns else "w"


class Clause(NamedTuple):
    """A clause outside all brackets: the word that begins it and the tokens that follow, up to the next clause."""

    word: str
    start: int
    tokens: tuple


CLAUSES = {
    *("MATCH OPTIONAL WHERE WITH RETURN ORDER SKIP OFFSET LIMIT UNWIND CREATE MERGE ON SET REMOVE DELETE DETACH".split()),
    *("FOREACH CALL YIELD UNION LOAD USE SHOW FINISH DROP ; USING INSERT NODETACH".split()),
}


@lru_cache(maxsize=512)
def clauses(text):
    """Return the tuple of a query's Clauses, PROFILE and EXPLAIN left out."""
    body = read(text).body
    inside = {token.start for token in keywords(body)}
    found = []
    for i, token in enumerate(body):
        before = body[i - 1].word if i else ""
        begins = token.depth == 0 and token.word in CLAUSES and (token.start in inside or token.text == ";")
        if begins and not (token.word == "WITH" and before in ("STARTS", "ENDS")):
            found.append(Clause(token.word, token.start, []))
        elif found:
            found[-1].tokens.append(token)
    return tuple(found)


def items(clause):
    """Return the comma-separated items of a RETURN, WITH or YIELD: a list of lists of tokens."""
    parts = [[]]
    for token in clause.tokens:
        if token.text == "," and token.depth == 0:
            parts.append([])
        elif parts != [[]] or token.word not in ("DISTINCT", "ALL"):
            parts[-1].append(token)
    return [part for part in parts if part]


def columns(text):
    """Return the names of the columns that a query returns, as a list; None when its text does not tell them."""
    ends = [clause for clause in clauses(text) if clause.word in ("RETURN", "YIELD")]
    if not ends:
        return None
    names = [_name(text, item) for item in items(ends[-1])]
    return None if "*" in names else names


def returns_everything(text):
    """Return whether the query ends with RETURN *, alone."""
    ends = [clause for clause in clauses(text) if clause.word == "RETURN"]
    return bool(ends) and [token.text for token in ends[-1].tokens] == ["*"]


def in_scope(text):
    """Return the names that a WITH right before the RETURN leaves, or [] where it takes more to know."""
    before = [clause for clause in clauses(text) if clause.word not in ("WHERE", "ORDER", "SKIP", "OFFSET", "LIMIT")][-2:]
    if len(before) < 2 or before[0].word != "WITH":
        return []
    names = [_name(text, item) for item in items(before[0])]
    return [] if "*" in names else names


def _name(text, item):
    words = [token.word for token in item if token.depth == item[0].depth]
    if "AS" in words[1:]:
        return unquoted(item[-1])
    return unquoted(item[0]) if len(item) == 1 else text[item[0].start : item[-1].end]


def unquoted(token):
    """Return the name in a token, without the backquotes around it."""
    return token.text[1:-1].replace("``", "`") if token.kind == "quoted" else token.text


def quoted(name):
    """Return a name in backquotes, whatever it holds."""
    return "`" + name.replace("`", "``") + "`"


def at(text, offset):
    """Return how Neo4j ends a message about a place in a query: where it is, its line, and a mark under it."""
    before = text[:offset]
    number = before.count("\n") + 1
    start = before.rfind("\n") + 1
    line = text[start:].split("\n")[0]
    column = offset - start
    return f'(line {number}, column {column + 1} (offset: {offset}))\n"{line}"\n{" " * (column + 1)}^'
