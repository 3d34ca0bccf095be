"""What a disk's refusal means for a publication, in words and in whether a repeat may help."""

import errno

from events.errors import PublishError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def disk_error(error: OSError, what: str) -> PublishError:
    """Return the error to raise; `what` says which place failed, as in "the folder /a"."""
    told = f"{what} cannot be used: {error.strerror or error}"
    if error.errno in _FULL:
        return PublishError("disk-full", told, hint="Make room; a repeat then succeeds")
    if error.errno in _REFUSED:
        return PublishError("refused", told, hint="Let this user read and write there")
    return PublishError("io-error", told, hint="Check the disk that holds it")
