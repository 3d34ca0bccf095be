"""Where a shard's result can be read from, and reading it there without believing anybody."""
