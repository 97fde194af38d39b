"""API keys, compared in constant time, and the question whether a browser's page may open a stream."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from emovox.serving.errors import OriginError, UnauthorisedError

_HOW = "send 'Authorization: Bearer KEY' (in a browser's stream: \"key\" in session.start)"


class KeyRing:
    """The keys that open the service; without keys it is open.

    Args:
        keys: the keys; only their hashes are kept.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._hashes = tuple(_hash(key) for key in keys)

    @property
    def is_open(self) -> bool:
        """Whether no key is needed."""
        return not self._hashes

    def check(self, key: str | None) -> None:
        """Check a key; takes as long for a wrong one as for a right one, whichever it is.

        Raises:
            UnauthorisedError: no key, or none of ours.
        """
        if self.is_open:
            return
        if key is None:
            raise UnauthorisedError(f"got no API key, expected one; {_HOW}")
        given = _hash(key)
        if not sum(hmac.compare_digest(given, known) for known in self._hashes):
            raise UnauthorisedError(f"got a wrong API key, expected one that this service knows; {_HOW}")


def key_in(headers: Mapping[str, str]) -> str | None:
    """Find the key in `Authorization: Bearer KEY` or `X-API-Key: KEY`; None when there is none.

    >>> key_in({"authorization": "Bearer abc"}), key_in({"x-api-key": "abc"}), key_in({})
    ('abc', 'abc', None)
    """
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key")


def check_origin(headers: Mapping[str, str], *, allowed: Iterable[str]) -> None:
    """Check who opens a stream: no browser, a page of this service, or one that `cors` names.

    Browsers let any page open a WebSocket to any host, and CORS does not cover it: without this, every page that the
    user visits could use a service on the user's own machine.

    Args:
        headers: of the handshake.
        allowed: the setting `cors`; "*" allows all.

    Raises:
        OriginError: another page.
    """
    origin = headers.get("origin")
    if origin is None or urlsplit(origin).netloc == headers.get("host"):
        return
    allowed = tuple(allowed)
    if "*" not in allowed and origin not in allowed:
        raise OriginError(
            f"got a stream from a page of {origin}, expected one of this service; name the origin in the setting cors"
        )


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
