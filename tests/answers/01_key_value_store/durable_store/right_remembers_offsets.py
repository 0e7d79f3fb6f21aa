# Memory holds only where each value lies in the log (as Bitcask does); get reads the file. compact copies the lines.
import json
import os
import tempfile


class DurableStore:
    def __init__(self, path):
        self.path = path
        self.where = {}
        self.end = 0
        if not path.exists():
            return
        content = path.read_bytes()
        *lines, torn = content.split(b"\n")
        for line in lines:
            self._note(line + b"\n", json.loads(line))
        if torn:
            os.truncate(path, self.end)

    def _note(self, line, record):
        match record:
            case ["set", str() as key, _]:
                self.where[key] = (self.end, len(line))
            case ["delete", str() as key]:
                self.where.pop(key, None)
            case _:
                raise ValueError(f"damaged log at byte {self.end}")
        self.end += len(line)

    def _append(self, *record):
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
        self._note(line, list(record))

    def _read(self, key):
        start, length = self.where[key]
        with self.path.open("rb") as log:
            log.seek(start)
            return log.read(length)

    def set(self, key, value):
        self._append("set", key, value)

    def get(self, key):
        return json.loads(self._read(key))[2] if key in self.where else None

    def delete(self, key):
        if key not in self.where:
            return False
        self._append("delete", key)
        return True

    def compact(self):
        where, end = {}, 0
        with tempfile.NamedTemporaryFile("wb", dir=self.path.parent, delete=False) as fresh:
            for key in self.where:
                line = self._read(key)
                fresh.write(line)
                where[key] = (end, len(line))
                end += len(line)
        os.replace(fresh.name, self.path)
        self.where, self.end = where, end
