"""The documents for readers in other languages, made from the event types.

`json_schema` says what an event may hold, `asyncapi` on which subjects they come, `catalogue` tells
people. All of it is text made from types: nothing here reads or writes.
"""
