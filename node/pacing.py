"""How often a node is told again what it owes: after the patience, then twice as long each time."""

NUDGE_MS_MAX = 60_000


class Nudges:
    """The pace of repeats, per job and node; a requester that starts begins anew."""

    def __init__(self, patience_ms: int) -> None:
        self._patience_ms = patience_ms
        self._due: dict[str, dict[str, tuple[int, int]]] = {}

    def may(self, node: str, job: str, now_ms: int) -> bool:
        """Say whether it is time for a repeat, and count it as made if so."""
        nodes = self._due.setdefault(job, {})
        due_ms, pause_ms = nodes.get(node, (0, self._patience_ms))
        if now_ms < due_ms:
            return False
        nodes[node] = (now_ms + pause_ms, min(pause_ms * 2, NUDGE_MS_MAX))
        return True

    def forget(self, job: str) -> None:
        """Let go of a job that is closed."""
        self._due.pop(job, None)
