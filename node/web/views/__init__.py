"""What the pages show, as HTML: pure functions from the API's documents."""
