"""From text to tokens, and from a token back to its place in the text, for messages.

A token has a key, by which the parser decides, and a text. The key of a word is the word in small letters, that of punctuation the
punctuation itself, and that of everything else its kind: <string>, <name> (quoted), <empty name>, <integer>, <float>, <boolean>,
<uuid>, <hex>, <duration>, <end>.
"""

import re

from stores.cassandra.errors import SyntaxException

_PERIOD = r"P(?:\d+Y(?:\d+M)?(?:\d+D)?|\d+M(?:\d+D)?|\d+D)"
_TIME = r"T(?:\d+H(?:\d+M)?(?:\d+S)?|\d+M(?:\d+S)?|\d+S)"
_TOKEN = re.compile(
    rf"""
      (?P<hidden> [ \t\r\n]+ | (?:--|//)[^\r\n]* | /\*.*?\*/ )
    | (?P<word> (?!PT?\d) [A-Za-z][A-Za-z0-9_]* (?![A-Za-z0-9_-]|\() )      # most words end here; the others are looked at below
    | (?P<mark> [(),?=;*] )
    | (?P<string> '(?:[^']|'')*' | \$\$.*?\$\$ )
    | (?P<uuid> [0-9a-fA-F]{{8}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{12}} )
    | (?P<duration>
        -?(?:
            (?:\d+(?:[yY]|[mM][oO]|[wW]|[dD]|[hH]|[mM][sS]|[uUµ][sS]|[nN][sS]|[mM]|[sS]))+
          | P\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d | P\d+W | P{_TIME} | {_PERIOD}(?:{_TIME})?
        )(?![A-Za-z0-9_]) )
    | (?P<hex> 0[xX][0-9a-fA-F]* )
    | (?P<float> -?\d+(?: \.(?=\.\.) | \.(?!\.)\d*(?:[eE][+-]?\d+)? | [eE][+-]?\d+ ) )
    | (?P<integer> -?\d+ )
    | (?P<name> "(?:[^"]|"")*" )
    | (?P<expression> expr\( )
    | (?P<negative> -(?:[nN][aA][nN]|[iI][nN][fF][iI][nN][iI][tT][yY])(?![A-Za-z0-9_]) )
    | (?P<longword> [A-Za-z][A-Za-z0-9_]* )
    | (?P<sign> <= | >= | != | \+= | -= | \.\. | [-+/%\[\]{{}}.:<>] )
    | (?P<bad> . )
    """,
    re.X | re.S,
)
_CONSTANTS = {"uuid": "<uuid>", "hex": "<hex>", "duration": "<duration>", "float": "<float>", "integer": "<integer>"}
_BOOLEANS = ("true", "false")
_SNIPPET = 10  # Cassandra quotes so many tokens, blanks included, before the one it does not understand


class Tokens:
    """The tokens of `source`: `keys`, `texts` and `starts` (offsets), ended by <end>.

    `error` is the first lexical mistake as (offset, message), or None. Whether a syntax error comes before it is the parser's matter.
    """

    __slots__ = ("error", "keys", "source", "starts", "texts")

    def __init__(self, source):
        self.source = source
        self.error = None
        self.keys, self.texts, self.starts = keys, texts, starts = [], [], []
        for match in _TOKEN.finditer(source):
            kind = match.lastgroup
            if kind == "hidden":
                continue
            text = match[0]
            if kind in ("word", "longword"):
                key = text.lower()
                if key in _BOOLEANS:
                    key = "<boolean>"
            elif kind in ("mark", "sign", "expression"):
                key = text
            elif kind == "string":
                key = "<string>"
                text = text[2:-2] if text[0] == "$" else text[1:-1].replace("''", "'")
            elif kind == "name":
                key = "<name>" if len(text) > 2 else "<empty name>"
                text = text[1:-1].replace('""', '"') or text
            elif kind == "negative":
                key = text.lower()
            elif kind == "bad":
                self._note_mistake(match.start(), text)
                continue
            else:
                key = _CONSTANTS[kind]
            keys.append(key)
            texts.append(text)
            starts.append(match.start())
        keys.append("<end>")
        texts.append("<EOF>")
        starts.append(len(source))

    def _note_mistake(self, start, text):
        if self.error:
            return
        source, end = self.source, len(self.source)
        if text in "'\"":  # a string or name without its end
            message = f"{place(source, end)} mismatched character '<EOF>' expecting '{text}'"
        elif text == "$":  # one that no other follows
            found = source[start + 1] if start + 1 < end else "<EOF>"
            message = f"{place(source, start + 1)} mismatched character '{found}' expecting '$'"
        else:
            message = f"{place(source, start)} no viable alternative at character '{text}'"
        self.error = start, message

    def unexpected(self, index, expected="", marked=None, further=False):
        """Return the SyntaxException that the token at `index` is not what the grammar wants there.

        `expected` names the one token that could stand there; empty when there are several. The snippet of the query marks the
        token `marked`, where Cassandra's parser began to choose: at `index` unless said. `further`: it had looked two tokens ahead.
        """
        if self.error and self.error[0] <= self.starts[index]:
            return SyntaxException(self.error[1])
        where = "line 0:-1" if self.keys[index] == "<end>" else place(self.source, self.starts[index])
        text = self.texts[index]
        what = f"mismatched input '{text}' expecting {expected}" if expected else f"no viable alternative at input '{text}'"
        return SyntaxException(f"{where} {what}{self._snippet(index, index if marked is None else marked, further)}")

    def _snippet(self, index, marked, further):
        """Return " (…SELECT * [FORM]...)": the query around a token, or "" where it would end with the end of the query."""
        source = self.source
        spans = [_printed_span(match) for match in _TOKEN.finditer(source)] + [(len(source), len(source))]
        places = {start: number for number, (start, _) in enumerate(spans)}
        middle, offending = places[self.starts[marked]], places[self.starts[index]]
        last = min(middle + 2, len(spans) - 1 if further else offending)
        if last == len(spans) - 1:
            return ""
        first = spans[max(0, middle - _SNIPPET)][0]
        (start, end), stop = spans[middle], spans[last][1]
        text = f"{source[first:start]}[{source[start:end]}]{source[end:stop]}".replace("\n", "")
        return f" ({'...' if first else ''}{text}{'...' if stop < len(source.rstrip(chr(10))) else ''})"


def _printed_span(match):
    """Return where a token begins and ends in messages: Cassandra counts strings and quoted names without their quotes."""
    start, end = match.span()
    text = match[0]
    if match.lastgroup == "string":
        end = start + len(text[2:-2] if text[0] == "$" else text[1:-1].replace("''", "'"))
    elif match.lastgroup == "name" and len(text) > 2:
        end = start + len(text[1:-1].replace('""', '"'))
    return start, end


def place(source, offset):
    """Return "line 1:7" of an offset, lines from 1 and columns from 0."""
    return f"line {source.count(chr(10), 0, offset) + 1}:{offset - source.rfind(chr(10), 0, offset) - 1}"
