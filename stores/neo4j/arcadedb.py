"""What makes ArcadeDB answer as Neo4j does: status codes, columns, plans, and errors for what it cannot do."""

import re
from itertools import pairwise

from stores.neo4j import bolt, cypher, plan
from stores.neo4j.packstream import Structure, pack, unpack
from stores.neo4j.policy import SCHEMA, STATEMENT, Failure, Policy
from stores.neo4j.rewrite import paths_last
from stores.neo4j.upstream import EngineError

SYNTAX = STATEMENT + "SyntaxError"
UNSUPPORTED = STATEMENT + "UnsupportedOperationError"
# What the engine's message holds, and the status code that Neo4j has for it.
CODES = [
    (r"^DeleteConnectedNode|[Dd]uplicated? key|ConstraintValidationFailed", SCHEMA + "ConstraintValidationFailed"),
    (r"^(UndefinedVariable|InvalidAggregation|NoExpressionAlias|UnexpectedSyntax)", SYNTAX),
    (r"^Function '\w+' expects \d+ arguments?|Type mismatch: \w+\(\) expects", SYNTAX),
    (r"does not support null property values", STATEMENT + "SemanticError"),
    (r"^TypeError|require numeric operands|must be a number", STATEMENT + "TypeError"),
    (r"^Unknown procedure", "Neo.ClientError.Procedure.ProcedureNotFound"),
    (r"(Constraint|Index) .*already exists|already exists.*(constraint|index)", SCHEMA + "EquivalentSchemaRuleAlreadyExists"),
    (r"^Error opening CSV file", STATEMENT + "ExternalResourceFailed"),
    (r"not visible yet|concurrent", "Neo.TransientError.Transaction.DeadlockDetected"),
]
CODES = [(re.compile(pattern), code) for pattern, code in CODES]
UNSAID = "Error executing Cypher command"  # the engine's message for whatever it has no message for
UNSHOWN = "DATABASES FUNCTIONS PROCEDURES SETTINGS TRANSACTIONS USERS".split()
UNTOLD = (
    "The embedded engine could not execute this query and does not say why. A query that makes or reads very much at once "
    "may not fit into its 128 MB: try a part of it."
)
# What this engine has not. Each is refused before it runs, with a way to do without.
ABSENT = [
    (("CREATE", "FULLTEXT"), "full-text indexes", "STARTS WITH, CONTAINS or =~ in a WHERE find text without one"),
    (("CREATE", "VECTOR"), "vector indexes", "compare the vectors of a few candidates in Python"),
    (("CREATE", "LOOKUP"), "token lookup indexes", "they exist in every Neo4j already"),
    *((("SHOW", what), f"SHOW {what}", "SHOW CONSTRAINTS, SHOW INDEXES and CALL db.labels() work") for what in UNSHOWN),
]
EMPTY = pack(Structure(bolt.RECORD, ([],)))
SHOW = {
    "CONSTRAINT": "id name type entityType labelsOrTypes properties ownedIndex propertyType",
    "INDEX": "id name state populationPercent type entityType labelsOrTypes properties indexProvider owningConstraint "
    "lastRead readCount",
}
UNFINISHED = {"MATCH", "WHERE", "WITH", "UNWIND", "OPTIONAL"}  # no query ends with such a clause


class ArcadePolicy(Policy):
    """Between a Neo4j driver and ArcadeDB's openCypher engine. `names()` tells its labels and relationship types."""

    def __init__(self, names):
        self._names = names

    def refuses(self, text, reading, mode):
        failure = super().refuses(text, reading, mode) or _absent(reading)
        if failure or not reading.balanced:  # the engine says better what is wrong with brackets
            return failure
        return _not_concluded(text) or _without_alias(text) or _old_exists(text, reading)

    def wraps(self, text, reading):
        # On its own the engine commits each MERGE of a query by itself, and trips over what it just committed.
        words = [token.word for token in reading.tokens]
        in_transactions = any(pair == ("IN", "TRANSACTIONS") for pair in pairwise(words))
        return reading.kind in ("w", "rw") and not in_transactions and "CONCURRENT" not in words

    def rewrite(self, text, reading):
        return paths_last(text)

    async def translate(self, failure, text):
        if failure.message.startswith(UNSAID):
            return await self._guess(failure, text)
        code = next((code for pattern, code in CODES if pattern.search(failure.message)), failure.code)
        return Failure(code, _placed(failure.message, text))

    async def _guess(self, failure, text):
        """Return the Failure behind a message that says nothing, by what the query tried."""
        reading = cypher.read(text)
        words = [token.word for token in reading.body]
        schema = "constraint" if "CONSTRAINT" in words[:3] else "index" if "INDEX" in words[:3] else ""
        if reading.kind == "s" and words[0] == "DROP":
            code = "ConstraintDropFailed" if schema == "constraint" else "IndexDropFailed"
            return Failure(f"Neo.DatabaseError.Schema.{code}", f"Unable to drop {schema} `{words[2]}`: no such {schema}.")
        if failure.code.endswith("ConstraintValidationFailed"):
            if reading.kind == "s":
                return Failure(
                    "Neo.DatabaseError.Schema.ConstraintCreationFailed",
                    "Unable to create the constraint: two nodes or relationships that are there already break it.",
                )
            return Failure(failure.code, "A node with this value already exists, and a constraint forbids a second.")
        try:
            labels, types = await self._names()
        except (OSError, EngineError):
            labels, types = set(), set()
        if both := sorted(_as_both(reading, labels, types)):
            what = f"one name, {both[0]}, for a label and for a relationship type"
            return Failure(UNSUPPORTED, _cannot(what, "rename one of them"))
        if reading.kind == "s":
            told = f"An equivalent {schema} already exists. IF NOT EXISTS after its name makes the query pass."
            return Failure(SCHEMA + "EquivalentSchemaRuleAlreadyExists", told)
        return Failure(failure.code, f"{UNTOLD}\n{text}")

    def fields(self, text, fields):
        reading = cypher.read(text)
        if cypher.returns_everything(text):
            return sorted(fields or cypher.in_scope(text))
        if fields:
            return fields
        told = cypher.columns(text)
        if told is None and reading.starts("SHOW"):
            kind = next((kind for kind in SHOW if any(kind in token.word for token in reading.body[:4])), None)
            told = SHOW[kind].split() if kind else None
        return told or fields

    def records(self, text, fields, payloads):
        shown = [payload for payload in payloads if payload != EMPTY]  # a profiled CREATE returns a row of nothing
        if fields == sorted(fields) or not cypher.returns_everything(text):
            return shown
        order = sorted(range(len(fields)), key=fields.__getitem__)
        rows = (unpack(payload).fields[0] for payload in shown)
        return [pack(Structure(bolt.RECORD, ([row[i] for i in order],))) for row in rows]

    def summarise(self, reading, metadata):
        complete = {**metadata, "type": reading.kind}
        return {**complete, **{key: plan.tree(complete[key]) for key in ("plan", "profile") if key in complete}}


def _absent(reading):
    """Return the Failure for what the engine has not, or None."""
    for words, what, instead in ABSENT:
        if reading.starts(*words):
            return Failure(UNSUPPORTED, _cannot(what, instead))
    words = [token.word for token in reading.tokens]
    if reading.starts("CREATE", "CONSTRAINT") and "UNIQUE" not in words:
        return Failure(
            "Neo.DatabaseError.Schema.ConstraintCreationFailed",
            "Unable to create the constraint: existence, key and type constraints require Neo4j Enterprise Edition.",
        )
    for i, word in enumerate(words[:-1]):
        if word == "SHORTEST" and (words[i + 1].isdigit() or reading.tokens[i + 1].kind == "parameter"):
            return Failure(UNSUPPORTED, _cannot("SHORTEST k", "shortestPath() and allShortestPaths() work"))
    return None


def _placed(message, text):
    """Return the engine's message with the place in the query, told as Neo4j tells it."""
    if match := re.match(r"Syntax error at line (\d+):(\d+) - (.*)", message, re.DOTALL):
        line, column = int(match[1]), int(match[2])
        offset = sum(len(before) + 1 for before in text.split("\n")[: line - 1]) + column
        return f"Invalid input: {match[3]} {cypher.at(text, min(offset, len(text)))}"
    if match := re.match(r"UndefinedVariable: Variable '(.*)' not defined", message):
        used = (token.start for token in cypher.read(text).tokens if cypher.unquoted(token) == match[1])
        return f"Variable `{match[1]}` not defined {cypher.at(text, next(used, 0))}"
    return message


def _not_concluded(text):
    """Return the Failure for a query that computes and then returns nothing, or None."""
    found = cypher.clauses(text)
    last = next((clause for clause in reversed(found) if clause.word != ";"), None)
    if last is None or last.word not in UNFINISHED:
        return None
    named = next(clause for clause in reversed(found) if clause.word not in ("WHERE", "OPTIONAL", ";"))
    if named.word not in UNFINISHED:  # a WHERE that belongs to a YIELD: SHOW INDEXES YIELD name WHERE …
        return None
    if named.word == "MATCH" and any(before.text == ")" and token.kind == "word" and token.depth == 0 and token.word != "USING"
                                     for before, token in pairwise(named.tokens)):
        return None  # a word that is no clause, such as RETRUN: the engine names it
    return Failure(
        SYNTAX,
        f"Query cannot conclude with {named.word} (must be a RETURN clause, a FINISH clause, an update clause, a unit "
        f"subquery call, or a procedure call with no YIELD). {cypher.at(text, named.start)}",
    )


def _without_alias(text):
    """Return the Failure for a WITH that computes something and gives it no name, or None."""
    for clause in cypher.clauses(text):
        if clause.word != "WITH" or (clause.tokens and clause.tokens[0].word == "HEADERS"):
            continue
        for item in cypher.items(clause):
            if len(item) > 1 and "AS" not in [token.word for token in item if token.depth == 0]:
                return Failure(SYNTAX, f"Expression in WITH must be aliased (use AS) {cypher.at(text, item[0].start)}")
    return None


def _old_exists(text, reading):
    """Return the Failure for exists(n.x), which Neo4j 5 no longer has and the engine still takes, or None."""
    tokens = reading.tokens
    for i, token in enumerate(tokens[:-4]):
        if token.word == "EXISTS" and [each.text for each in tokens[i + 1 : i + 6 : 2]] == ["(", ".", ")"]:
            told = "The property existence syntax `... exists(variable.property)` is no longer supported. "
            told += "Please use `variable.property IS NOT NULL` instead."
            return Failure(SYNTAX, f"{told} {cypher.at(text, token.start)}")
    return None


def _as_both(reading, labels, types):
    """Return the names that a query, with what is stored, would use as a label and as a relationship type."""
    wants = {"(": set(), "[": set()}
    brackets = []
    for before, token in pairwise(reading.tokens):
        if before.kind == "sign" and before.text in "([{":
            brackets.append(before.text)
        elif before.kind == "sign" and before.text in ")]}" and brackets:
            brackets.pop()
        if before.text in (":", "|", "&") and token.kind in ("word", "quoted") and brackets and brackets[-1] in wants:
            wants[brackets[-1]].add(cypher.unquoted(token))
    wants_label, wants_type = wants["("], wants["["]
    return (wants_label & types) | (wants_type & labels) | (wants_type & wants_label)


def _cannot(what, instead):
    return f"The embedded engine does not support {what}: {instead}. A real Neo4j (NEO4J_URI) does."
