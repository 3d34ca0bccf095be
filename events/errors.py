"""Every error that Lota raises on purpose, as one tree.

LotaError
├── InvalidSpec          a job that is refused before anything is appended
├── InvalidInput         an input path or listing that cannot be used
├── ContentError         a tree that has no content address, or bytes that do not match one
├── NotFound             a job, node, shard or path that does not exist
├── EventError           a message on the log that is not an event of ours
│   ├── CorruptEvent     it does not decode
│   └── UnknownEvent     it decodes, but its type or subject is not one of ours
│       └── NewerEvent   its type is one that a newer version of Lota writes
├── LogError             the log refused or could not be reached
│   ├── WrongExpectedPosition   another writer appended first: read on and decide again
│   ├── AppendTimeout           no answer: maybe stored, maybe not; repeat it with the same id
│   ├── LogUnavailable          no connection to the server
│   │   └── NotAdmitted         the server is there and refuses our credentials
│   ├── ReadOnlyLog      an append to a log that is a copy: a twin, or a file
│   ├── AnotherLog       what a node keeps follows another log than the server holds
│   ├── LogNotEmpty      an import into a log that has events, readers or another import
│   └── StreamMismatch          a stream of this name exists and is configured otherwise
├── ExportError          a file that does not hold the log it should
│   ├── NotAnExport      it is something else
│   ├── NewerExport      it was written by a version of Lota that is newer than this one
│   ├── TruncatedExport  its end is missing
│   ├── DamagedExport    a line was changed
│   └── UnorderedExport  its events are not in the order of the log
├── DatabaseUnusable     a SQLite file of a node is damaged, foreign or out of reach
│   └── DatabaseDamaged  what is in it is not what was written
├── ServerError          the embedded nats-server did not start or stop
├── ExecutorError        the infrastructure of one execution failed; not the user's command
├── PublishError         a publication failed
├── NodeBusy             another live process holds this node's name or state folder
├── NodeSilent          the node that holds something does not answer
├── WaitTimedOut        what was waited for did not happen in the time given
├── WrongUsage          arguments that parse and cannot be meant
│   └── Ambiguous        the start of an id that several jobs have
├── JobIdTaken          another job has the id already
└── JobFailed            the job that was waited for did not complete
"""


class LotaError(Exception):
    """Say what went wrong, and in `hint` what to do about it."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


class InvalidSpec(LotaError):
    """A job spec that cannot be accepted; `path` names the field, as in `$.deal.confidence`."""

    def __init__(self, path: str, what: str, *, hint: str = "") -> None:
        super().__init__(f"{path}: {what}", hint=hint)
        self.path = path


class InvalidInput(LotaError):
    """An input that is missing, empty, not allowed, or no longer what was listed."""


class ContentError(LotaError):
    """A tree that has no content address, or bytes that do not match theirs."""


class NotFound(LotaError):
    """A job, node, shard or path that does not exist."""


class EventError(LotaError):
    """A message on the log that cannot be folded."""


class CorruptEvent(EventError):
    """The body does not decode as an event."""


class UnknownEvent(EventError):
    """The subject or type is not one of ours."""


class NewerEvent(UnknownEvent):
    """What only a newer version of Lota can have written; its `kind` is as in subjects.

    `detail` says what is newer if it is not the type. `id`, `job` and `time` are those of the
    envelope, which all versions share.
    """

    def __init__(
        self, type: str, detail: str = "", *, kind: str, id: str, job: str, time: str
    ) -> None:
        told = f"{type} ({detail})" if detail else type
        super().__init__(f"{told} was written by a newer version of Lota")
        self.type = type
        self.kind = kind
        self.id = id
        self.job = job
        self.time = time


class LogError(LotaError):
    """The log refused, or could not be reached."""


class WrongExpectedPosition(LogError):
    """Another writer appended first: read on from the fold, then decide again."""


class AppendTimeout(LogError):
    """No answer in time: the event may or may not be stored. Repeat it with the same id."""


class LogUnavailable(LogError):
    """There is no connection to the server."""


class NotAdmitted(LogUnavailable):
    """The server is there and refuses our credentials."""


class StreamMismatch(LogError):
    """The stream exists with another configuration than this version expects."""


class ReadOnlyLog(LogError):
    """The log is a copy of another, to look at; nothing is decided or stored there."""


class AnotherLog(LogError):
    """What a node keeps on its disk follows another log: nothing of it is used or changed."""


class LogNotEmpty(LogError):
    """An import needs a log that nobody has written to and nobody reads."""


class ExportError(LotaError):
    """An exported log cannot be read; each kind says in which line and what to do."""


class NotAnExport(ExportError):
    """The file is something else."""


class NewerExport(ExportError):
    """The file's major version is above what this version of Lota reads."""


class TruncatedExport(ExportError):
    """The file ends before its last line."""


class DamagedExport(ExportError):
    """The file is not what was written: a line or the digest does not fit."""


class UnorderedExport(ExportError):
    """The events are not in the order of the log."""


class DatabaseUnusable(LotaError):
    """A SQLite file that is damaged, not ours, from a newer version, or cannot be opened."""


class DatabaseDamaged(DatabaseUnusable):
    """A SQLite file whose content is not what was written."""


class ServerError(LotaError):
    """The embedded nats-server did not start or did not stop."""


class ExecutorError(LotaError):
    """One execution's infrastructure failed; `code` is a short stable word for the event."""

    def __init__(self, code: str, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.code = code


class PublishError(LotaError):
    """A publication failed; `permanent` says that a repeat by this node cannot help.

    `unpaid` is a paid driver's word that surely nothing was paid and nothing is on its way.
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        permanent: bool = False,
        unpaid: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(what, hint=hint)
        self.code = code
        self.permanent = permanent
        self.unpaid = unpaid


class NodeBusy(LotaError):
    """Another live process holds this node's name or state folder."""


class JobFailed(LotaError):
    """The job that was waited for ended in another state than completed."""


class NodeSilent(LotaError):
    """The node that holds something does not answer; ask another that has it, or later."""


class WaitTimedOut(LotaError):
    """What was waited for did not happen in the time that was given."""


class WrongUsage(LotaError):
    """Arguments that parse and cannot be meant."""


class Ambiguous(WrongUsage):
    """The start of an id that several jobs have."""


class JobIdTaken(LotaError):
    """A job cannot be submitted under an id that another one has."""
