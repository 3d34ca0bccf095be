"""A package, so that `tests.simulation` cannot be mistaken for a folder of some dependency."""
