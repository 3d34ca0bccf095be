"""What went wrong with a request to S3, read out of what the client says about it.

The client has few kinds of errors and tells the rest as text: the status, and the body with the
service's own code. The codes are those of `publishers.http`, so that a failure has one name
whatever the service; beside them stand `no-bucket`, `disk-full` and `bad-name`. What the service
said is not passed on but for its code: a refused signature comes with the request that was signed,
the session token in it.
"""

import re
from typing import NamedTuple

from events.errors import PublishError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,60})</Code>")
_ADDRESS = re.compile(r"Error performing [A-Z]+ (https?://[^/\s]+)")

_FULL = {"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity"}
_DAMAGED = {"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestTimeout"}
"""What arrived is not what was sent."""

_MISSING = 404
_PAST_THE_END = 416
_FULL_STATUS = 507
_BUSY = {429, 503}
_REFUSED = {401, 403}
_NOT_IMPLEMENTED = 501
_FINAL = {*range(400, 500), _NOT_IMPLEMENTED} - {408, 409}
_SERVER_ERRORS = range(500, 600)
_REDIRECTS = range(300, 400)

_ELSEWHERE_HINT = "Check the fields 'region' and 'endpoint' of the credential"

_FIELDS = {
    "InvalidAccessKeyId": "access_key_id",
    "SignatureDoesNotMatch": "secret_access_key",
    "InvalidToken": "session_token",
    "ExpiredToken": "session_token",
    "AuthorizationHeaderMalformed": "region",
    "IllegalLocationConstraintException": "region",
}
"""Which field of the credential to look at, by the code of the service."""


class Said(NamedTuple):
    """The status (0: there was none) and the code (empty: there was none) of an answer."""

    status: int
    code: str

    @property
    def missing_object(self) -> bool:
        """Whether the object, or the range of it, is what is not there."""
        missing = self.status == _MISSING and self.code != "NoSuchBucket"
        return missing or self.status == _PAST_THE_END

    def __str__(self) -> str:
        return " ".join(filter(None, [str(self.status), self.code]))


def said_status(error: Exception) -> Said:
    """Return what the service said, as far as the client tells."""
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    return Said(int(status[1]) if status else 0, code[1] if code else "")


def service_failure(error: Exception, uri: str) -> PublishError:
    """Say what failed at `uri`, whether a repeat may help, and where to look."""
    said = said_status(error)
    if not said.status:
        return _unanswered(str(error), uri)
    what = f"the service of {uri} answered {said}"
    if said.code in _FIELDS:
        hint = f"Check the field {_FIELDS[said.code]!r} of the credential"
        return PublishError("refused", what, permanent=True, hint=hint)
    if said.code == "RequestTimeTooSkewed":
        return PublishError("refused", what, hint="Set this machine's clock")
    if said.status in _REFUSED:
        hint = "Let the identity of 'access_key_id' write there, or name another credential"
        return PublishError("refused", what, permanent=True, hint=hint)
    if said.status == _MISSING:
        hint = "Make the bucket, or mend the target or the credential's 'endpoint'"
        return PublishError("no-bucket", what, permanent=True, hint=hint)
    if said.code == "KeyTooLongError":
        hint = "Shorten names, the longest first; this service takes less than S3 allows"
        return PublishError("bad-name", what, permanent=True, hint=hint)
    if said.status == _FULL_STATUS or said.code in _FULL:
        return PublishError("disk-full", what, hint="Make room; a repeat then succeeds")
    if said.status in _BUSY:
        return PublishError("busy", what, hint="Repeat it later")
    if said.status in _SERVER_ERRORS and said.status != _NOT_IMPLEMENTED:
        return PublishError("unavailable", what, hint="Is its disk full? Repeat it later")
    if said.status in _REDIRECTS:
        return PublishError("rejected", what, permanent=True, hint=_ELSEWHERE_HINT)
    if said.code in _DAMAGED:
        return PublishError("broken-off", what, hint="Repeat it")
    return PublishError(
        "rejected",
        what,
        permanent=said.status in _FINAL,
        hint="Check that the credential's 'endpoint' speaks S3, with checksums",
    )


def _unanswered(text: str, uri: str) -> PublishError:
    address = _ADDRESS.search(text)
    place = f"{uri} at {address[1]}" if address else uri
    if "without LOCATION" in text:
        what = f"{place}: the service sends us elsewhere"
        return PublishError("rejected", what, permanent=True, hint=_ELSEWHERE_HINT)
    if "HTTP error" not in text:
        hint = "Check that the credential's 'endpoint' speaks S3"
        return PublishError("bad-answer", f"{place}: not what S3 answers", hint=hint)
    if "kind: Timeout" in text:
        return PublishError("timeout", f"{place}: no answer in time", hint="Repeat it later")
    if "kind: Connect" in text:
        return PublishError("unreachable", f"{place}: no connection", hint="Is it up, and there?")
    return PublishError("broken-off", f"{place}: the connection ended", hint="Repeat it later")
