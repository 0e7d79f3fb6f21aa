"""Accumulators: what $group, $bucket and windows make of the documents of a group."""
