"""What a compute node writes down about its jobs and executions."""

from typing import Literal, Self

import msgspec

from events.items import Claim
from publishers.port import Result, SmallResult

Stored = SmallResult | Literal["folder"]
"""A result in the database, or the word that it lies in the execution's folder."""


class JobRow(msgspec.Struct, frozen=True, gc=False):
    """A job that the node has bid for and that is not closed; `met_ms` is when it first did."""

    job: str
    met_ms: int


class ExecutionRow(msgspec.Struct, frozen=True, gc=False):
    """What one execution came to, and its result unless that lies in a folder."""

    execution: str
    job: str
    claim: Claim
    stored: Stored
    size_bytes: int
    finished_ms: int

    @classmethod
    def of(cls, execution: str, job: str, claim: Claim, result: Result, finished_ms: int) -> Self:
        """Return the row of a result; a folder counts with the size that its claim gives."""
        if isinstance(result, SmallResult):
            size_bytes = len(result.stdout) + len(result.stderr)
            return cls(execution, job, claim, result, size_bytes, finished_ms)
        return cls(execution, job, claim, "folder", claim.dag_size_bytes, finished_ms)


class Batch(msgspec.Struct, frozen=True):
    """Rows that are written together."""

    jobs: list[JobRow] = []
    executions: list[ExecutionRow] = []


class Recalled(msgspec.Struct, frozen=True):
    """What a node knew when it last ran: its open jobs, and the claims of their executions by id.

    `created` says that the database is new, or was new and has not been filled from the log yet.
    """

    jobs: list[str]
    executions: dict[str, Claim]
    created: bool
