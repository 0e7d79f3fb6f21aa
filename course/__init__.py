"""The course: what notebooks import, and the command line (`python -m course`).

Nothing is imported here: the system's Python loads this package before any other package is installed.
"""
