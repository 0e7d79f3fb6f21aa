# No recursion, nothing is read twice: a bytearray, a stack of unfinished lists, strict whole numbers, an unknown first byte is refused at once.
import re

WHOLE = re.compile(rb"-?[0-9]+")


class Incomplete(Exception):
    """not used"""


class Parser:
    def __init__(self):
        self.buffer = bytearray()
        self.need = None      # length of the $ reply whose bytes we wait for
        self.stack = []       # [missing items, items] of each unfinished list
        self.scanned = 0

    def feed(self, chunk):
        self.buffer += chunk
        done = []
        while (token := self._token()) is not None:
            self._place(token, done)
        return done

    def _place(self, token, done):
        kind, value = token
        if kind == "list" and value > 0:
            self.stack.append([value, []])
            return
        if kind == "list":
            value = []
        while self.stack:
            top = self.stack[-1]
            top[1].append(value)
            top[0] -= 1
            if top[0]:
                return
            value = self.stack.pop()[1]
        done.append(value)

    @staticmethod
    def _number(text):
        if not WHOLE.fullmatch(text):
            raise ValueError(f"not a whole number: {text!r}")
        return int(text)

    def _token(self):
        if self.need is not None:
            if len(self.buffer) < self.need + 2:
                return None
            value, end = bytes(self.buffer[:self.need]), self.buffer[self.need:self.need + 2]
            if end != b"\r\n":
                raise ValueError("a bulk reply that does not end")
            del self.buffer[:self.need + 2]
            self.need = None
            return "value", value
        if not self.buffer:
            return None
        if self.buffer[0] not in b"+-:$*":
            raise ValueError(f"unknown first byte {bytes(self.buffer[:1])!r}")
        end = self.buffer.find(b"\r\n", self.scanned)
        if end < 0:
            self.scanned = max(0, len(self.buffer) - 1)
            return None
        kind, text = chr(self.buffer[0]), bytes(self.buffer[1:end])
        del self.buffer[:end + 2]
        self.scanned = 0
        if kind == "+":
            return "value", text.decode("utf-8", "replace")
        if kind == "-":
            return "value", ReplyError(text.decode("utf-8", "replace"))
        number = self._number(text)
        if kind == ":":
            return "value", number
        if number < -1:
            raise ValueError(f"length {number}")
        if number == -1:
            return "value", None
        if kind == "*":
            return "list", number
        self.need = number
        return self._token()
