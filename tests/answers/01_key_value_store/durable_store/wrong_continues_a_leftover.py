# caught by: the compacted log has one record for each key
import json
import os


class DurableStore:
    def __init__(self, path):
        self.path = path
        self.data = {}
        if not path.exists():
            return
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        for line in whole[:end].decode("utf-8").split("\n")[:-1]:
            match json.loads(line):
                case ["set", str(key), value]:
                    self.data[key] = value
                case ["delete", str(key)]:
                    self.data.pop(key, None)
                case _:
                    raise ValueError(f"not a record: {line!r}")
        if end < len(whole):
            with path.open("r+b") as file:
                file.truncate(end)

    def append(self, log, *record):
        log.write(json.dumps(record) + "\n")
        log.flush()

    def set(self, key, value):
        with self.path.open("a", encoding="utf-8") as log:
            self.append(log, "set", key, value)
        self.data[key] = value

    def get(self, key):
        return self.data.get(key)

    def delete(self, key):
        if key not in self.data:
            return False
        with self.path.open("a", encoding="utf-8") as log:
            self.append(log, "delete", key)
        del self.data[key]
        return True

    def compact(self):
        fresh = self.path.with_suffix(".new")
        with fresh.open("a", encoding="utf-8") as log:
            for key, value in self.data.items():
                self.append(log, "set", key, value)
        os.replace(fresh, self.path)
