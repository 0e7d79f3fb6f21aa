"""The one query that ArcadeDB answers wrongly and a small rewrite makes right.

    MATCH p = shortestPath((a:Person {name: 'Ann'})-[:KNOWS*]-(b:Person)) WHERE length(p) > 1

Here the engine asks the WHERE of the end nodes, before there is a path, and returns nothing. With the ends matched
first it asks it of the path:

    MATCH (a:Person {name: 'Ann'}), (b:Person), p = shortestPath((a)-[:KNOWS*]-(b)) WHERE length(p) > 1
"""

from itertools import pairwise

from stores.neo4j.cypher import clauses, returns_everything, unquoted

FUNCTIONS = ("SHORTESTPATH", "ALLSHORTESTPATHS")


def paths_last(text):
    """Return the query with the ends of shortest paths matched before them, where its WHERE asks of the path."""
    found = clauses(text)
    for clause, following in reversed(list(pairwise(found))):
        if clause.word == "MATCH" and following.word == "WHERE":
            text = _ends_first(text, clause, following)
    return text


def _ends_first(text, match, where):
    tokens = match.tokens
    shape = [token.word for token in tokens[:4]]
    if len(shape) < 4 or shape[1] != "=" or shape[2] not in FUNCTIONS or tokens[-1].text != ")" or returns_everything(text):
        return text
    name = unquoted(tokens[0])
    asks = any(token.kind in ("word", "quoted") and unquoted(token) == name for token in where.tokens)
    # The nodes are the brackets one level inside those of the function; a second pattern would stand outside.
    inside = tokens[3].depth + 1
    opens = [token for token in tokens[4:-1] if token.text == "(" and token.depth == inside]
    closes = [token for token in tokens[4:-1] if token.text == ")" and token.depth == inside]
    alone = all(token.depth > tokens[3].depth for token in tokens[4:-1])
    if not asks or not alone or len(opens) != 2 or len(closes) != 2:
        return text
    nodes = [_named(text, tokens, *ends) for ends in zip(opens, closes, strict=True)]
    (first, first_node), (second, second_node) = nodes
    between = text[closes[0].end : opens[1].start]
    call = f"{text[tokens[0].start : opens[0].start]}({first}){between}({second})"
    return f"{text[: tokens[0].start]}{first_node}, {second_node}, {call}{text[closes[1].end :]}"


def _named(text, tokens, opens, closes):
    """Return (variable, node pattern) of the node between two brackets; one without a variable is given one."""
    inner = [token for token in tokens if opens.end <= token.start < closes.start]
    if inner and inner[0].kind in ("word", "quoted"):
        return inner[0].text, text[opens.start : closes.end]
    spare = f"end_{opens.start}"
    return spare, f"({spare}{text[opens.end : closes.end]}"
