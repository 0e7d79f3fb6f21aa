# caught by: b'$2\r\np88\r\n' raises ValueError
class Incomplete(Exception):
    """The buffer ends before the reply does. (Use this, or leave it.)"""


class Parser:
    def __init__(self):
        self.buffer = b""
        self.position = 0

    def feed(self, chunk):
        self.buffer += chunk
        replies = []
        while self.buffer:
            self.position = 0
            try:
                reply = self.read()
            except Incomplete:
                break
            replies.append(reply)
            self.buffer = self.buffer[self.position:]
        return replies

    def line(self):
        end = self.buffer.find(b"\r\n", self.position)
        if end < 0:
            raise Incomplete
        line = self.buffer[self.position:end]
        self.position = end + 2
        return line

    def exactly(self, count):
        end = self.position + count
        if end > len(self.buffer):
            raise Incomplete
        data = self.buffer[self.position:end]
        self.position = end
        return data

    def read(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            length = int(rest)
            if length == -1:
                return None
            if length < -1:
                raise ValueError("length below -1")
            data = self.exactly(length)
            self.exactly(2)
            return data
        if kind == b"*":
            length = int(rest)
            if length == -1:
                return None
            if length < -1:
                raise ValueError("length below -1")
            return [self.read() for _ in range(length)]
        raise ValueError(f"unknown first byte {kind!r}")
