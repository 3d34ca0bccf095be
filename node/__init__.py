"""What we do about it: deciding, performing, executing, and the command line."""
