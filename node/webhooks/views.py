"""A webhook as commands show it."""

from typing import Any

from events.times import rfc3339
from node.webhooks.registry import Listed


def webhook_view(listed: Listed) -> dict[str, Any]:
    """Return all that is known of a webhook; of its secret that is the name alone."""
    webhook, progress = listed.webhook, listed.progress
    failure = progress.last_failure
    return {
        "id": listed.id,
        "state": shown_state(listed),
        "reason": (webhook.reason if webhook else listed.problem) or progress.problem or None,
        "url": webhook.url if webhook else None,
        "types": list(webhook.types) or None if webhook else None,
        "job": webhook.job or None if webhook else None,
        "credential": webhook.credential or None if webhook else None,
        "signed": bool(webhook and webhook.credential),
        "created": _time(webhook.created_ms if webhook else 0),
        "node": progress.node or None,
        "position": progress.position,
        "late": progress.late,
        "accepted": progress.accepted,
        "failed": progress.failed,
        "skipped": progress.skipped,
        "last_accepted": _time(progress.last_accepted_ms),
        "failing_since": _time(progress.failing_since_ms or 0),
        "last_failure": {
            "what": failure.what,
            "event": failure.event,
            "job": failure.job,
            "tries": failure.tries,
            "time": rfc3339(failure.time_ms),
            "next": rfc3339(failure.next_ms),
        }
        if failure
        else None,
    }


def shown_state(listed: Listed) -> str:
    """Return the state in one word: what was wished, else how it goes."""
    webhook, progress = listed.webhook, listed.progress
    if webhook is None:
        return "unreadable"
    if webhook.state != "active":
        return webhook.state
    if progress.problem:
        return "waiting"
    return "failing" if progress.late or progress.failing_since_ms else "active"


def _time(ms: int) -> str | None:
    return rfc3339(ms) if ms else None
