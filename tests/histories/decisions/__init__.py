"""Logs by which a change of what is decided is seen; README.md says how they were made."""
