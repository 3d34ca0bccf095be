"""The HTTP API: typed routes over what the log says, and the few things that can be asked for."""
