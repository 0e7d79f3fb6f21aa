# caught by: in the middle raises ValueError
import json
import os


class DurableStore:
    """Keeps the log open, and opens the new one after compaction."""

    def __init__(self, path):
        self.path, self.data = path, {}
        good = 0
        if path.exists():
            with open(path, "rb") as log:
                for line in log:
                    if not line.endswith(b"\n"):
                        break
                    try:
                        self._apply(line)
                    except ValueError:
                        break
                    good += len(line)
        self.log = open(path, "ab")
        self.log.truncate(good)

    def _apply(self, line):
        try:
            operation, key, *value = json.loads(line)
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"damaged: {line}") from error
        match operation, len(value):
            case "set", 1:
                self.data[key] = value[0]
            case "delete", 0:
                self.data.pop(key, None)
            case _:
                raise ValueError(f"damaged: {line}")

    def _write(self, *record):
        self.log.write(json.dumps(record).encode() + b"\n")
        self.log.flush()
        os.fsync(self.log.fileno())

    def set(self, key, value):
        self._write("set", key, value)
        self.data[key] = value

    def get(self, key):
        return self.data.get(key)

    def delete(self, key):
        if key in self.data:
            self._write("delete", key)
            del self.data[key]
            return True
        return False

    def compact(self):
        fresh = self.path.parent / (self.path.name + ".new")
        text = "".join(json.dumps(["set", key, value]) + "\n" for key, value in self.data.items())
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, self.path)
        self.log.close()
        self.log = open(self.path, "ab")
