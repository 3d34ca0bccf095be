"""What is true now: pure folds over the log, and the store that keeps their read models."""
