class Parser:
    """A generator asks for what it needs with `yield`, and so remembers by itself where it is."""

    def __init__(self):
        self.buffer = bytearray()
        self.replies = []
        self.running = self.read_all()
        next(self.running)

    def feed(self, chunk):
        self.buffer += chunk
        self.replies = []
        next(self.running)
        return self.replies

    def read_all(self):
        while True:
            reply = yield from self.read()
            self.replies.append(reply)

    def take(self, size):
        while len(self.buffer) < size:
            yield
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def take_line(self):
        while b"\r\n" not in self.buffer:
            yield
        line = yield from self.take(self.buffer.index(b"\r\n"))
        yield from self.take(2)
        return line

    def read(self):
        kind = yield from self.take(1)
        if kind not in (b"+", b"-", b":", b"$", b"*"):
            raise ValueError(f"unknown kind {kind}")
        line = yield from self.take_line()
        if kind == b"+":
            return line.decode()
        if kind == b"-":
            return ReplyError(line.decode())
        number = int(line)
        if kind == b":":
            return number
        if number < -1:
            raise ValueError(f"length {number}")
        if number == -1:
            return None
        if kind == b"$":
            data = yield from self.take(number)
            if (yield from self.take(2)) != b"\r\n":
                raise ValueError("the bytes do not end where they should")
            return data
        items = []
        for _ in range(number):
            item = yield from self.read()
            items.append(item)
        return items
