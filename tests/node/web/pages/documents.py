"""Documents as the API answers with them, made up: what a network may say, markup included."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from node.web.api.drawn_job import LANES_MAX

Document = dict[str, Any]

MARKUP = (
    "<img src=x onerror=\"document.title='run'\"></script><script>document.title='run'</script>"
)
JOB = "01kb2m8pqr0000000000000001"
LAST = 500
START = datetime(2026, 11, 30, 1, tzinfo=UTC)
CID = "bafybeih4m5567tcp2dtyvxdqlpdbuaezinzr2f3mdil6gh47wmjt4otdgy"
COUNTED = {
    "jobs": ("submitted", "completed", "failed", "cancelled"),
    "shards": ("planned", "completed", "failed", "cancelled"),
    "bids": ("placed", "declined"),
    "executions": ("awarded", "accepted", "rejected", "failed", "lost", "cancelled"),
    "verdicts": ("accepted", "failed", "unverified"),
    "publications": ("published", "failed"),
    "failures": ("exit_code", "timeout", MARKUP),
}
STAGES = ("queue", "bid", "run", "verify", "publish")
SPREADS = ("messages_per_job", "bytes_per_job", *(f"latency.{name}" for name in (*STAGES, "total")))


def time(seconds: float) -> str:
    """Return a time so long after the start."""
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def statistics(points: int = 60) -> Document:
    """Return a series document with every name that the pages look for."""
    wave = [round(20 + 15 * math.sin(at / 9)) for at in range(points)]
    series: Document = {
        f"{family}.{name}": [value // (rank + 1) for value in wave]
        for family, names in COUNTED.items()
        for rank, name in enumerate(names)
    }
    for name in ("queue", "running", "open_jobs", "nodes", "events", "declared.cpu", "used.cpu"):
        series[name] = wave
    for name in ("declared.memory_bytes", "used.memory_bytes"):
        series[name] = [value << 28 for value in wave]
    for name in SPREADS:
        for rank, percentile in enumerate(("p50", "p90", "p99"), 1):
            series[f"{name}.{percentile}"] = [
                value * rank if at % 20 else None for at, value in enumerate(wave)
            ]
    return {
        "since": time(0),
        "until": time(points),
        "step_s": 1,
        "times": [time(at) for at in range(points)],
        "series": series,
        "totals": {
            name: sum(value or 0 for value in values)
            for name, values in series.items()
            if name.partition(".")[0] in (*COUNTED, "events")
        },
        "percentiles": {name: {"p50": 21, "p90": 34, "p99": 35, "count": 57} for name in SPREADS},
    }


def job_row(number: int, state: str) -> Document:
    """Return a job as a line of a list."""
    failed = state == "failed"
    return {
        "id": f"{JOB[:-1]}{number}",
        "name": MARKUP if number == 1 else "",
        "state": state,
        "code": "shard_failed" if failed else None,
        "reason": MARKUP if failed else None,
        "root_cid": None,
        "labels": {"team": MARKUP},
        "engine": "process",
        "command": MARKUP if number == 2 else "",
        "shards": {"total": 12, "completed": 9, "failed": 3 if failed else 0, "cancelled": 0},
        "submitted_at": time(number),
        "ended_at": time(number + 30) if state in ("completed", "failed") else None,
        "position": number,
        "closed": False,
    }


def jobs() -> Document:
    """Return a page of jobs, one of each state."""
    states = ("submitted", "running", "completed", "failed", "cancelled")
    rows = [job_row(number, state) for number, state in enumerate(states)]
    return {"jobs": rows, "next": "5", "position": LAST, "time": time(LAST)}


def execution(shard: int, attempt: int, state: str) -> Document:
    """Return an execution with the claim that it makes."""
    claim = {"cid": CID, "dag_size_bytes": 4096, "exit_code": 0, "fuel": None}
    return {
        "id": f"{JOB}-{shard}-{attempt}",
        "node": f"node-{attempt + 1}",
        "state": state,
        "reason": MARKUP if state == "rejected" else None,
        "claim": claim,
    }


def shard(index: int, state: str) -> Document:
    """Return a shard that was judged and published, or failed to be."""
    slot = {"publisher": "s3", "target": MARKUP, "node": "node-2", "tries": 2, "given_up": []}
    return {
        "index": index,
        "state": state,
        "code": "exit_code" if state == "failed" else None,
        "reason": f"node-1 says {CID}: {MARKUP}" if state == "failed" else None,
        "executions": [execution(index, 0, "accepted"), execution(index, 1, "rejected")],
        "verdict": {
            "result": "accepted",
            "accepted": [f"{JOB}-{index}-0"],
            "rejected": [f"{JOB}-{index}-1"],
            "reason": "1 of 2 agree",
            "claim": execution(index, 0, "accepted")["claim"],
        },
        "publications": [
            {
                "publisher": "local",
                "target": None,
                "uri": uri,
                "cid": CID,
                "size_bytes": 4096,
                "duration_ms": 12,
                "node": "node-1",
                "execution": f"{JOB}-{index}-0",
            }
            for uri in ("https://example.org/x", "javascript:alert(1)")
        ],
        "slots": [{**slot, "state": "retry", "reason": MARKUP}],
    }


def job(shards: int = 12) -> Document:
    """Return a job that runs."""
    states = ("completed", "completed", "running", "failed", "publishing", "waiting")
    return {
        **{
            key: value
            for key, value in job_row(1, "running").items()
            if key not in ("engine", "command")
        },
        "exit_code": None,
        "dag_size_bytes": None,
        "gateway": "cli",
        "deadline_at": time(86_400),
        "cancel_asked": None,
        "spec": {
            "engine": "process",
            "command": ["sh", "-c", MARKUP],
            "deal": {"replicas": 2},
            "verifier": "deterministic",
        },
        "inputs": [
            {"source": f"file:///{MARKUP}", "count": 12, "size_bytes": 4096, "digest": "d"},
        ],
        "shards": [shard(index, states[index % len(states)]) for index in range(shards)],
        "roots": [],
        "counts": {"events": 7, "late": 0, "illegal": 1},
        "illegal": [
            {
                "event": "e9",
                "kind": "results.proposed",
                "author": "node-9",
                "causation": "e8",
                "item": "shard 0",
                "state": "waiting",
                "why": MARKUP,
                "before": [],
            }
        ],
        "newer": [],
        "unjudged": 0,
        "why_waiting": [
            {
                "stage": "placement",
                "code": "declined",
                "message": MARKUP,
                "node": "node-3",
                "shards": 2,
            }
        ],
        "timeline": [
            {
                "kind": kind,
                "role": role,
                "first": time(first),
                "last": time(first + 2),
                "events": 3,
                "items": 12,
                "authors": ["node-1", "node-2"],
            }
            for kind, role, first in (("job.submitted", "g", 0), ("bids.placed", "c", 1))
        ],
        "position": LAST,
        "time": time(LAST),
    }


def lanes() -> Document:
    """Return the lanes of the job's executions."""
    ends = ("published", "failed", "lost", "running")
    return {
        "job": JOB,
        "state": "running",
        "ended": False,
        "shards": 12,
        "start": time(0),
        "took_ms": 9800,
        "stages": [
            {"stage": name, "total_ms": 1000 * rank, "median_ms": 100, "longest_ms": 900}
            for rank, name in enumerate(STAGES)
        ],
        "lanes": [
            {
                "execution": f"{JOB}-{at // 2}-{at % 2}",
                "shard": at // 2,
                "attempt": at % 2,
                "node": f"node-{at % 3 + 1}",
                "state": ends[at % 4],
                "in_hand_ms": 1500,
                "marks": [
                    {"state": "awarded", "after_ms": 300 * at},
                    {"state": "running", "after_ms": 300 * at + 200},
                    *([] if at % 4 == 3 else [{"state": ends[at % 4], "after_ms": 300 * at + 900}]),
                ],
            }
            for at in range(12)
        ],
        "position": LAST,
        "time": time(LAST),
    }


def drawn_job(job: Document, lanes: Document, shard: Any = None) -> Document:
    """Return what a job's page is drawn from, of its two documents."""
    shards = job["shards"]
    if shard is None and len(shards) == 1:
        shard = 0
    return {
        **job,
        "shards": [one["state"] for one in shards],
        "shard": shards[shard] if shard is not None else None,
        "lanes": {**lanes, "lanes": lanes["lanes"][:LANES_MAX]},
        "executions": len(lanes["lanes"]),
    }


def event(position: int) -> Document:
    """Return an event that the one before has caused."""
    at = position % 4
    return {
        "position": position,
        "time": time(position),
        "job": JOB,
        "type": ("job.submitted", "bids.placed", "shards.awarded", "results.proposed")[at],
        "role": "gcrc"[at],
        "author": ("cli", "node-1", "requester", "node-2")[at],
        "summary": f"shard {position}: {MARKUP}",
        "id": f"e{position}",
        "causation": f"e{position - 1}" if position > 1 else None,
        "subject": f"lota.ev.00.{JOB}.g.cli.job.submitted",
        "newer": False,
        "data": {"said": MARKUP},
    }


def node(number: int, state: str) -> Document:
    """Return a node with a history."""
    return {
        "name": f"node-{number}",
        "state": state,
        "roles": ["compute"],
        "engines": ["noop", "process"],
        "publishers": ["local", "s3"],
        "credentials": ["minio"],
        "cpu": 8,
        "memory_bytes": 16 << 30,
        "disk_bytes": 1 << 40,
        "gpu": 0,
        "width": 4,
        "labels": {"zone": MARKUP},
        "data": [],
        "version": "0.1.0",
        "incarnation": "i",
        "joined_at": time(0),
        "quarantined": number == 2,
        "quarantined_until": None,
        "reason": MARKUP if number == 2 else None,
        "agreed": 120,
        "differed": 2,
        "executions": 2,
        "bids": {"placed": 200, "won": 120, "lost": 80, "declined": 3},
        "failures": {"failed": 3, "lost": 0, "rejected": 1},
        "record": {"won": 31, "lost": 12, "declined": 2, "failed": 1},
    }


def ring() -> Document:
    """Return where the job falls among the nodes."""
    nodes = [
        {
            "name": f"node-{number}",
            "state": "live",
            "weight": float(number),
            "score": 9.0 / number,
            "rank": number if number < 4 else None,
            "refusal": None if number < 4 else MARKUP,
        }
        for number in range(1, 5)
    ]
    place: Document = {"job": JOB, "shard": 0, "asked": 2, "position": LAST, "time": time(LAST)}
    return {**place, "nodes": nodes}


def answers() -> dict[str, Any]:
    """Return the answers by their paths below /api/v1."""
    newest = [event(position) for position in range(LAST, LAST - 8, -1)]
    log = {"events": newest, "first": 1, "last": LAST, "next": str(LAST - 7), "position": LAST}
    states = ("live", "live", "draining", "lost")
    entries = [
        {"name": "outputs", "encoded": "outputs", "kind": "folder", "size_bytes": 4000, "cid": CID},
        {"name": MARKUP, "encoded": "a%2Fb", "kind": "file", "size_bytes": 96, "cid": CID},
    ]
    return {
        "/statistics": statistics(),
        "/jobs": jobs(),
        f"/jobs/{JOB}": job(),
        f"/jobs/{JOB}/lanes": lanes(),
        f"/jobs/{JOB}/events": {
            "events": [event(position) for position in range(1, 10)],
            "next": None,
            "position": LAST,
        },
        f"/jobs/{JOB}/logs": f"line\n{MARKUP}\n",
        f"/jobs/{JOB}/results": {"entries": entries, "next": None},
        "/nodes": {
            "nodes": [node(number, state) for number, state in enumerate(states, 1)],
            "position": LAST,
            "time": time(LAST),
        },
        "/ring": ring(),
        "/log": log,
        "/projections": [{"name": "jobs", "version": 3, "position": LAST, "lag": 0}],
    }
