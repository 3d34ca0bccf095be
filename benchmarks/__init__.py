"""Every number the README quotes, each printed beside its limit or its peer."""
