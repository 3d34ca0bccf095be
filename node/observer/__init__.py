"""What follows the log to be looked at: it serves no job and decides nothing."""
