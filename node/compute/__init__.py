"""A compute node: bids, runs, proposes, reveals and publishes."""
