"""What happened: the vocabulary of a job, its wire format, and the log that keeps it."""
