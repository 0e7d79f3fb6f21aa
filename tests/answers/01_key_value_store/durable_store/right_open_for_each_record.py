import json
import os


class DurableStore:
    def __init__(self, path):
        self.path = path
        self.data = {}
        if path.exists():
            self.recover()

    def recover(self):
        whole = self.path.read_bytes()
        end = whole.rfind(b"\n") + 1
        for line in whole[:end].splitlines():
            self.apply(json.loads(line))
        with self.path.open("r+b") as log:
            log.truncate(end)

    def apply(self, record):
        if not isinstance(record, list) or not record:
            raise ValueError(f"no record: {record}")
        if record[0] == "set" and len(record) == 3:
            self.data[record[1]] = record[2]
        elif record[0] == "delete" and len(record) == 2:
            self.data.pop(record[1], None)
        else:
            raise ValueError(f"no record: {record}")

    def write(self, record):
        with self.path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")

    def set(self, key, value):
        self.write(["set", key, value])
        self.data[key] = value

    def get(self, key):
        return self.data.get(key)

    def delete(self, key):
        if key not in self.data:
            return False
        self.write(["delete", key])
        self.data.pop(key)
        return True

    def compact(self):
        new = self.path.with_name("compacting")
        with new.open("w", encoding="utf-8") as log:
            for key, value in self.data.items():
                log.write(json.dumps(["set", key, value]) + "\n")
        os.replace(new, self.path)
