"""Views: a pipeline over another collection, run at each read."""

from stores.mongodb.errors import MongoError

MOST_LEVELS = 20


class Views:
    """Finds out what a name stands for."""

    def __init__(self, engine):
        self.engine = engine

    def resolve(self, database, name):
        """Return (collection, pipeline) that a name stands for; the pipeline of a collection is empty."""
        pipeline, names = [], []
        while True:
            store = self.engine.data.get(database, name)
            if store is None or "viewOn" not in store.options:
                return name, pipeline
            if len(names) == MOST_LEVELS:
                raise MongoError(
                    "ViewDepthLimitExceeded", f"View depth too deep or view cycle detected; maximum depth is {MOST_LEVELS}"
                )
            names.append(name)
            pipeline = [*store.options["pipeline"], *pipeline]
            name = store.options["viewOn"]

    def check(self, database, name):
        """Raise for a view that leads back to itself."""
        seen, current = {name}, self.engine.data[database][name].options["viewOn"]
        while True:
            if current in seen:
                self.engine.data[database].forget(name)
                raise MongoError("GraphContainsCycle", f"View cycle detected: {database}.{name}")
            seen.add(current)
            store = self.engine.data.get(database, current)
            if store is None or "viewOn" not in store.options:
                return
            current = store.options["viewOn"]

    def refuse_write(self, database, name):
        """Raise if the name is a view's: views cannot be written."""
        store = self.engine.data.get(database, name)
        if store is not None and "viewOn" in store.options:
            raise MongoError("CommandNotSupportedOnView", f"Namespace {database}.{name} is a view, not a collection")
