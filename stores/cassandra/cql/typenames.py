"""The names of types as a statement writes them, before a keyspace gives them a meaning (`types.resolve` does).

`str(node)` is the name in CQL.
"""

from stores.cassandra.cql.nodes import Name, joined, node


@node
class NativeTypeName:
    """int, text, …; varchar is already text."""

    name: str

    def __str__(self):
        return self.name


@node
class CollectionTypeName:
    """list<e>, set<e>, map<k, v>: `kind` is list, set or map."""

    kind: str
    elements: tuple

    def __str__(self):
        return f"{self.kind}<{joined(self.elements)}>"


@node
class TupleTypeName:
    """tuple<a, b, …>"""

    elements: tuple

    def __str__(self):
        return f"tuple<{joined(self.elements)}>"


@node
class VectorTypeName:
    """vector<e, dimension>"""

    element: "TypeName"
    dimension: int

    def __str__(self):
        return f"vector<{self.element}, {self.dimension}>"


@node
class UserTypeName:
    """A user-defined type, by name."""

    name: Name

    def __str__(self):
        return str(self.name)


@node
class FrozenTypeName:
    """frozen<type>"""

    type: "TypeName"

    def __str__(self):
        return f"frozen<{self.type}>"


@node
class CustomTypeName:
    """'org.apache.cassandra.db.marshal.…': a type by the name of its Java class."""

    class_name: str

    def __str__(self):
        return f"'{self.class_name}'"


TypeName = NativeTypeName | CollectionTypeName | TupleTypeName | VectorTypeName | UserTypeName | FrozenTypeName | CustomTypeName
