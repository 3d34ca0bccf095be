"""Webhooks: events of the log, sent to whoever wants to hear of them, over HTTP."""
