"""Where results go: the content model and one driver a file."""
