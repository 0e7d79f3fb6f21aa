"""Regular expressions: MongoDB's are Perl's (PCRE), Python's re differs in a few signs, translated here."""

import re
from functools import lru_cache

from bson import Regex

from stores.mongodb.errors import MongoError, not_embedded
from stores.mongodb.ordering import regex_parts

OPTIONS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": 0}
# In PCRE these classes are ASCII, in Python they are not.
ASCII = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r\f\v"}
POSIX = {
    "alnum": "A-Za-z0-9", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r" \t\n\r\f\v", "upper": "A-Z",
    "word": "A-Za-z0-9_",
    "xdigit": "A-Fa-f0-9",
}  # fmt: skip
TOKEN = re.compile(r"\\.|\[:(\w+):\]|\(\?<(?=[A-Za-z_])|\[\^?\]?|\]|.", re.DOTALL)


@lru_cache(maxsize=512)
def compiled(pattern, options="", code=51091):
    """Return the compiled pattern. Raises MongoError: `code` for a bad pattern, 51108 for a bad option."""
    flags = 0
    for letter in options:
        if letter not in OPTIONS:
            raise MongoError(51108, f"invalid flag in regex options: {letter}")
        flags |= OPTIONS[letter]
    if "\0" in pattern:
        raise MongoError("BadValue", "Regular expression cannot contain an embedded null byte")
    text, leading = _leading_flags(pattern)
    try:
        return re.compile(_translate(text), flags | leading)
    except (re.error, OverflowError, RecursionError) as error:
        raise MongoError(code, f"Regular expression is invalid: {error}") from None


def _leading_flags(pattern):
    """(*UTF8) and its like have no meaning here; (?i) at the start becomes an option."""
    pattern = re.sub(r"^(\(\*\w+\))+", "", pattern)
    if match := re.match(r"\(\?([imsx]+)\)", pattern):
        flags = 0
        for letter in match[1]:
            flags |= OPTIONS[letter]
        return pattern[match.end() :], flags
    return pattern, 0


def _translate(pattern):
    made, in_class = [], False
    for match in TOKEN.finditer(pattern):
        token = match[0]
        if token[0] == "\\":
            made.append(_escape(token, in_class))
        elif match[1] and in_class:
            made.append(POSIX.get(match[1], re.escape(token)))
        elif token == "(?<" and not in_class:
            made.append("(?P<")
        elif token.startswith("[") and not match[1]:
            made.append(token if not in_class else re.escape(token))
            in_class = True
        else:
            in_class = in_class and token != "]"
            made.append(token)
    return "".join(made)


def _escape(token, in_class):
    letter = token[1:]
    if letter in ASCII:
        return ASCII[letter] if in_class else f"[{ASCII[letter]}]"
    if letter.lower() in ASCII and not in_class:
        return f"[^{ASCII[letter.lower()]}]"
    if letter == "h":
        return r" \t" if in_class else r"[ \t]"
    if letter == "z":
        return r"\Z"
    if letter == "Z":
        return r"(?=\n?\Z)"
    if letter in "pPXCKRGQE" and letter:
        raise not_embedded(f"\\{letter} in a regular expression")
    return token


def of_value(value, options="", code=51091):
    """Return the compiled pattern of a text or of a regular expression."""
    if isinstance(value, str):
        return compiled(value, options, code)
    pattern, own = regex_parts(value)
    return compiled(pattern, options or own.replace("u", "").replace("l", ""), code)


def is_regex(value):
    """Return whether a value is a regular expression, bson's or Python's."""
    return isinstance(value, (Regex, re.Pattern))
