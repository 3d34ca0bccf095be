"""What a node serves over HTTP: the results that its publisher `local` has written."""
