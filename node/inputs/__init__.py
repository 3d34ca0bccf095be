"""Where a job's input files come from: listed once by content, staged for each shard."""
