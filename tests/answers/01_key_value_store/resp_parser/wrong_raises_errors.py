# caught by: an error is returned as a ReplyError
class NeedMore(Exception):
    pass


class Parser:
    def __init__(self):
        self.buffer = b""

    def feed(self, chunk):
        self.buffer += chunk
        replies = []
        while self.buffer:
            self.at = 0
            try:
                replies.append(self.reply())
            except NeedMore:
                break
            self.buffer = self.buffer[self.at:]
        return replies

    def line(self):
        end = self.buffer.find(b"\r\n", self.at)
        if end < 0:
            raise NeedMore
        line = self.buffer[self.at:end]
        self.at = end + 2
        return line

    def reply(self):
        if self.at < len(self.buffer) and self.buffer[self.at] not in b"+-:$*":
            raise ValueError("unknown kind of reply")
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        size = int(rest)
        if size == -1:
            return None
        if size < -1:
            raise ValueError("negative length")
        if kind == b"*":
            return [self.reply() for _ in range(size)]
        return self.bulk(size)

    def bulk(self, size):
        if len(self.buffer) < self.at + size + 2:
            raise NeedMore
        data = self.buffer[self.at:self.at + size]
        if self.buffer[self.at + size:self.at + size + 2] != b"\r\n":
            raise ValueError("no line end after the bytes")
        self.at += size + 2
        return data
