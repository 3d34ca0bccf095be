"""Drivers that run one execution each: `port` says what they owe, one file per engine."""
