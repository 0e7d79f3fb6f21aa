import queue
import threading
from concurrent.futures import Future


class Counters:
    """One thread makes all the changes, one after the other, as Redis does."""

    def __init__(self, data):
        self.data = data
        self.jobs = queue.Queue()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            key, by, answer = self.jobs.get()
            try:
                count = int(self.data.get(key, "0")) + by
                self.data[key] = str(count)
            except ValueError as error:
                answer.set_exception(error)
            else:
                answer.set_result(count)

    def incr(self, key, by=1):
        answer = Future()
        self.jobs.put((key, by, answer))
        return answer.result()
