"""Answers that are alike: pairs for a person to look at, never a verdict.

An answer is compared by what it does with words, not by its words: comments, docstrings, names of its own and constants do not
count, calls and attributes do. What it shares with the stub, with the instructor's answer or with many of the class is taken out
first, since whoever solves a small task well writes the same few lines. rapidfuzz measures what is left: the share of tokens in
the longest common subsequence.
"""

import ast
import builtins
import difflib
import io
import keyword
import tokenize
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

from grader.assignment import Assignment
from grader.grade import Row

GRAM = 6             # tokens in a row that count as shared
COMMON = 0.2         # shared by more of the class than this (and by more than 4), it is a way that everybody goes
SHORTEST = 25        # tokens of its own that an answer must have left
DOCUMENTED = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
ALIKE = 0.75         # from here on a pair is shown
MOST = 60            # pairs that are shown


@dataclass
class Pair:
    """Two answers to a task, as they were written; `alike` from 0 to 1; `lines` for the report: (left, right, is it the same)."""
    task: str
    students: tuple[str, str]
    alike: float
    lines: list[tuple[str, str, bool]]


def pairs(assignment: Assignment, references: dict[str, str], rows: list[Row]) -> list[Pair]:
    """The most alike first. references: name of a task → the instructor's answer."""
    found = []
    for master in assignment.masters.values():
        for name, task in master.tasks.items():
            answers = {row.student: each.answer for row in rows for each in row.results if each.name == name and each.answer}
            stub = master.cells[name].source if name in master.cells else ""
            for one, other, alike in similar(answers, [stub, references.get(name, "")]):
                found.append((alike, task.number, (one, other), (answers[one], answers[other])))
    found.sort(key=lambda each: -each[0])
    return [Pair(number, students, alike, side_by_side(*texts)) for alike, number, students, texts in found[:MOST]]


def similar(answers: dict[str, str], known: list[str]) -> list[tuple[str, str, float]]:
    """(student, student, how alike) of the pairs from ALIKE on, after taking out what is `known` or common."""
    tokens = {student: normalised(source) for student, source in answers.items()}
    shared = {gram for source in known for gram in grams(normalised(source))}
    counts = Counter(gram for each in tokens.values() for gram in set(grams(each)))
    often = max(4, COMMON * len(answers))
    shared |= {gram for gram, count in counts.items() if count > often}
    letters: dict[str, str] = {}
    own = {student: "".join(letters.setdefault(token, chr(0xE000 + len(letters))) for token in without(each, shared))
           for student, each in tokens.items()}
    students = [student for student, text in own.items() if len(text) >= SHORTEST]
    if len(students) < 2:
        return []
    texts = [own[student] for student in students]
    table = cdist(texts, texts, scorer=Indel.normalized_similarity, score_cutoff=ALIKE, dtype=numpy.float32)
    return [(students[i], students[j], float(table[i, j])) for i, j in zip(*numpy.nonzero(numpy.triu(table, 1)), strict=True)]


@lru_cache(maxsize=10_000)
def normalised(source: str) -> tuple[str, ...]:
    """The tokens of an answer: every name that it makes itself is `name`, constants are their kind, comments are gone."""
    try:
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        source = ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError):
        pass                                    # a broken answer is compared as it is
    tokens, before = [], ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in (tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING):
                tokens.append(_normal(token, before))
                before = token.string
    except (tokenize.TokenError, SyntaxError):
        pass
    return tuple(tokens)


def _normal(token: tokenize.TokenInfo, before: str) -> str:
    if token.type == tokenize.NUMBER:
        return "number"
    if token.type == tokenize.STRING:
        return "text"
    known = token.type == tokenize.OP or before == "." or keyword.iskeyword(token.string) or hasattr(builtins, token.string)
    return token.string if known else "name"


def grams(tokens: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [tokens[i:i + GRAM] for i in range(len(tokens) - GRAM + 1)]


def without(tokens: tuple[str, ...], shared: set[tuple[str, ...]]) -> list[str]:
    """The tokens that are in no shared gram."""
    covered = set()
    for i, gram in enumerate(grams(tokens)):
        if gram in shared:
            covered.update(range(i, i + GRAM))
    return [token for i, token in enumerate(tokens) if i not in covered]


def side_by_side(one: str, other: str) -> list[tuple[str, str, bool]]:
    """Lines of both, those that do the same opposite each other."""
    left, right = one.splitlines(), other.splitlines()
    matcher = difflib.SequenceMatcher(None, [_key(line) for line in left], [_key(line) for line in right], autojunk=False)
    lines = []
    for tag, a, b, c, d in matcher.get_opcodes():
        for i in range(max(b - a, d - c)):
            lines.append((left[a + i] if a + i < b else "", right[c + i] if c + i < d else "", tag == "equal"))
    return lines


def _key(line: str) -> str:
    return " ".join(normalised(line.strip())) or line.strip()
