"""What a job's inputs are called, and what they held when a client listed them."""
