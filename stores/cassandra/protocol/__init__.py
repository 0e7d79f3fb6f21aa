"""Cassandra's native protocol, versions 3 to 5: frames, messages, one client's connection."""
