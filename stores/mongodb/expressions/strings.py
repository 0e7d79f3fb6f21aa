"""Text: $concat, $split, $trim, $substrCP, $regexFind, $replaceAll …  Bytes are those of UTF-8."""

from stores.mongodb import regex
from stores.mongodb.expressions.arrays import index
from stores.mongodb.expressions.base import MANY, MongoError, constant, expect, named, nullish, reads, show, takes, type_name
from stores.mongodb.ordering import MISSING
from stores.mongodb.values import integral, is_number, to_text

LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}  # MongoDB changes the case of ASCII letters only
UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
WHITESPACE = "\0 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"


@takes("$concat", 0, MANY)
def concat(*texts):
    for text in texts:
        if nullish(text):
            return None
        expect(text, "string", 16702, "$concat only supports strings, not {type}")
    return "".join(texts)


@takes("$toLower", 1)
def to_lower(value):
    return to_text(value).translate(LOWER)


@takes("$toUpper", 1)
def to_upper(value):
    return to_text(value).translate(UPPER)


@takes("$strcasecmp", 2)
def strcasecmp(a, b):
    left, right = to_text(a).translate(UPPER).encode(), to_text(b).translate(UPPER).encode()
    return (left > right) - (left < right)


@takes("$split", 2, null=True)
def split(text, separator):
    expect(text, "string", 40085, "$split requires an expression that evaluates to a string as a first argument, found: {type}")
    expect(separator, "string", 40086, "$split requires an expression that evaluates to a string as a second argument, found: {type}")
    if not separator:
        raise MongoError(40087, "$split requires a non-empty separator")
    return text.split(separator)


@takes("$strLenBytes", 1)
def str_len_bytes(text):
    return len(expect(text, "string", 34473, "$strLenBytes requires a string argument, found: {type}").encode())


@takes("$strLenCP", 1)
def str_len_cp(text):
    return len(expect(text, "string", 34471, "$strLenCP requires a string argument, found: {type}"))


def substr_bytes(value, start, length):
    text = to_text(value).encode()
    for number, code, which in ((start, 16034, "starting index"), (length, 16035, "length")):
        if not is_number(number):
            raise MongoError(code, f"$substrBytes:  {which} must be a numeric type (is BSON type {type_name(number)})")
    first, count = _whole(start), _whole(length)
    if first < 0:
        raise MongoError(50752, f"$substrBytes:  starting index must be non-negative (got: {first})")
    if first < len(text) and _continues(text[first]):
        raise MongoError(28656, "$substrBytes:  Invalid range, starting index is a UTF-8 continuation byte.")
    end = len(text) if count < 0 else first + count
    if end < len(text) and _continues(text[end]):
        raise MongoError(28657, "$substrBytes:  Invalid range, ending index is in the middle of a UTF-8 character.")
    return text[first:end].decode()


takes("$substrBytes", 3)(substr_bytes)
takes("$substr", 3)(substr_bytes)


def _continues(byte):
    return byte & 0xC0 == 0x80


def _whole(number):
    return int(number.to_decimal()) if hasattr(number, "to_decimal") else int(number)


@takes("$substrCP", 3)
def substr_cp(value, start, length):
    text, numbers = to_text(value), []
    for number, code, which in ((start, 34450, "starting index"), (length, 34452, "length")):
        if not is_number(number):
            raise MongoError(code, f"$substrCP: {which} must be a numeric type (is BSON type {type_name(number)})")
        if (whole := integral(number)) is None:
            raise MongoError(code + 1, f"$substrCP: {which} cannot be represented as a 32-bit integral value: {show(number)}")
        numbers.append(whole)
    first, count = numbers
    if count < 0:
        raise MongoError(34454, "$substrCP: length must be a nonnegative integer.")
    if first < 0:
        raise MongoError(34455, "$substrCP: the starting index must be nonnegative integer.")
    return text[first : first + count]


def _index_of(name, code, encode):
    @takes(name, 2, 4)
    def find(text, token, start=0, end=MISSING):
        if nullish(text):
            return None
        expect(text, "string", code, name + " requires a string as the first argument, found: {type}")
        expect(token, "string", code + 1, name + " requires a string as the second argument, found: {type}")
        hay, needle = encode(text), encode(token)
        first = index(name, start, "starting index")
        last = len(hay) if end is MISSING else min(len(hay), index(name, end, "ending index"))
        if first > len(hay) or last < first:
            return -1
        return hay.find(needle, first, last)


_index_of("$indexOfBytes", 40091, str.encode)
_index_of("$indexOfCP", 40093, str)


def _trimmer(name, strip):
    @reads(name)
    def read(operand, scope):
        nodes = named(name, operand, scope, ("input",), ("chars",), 50696, 50694, 50695)
        characters = nodes["chars"] or constant(WHITESPACE)

        def node(env):
            text, chars = nodes["input"](env), characters(env)
            if nullish(text):
                return None
            expect(text, "string", 50699, name + " requires its input to be a string, got {value} (of type {type}) instead.")
            if nullish(chars):
                return None
            expect(chars, "string", 50700, name + " requires 'chars' to be a string, got {value} (of type {type}) instead.")
            return strip(text, chars) if chars else text

        return node


_trimmer("$trim", str.strip)
_trimmer("$ltrim", str.lstrip)
_trimmer("$rtrim", str.rstrip)


def _replacer(name, count):
    @reads(name)
    def read(operand, scope):
        wanted = ("input", "find", "replacement")
        nodes = named(name, operand, scope, wanted, (), 51751, 51750, (51749, 51748, 51747))

        def node(env):
            values = [nodes[argument](env) for argument in wanted]
            for argument, value, code in zip(wanted, values, (51746, 51745, 51744), strict=True):
                if not nullish(value):
                    expect(value, "string", code, f"{name} requires that '{argument}' be a string, found: {{value}}")
            if any(nullish(value) for value in values):
                return None
            text, find, replacement = values
            return text.replace(find, replacement, count)

        return node


_replacer("$replaceOne", 1)
_replacer("$replaceAll", -1)


def _regex_operator(name, search, nothing):
    @reads(name)
    def read(operand, scope):
        nodes = named(name, operand, scope, ("input", "regex"), ("options",), 51103, 31024, (31022, 31023))
        options_node = nodes["options"] or constant(None)

        def node(env):
            text, pattern, options = nodes["input"](env), nodes["regex"](env), options_node(env)
            if not nullish(text):
                expect(text, "string", 51104, name + " needs 'input' to be of type string")
            compiled = _pattern(name, pattern, options)
            return nothing() if nullish(text) or compiled is None else search(compiled, text)

        return node


def _pattern(name, pattern, options):
    if not nullish(options):
        expect(options, "string", 51106, name + " needs 'options' to be of type string")
    if nullish(pattern):
        return None
    if type_name(pattern) not in ("string", "regex"):
        raise MongoError(51105, f"{name} needs 'regex' to be of type string or regex")
    if regex.is_regex(pattern) and pattern.flags & ~32 and not nullish(options):
        raise MongoError(51107, f"{name}: found regex option(s) specified in both 'regex' and 'option' fields")
    return regex.of_value(pattern, options or "", 51111)


def _found(match):
    return {"match": match[0], "idx": match.start(), "captures": list(match.groups())}


_regex_operator("$regexMatch", lambda pattern, text: pattern.search(text) is not None, lambda: False)
_regex_operator("$regexFind", lambda pattern, text: _found(match) if (match := pattern.search(text)) else None, lambda: None)
_regex_operator("$regexFindAll", lambda pattern, text: [_found(match) for match in pattern.finditer(text)], list)
