"""The demonstration job: a census of the Python standard library's own source files."""
