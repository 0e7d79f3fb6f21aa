"""Which documents are looked at, and in which order: choose(store, request) gives the plan that is taken."""

from stores.mongodb.planner.choice import choose

__all__ = ["choose"]
