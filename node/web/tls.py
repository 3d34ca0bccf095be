"""The certificate that is served with, from the files that the operator names."""

import ssl
from pathlib import Path

from events.errors import WrongUsage


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return what TLS needs, None without a certificate; a key may stand in the same file.

    Raises WrongUsage for files that cannot be read, are none, or do not belong together.
    """
    if certificate is None:
        if key is not None:
            raise WrongUsage("there is a key and no certificate", hint="give --tls-cert too")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An encrypted key would be asked for on the terminal; here it is an error.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WrongUsage(
            f"no TLS with {certificate} and {key or 'the key in it'}: {why}",
            hint="give --tls-cert and --tls-key as PEM files that belong together",
        ) from None
    return context
