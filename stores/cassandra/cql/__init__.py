"""CQL, the language: text in, a statement (frozen dataclasses) out. `parser.parse` is the way in."""
