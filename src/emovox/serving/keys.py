"""API keys, compared in constant time, and the question whether a browser's page may open a stream."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

from emovox.serving.errors import HostError, OriginError, UnauthorisedError
from emovox.serving.settings import ServiceSettings

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

_PORT = re.compile(r":\d*$")

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
    """Check who opens a stream or changes something: no browser, a page of this service, or one that `cors` names.

    Browsers let any page open a WebSocket to any host, and CORS does not cover it: without this, every page that the
    user visits could use a service on the user's own machine.

    Args:
        headers: of the handshake or the request.
        allowed: the setting `cors`; "*" allows all.

    Raises:
        OriginError: another page.
    """
    origin = headers.get("origin")
    if origin is None or _netloc(origin) == headers.get("host"):
        return
    allowed = tuple(allowed)
    if "*" not in allowed and origin not in allowed:
        raise OriginError(
            f"got a request from a page of {origin[:80]}, expected one of this service; "
            "name the origin in the setting cors"
        )


def hosts_of(settings: ServiceSettings) -> tuple[str, ...]:
    """Return the names by which this service may be called; none: any.

    A name that `settings.allowed_hosts` does not have is refused on a loopback address, where every page that the user
    visits could otherwise come in under a name of its own (DNS rebinding); elsewhere names are free unless it is set.

    >>> hosts_of(ServiceSettings(host="127.0.0.1")), hosts_of(ServiceSettings(host="0.0.0.0"))
    (('localhost', '127.0.0.1', '[::1]'), ())
    """
    if not settings.allowed_hosts and not is_local(settings.host):
        return ()
    return (*LOOPBACK_NAMES, *(name.lower() for name in settings.allowed_hosts))


def check_host(headers: Mapping[str, str], *, allowed: Collection[str]) -> None:
    """Check the name by which the service was called, whatever the port.

    Args:
        headers: of the request.
        allowed: as `hosts_of` gives them.

    Raises:
        HostError: another name.
    """
    host = headers.get("host")
    if not allowed or host is None:  # every browser sends it
        return
    if _PORT.sub("", host.lower()) not in allowed:
        raise HostError(
            f"got a request for the host {host[:80]}, expected one of {', '.join(allowed)}; "
            "name the host in the setting allowed_hosts"
        )


def is_local(host: str) -> bool:
    """Tell whether only this machine reaches an address.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # an unclosed [
        return None


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
