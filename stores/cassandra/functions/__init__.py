"""CQL's native functions, by family. `find` returns the one that a call means; operators and CAST are functions too.

All take and return serialised values; None is null.
"""

from stores.cassandra.functions import aggregates, masks, times, vectors  # each registers its functions
from stores.cassandra.functions.arithmetic import negation, operation
from stores.cassandra.functions.conversions import cast, parse_json
from stores.cassandra.functions.registry import FUNCTIONS, Function, find

__all__ = ["FUNCTIONS", "Function", "aggregates", "cast", "find", "masks", "negation", "operation", "parse_json", "times", "vectors"]
