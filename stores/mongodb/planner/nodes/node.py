"""The stages that a plan is made of. Each is a generator of rows, and counts what it does in MongoDB's words.

A row is (record, document or None, index entry or None); None instead of a row is a piece of work without result,
so that several plans can be tried side by side, piece by piece.
"""


class Node:
    """A stage over others. `advanced` counts its rows, `works` its pieces of work."""

    name = ""
    tree = None  # the index it reads
    time_limit = None  # for the stages without inputs, where all work begins
    docs_examined = keys_examined = 0

    def __init__(self, *inputs):
        self.inputs = inputs
        self.advanced = self.works = 0
        self.ended = False

    def rows(self):
        """Yield rows and Nones, counting them."""
        for row in self.produce():
            if self.time_limit is not None:
                self.time_limit.check()
            self.works += 1
            if row is not None:
                self.advanced += 1
            yield row
        self.works += 1
        self.ended = True

    def produce(self):
        raise NotImplementedError

    def describe(self):
        """Return what queryPlanner shows of this stage, without its inputs."""
        return {}

    def numbers(self):
        """Return what executionStats adds."""
        return {}

    def shape(self):
        """Return the stage as queryPlanner shows it."""
        return {"stage": self.name, **self.describe(), **self._inputs(Node.shape)}

    def executed(self):
        """Return the stage as executionStats shows it."""
        head, facts = self._head(), self.describe()
        counts = {
            "nReturned": self.advanced, "executionTimeMillisEstimate": 0, "works": self.works, "advanced": self.advanced,
            "needTime": max(self.works - self.advanced - self.ended, 0), "needYield": 0, "saveState": 0, "restoreState": 0,
            "isEOF": int(self.ended),
        }  # fmt: skip
        return {
            "stage": self.name,
            **head,
            **counts,
            **{k: v for k, v in facts.items() if k not in head},
            **self.numbers(),
            **self._inputs(Node.executed),
        }

    def _head(self):
        return {name: value for name, value in self.describe().items() if name == "filter"}

    def _inputs(self, show):
        if len(self.inputs) == 1:
            return {"inputStage": show(self.inputs[0])}
        return {"inputStages": [show(each) for each in self.inputs]} if self.inputs else {}

    def total(self, counter):
        """Return the sum of a counter over this stage and its inputs."""
        return getattr(self, counter) + sum(each.total(counter) for each in self.inputs)

    def find(self, kind):
        """Yield the stages of a class in this tree."""
        if isinstance(self, kind):
            yield self
        for each in self.inputs:
            yield from each.find(kind)
