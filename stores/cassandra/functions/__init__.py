"""CQL's native functions, by family."""
