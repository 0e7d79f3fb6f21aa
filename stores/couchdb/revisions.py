"""The revision tree of one document: who follows whom, which leaves there are, and which of them wins.

An edit makes a new leaf under the revision that it names. Replication brings branches of other replicas, so a document
can have several leaves: conflicts. Every replica picks the same winner without asking anybody: a leaf that is not
deleted before one that is, then the longer history, then the greater digest.
"""

from dataclasses import dataclass, field

from stores.couchdb.digest import split


@dataclass
class Revision:
    """One revision. `body` is None when only its name is known, or after a compaction."""

    name: str
    body: dict | None = None
    deleted: bool = False
    attachments: dict = field(default_factory=dict)  # name: Attachment
    parent: str | None = None

    @property
    def rank(self):
        """Compared between leaves, the greatest wins."""
        generation, digest = split(self.name)
        return not self.deleted, generation, digest


class Tree:
    """The revisions of one document by name."""

    def __init__(self):
        self.revisions = {}
        self._parents = set()  # the names that somebody follows
        self._leaves = []  # what leaves() told last; empty after a change

    def is_leaf(self, name):
        return name in self.revisions and name not in self._parents

    def leaves(self):
        """All leaves, the winner first."""
        if not self._leaves:
            leaves = [revision for name, revision in self.revisions.items() if name not in self._parents]
            self._leaves = sorted(leaves, key=lambda revision: revision.rank, reverse=True)
        return self._leaves

    @property
    def winner(self):
        return self.leaves()[0]

    def conflicts(self, deleted=False):
        """The names of the leaves that lost; those of the deleted ones if `deleted`."""
        return [leaf.name for leaf in self.leaves()[1:] if leaf.deleted == deleted]

    def history(self, name):
        """The names from a revision back to the first that is known, the revision itself first."""
        names = []
        while name is not None:
            names.append(name)
            name = self.revisions[name].parent
        return names

    def add(self, revision, ancestors=()):
        """Add a revision with the names that it descends from, its parent first. Return False if it was there."""
        if revision.name in self.revisions:
            return False
        self._leaves = []
        self.revisions[revision.name] = revision
        for name, parent in zip([revision.name, *ancestors], ancestors, strict=False):
            self.revisions.setdefault(parent, Revision(parent))
            if self.revisions[name].parent is None:
                self.revisions[name].parent = parent
                self._parents.add(parent)
        return True

    def compact(self):
        """Forget what all revisions but the leaves hold."""
        for name in self._parents:
            self.revisions[name].body, self.revisions[name].attachments = None, {}
