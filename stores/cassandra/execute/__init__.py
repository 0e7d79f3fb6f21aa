"""Statements compiled into plans, and the plans run."""
