"""Checks of a request: its API key (in constant time), the origin of its page, and the host that it names."""

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
"""Host names of this machine, as browsers send them."""

EVERYONE = "everyone"
"""Owner of what is kept where no key is needed."""

_OWNER = b"emovox owner "  # before the key in its hash: not the hash that others may know
_PORT = re.compile(r":\d*$")

_HOW = "send 'Authorization: Bearer KEY' (in a browser's stream: \"key\" in session.start)"


class KeyRing:
    """The API keys of the service; without keys everyone has access.

    Args:
        keys: the keys; only their SHA-256 hashes are kept.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._hashes = tuple(_hash(key) for key in keys)

    @property
    def is_open(self) -> bool:
        """True if no key is needed."""
        return not self._hashes

    def check(self, key: str | None) -> None:
        """Check a key; all keys of one length take the same time, right or wrong.

        Args:
            key: as the client sent it; None if it sent none.

        Raises:
            UnauthorisedError: no key, or an unknown one.
        """
        if self.is_open:
            return
        if key is None:
            raise UnauthorisedError(f"got no API key, expected one; {_HOW}")
        given = _hash(key)
        if not sum(hmac.compare_digest(given, known) for known in self._hashes):
            raise UnauthorisedError(f"got a wrong API key, expected one that this service knows; {_HOW}")

    def owner(self, key: str | None) -> str:
        """Return the name of the folder of a key that was checked: its hash, never the key.

        >>> KeyRing([]).owner("any"), len(KeyRing(["correct horse battery"]).owner("correct horse battery"))
        ('everyone', 64)
        """
        return EVERYONE if self.is_open or key is None else hashlib.sha256(_OWNER + key.encode()).hexdigest()


def key_in(headers: Mapping[str, str]) -> str | None:
    """Return the key in `Authorization: Bearer KEY` or `X-API-Key: KEY`; None if there is none.

    >>> key_in({"authorization": "Bearer abc"}), key_in({"x-api-key": "abc"}), key_in({})
    ('abc', 'abc', None)
    """
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key")


def check_origin(headers: Mapping[str, str], *, allowed: Iterable[str]) -> None:
    """Check the origin of a request that opens a stream or changes something.

    Three senders pass: a program that is no browser, a page of this service, and a page that `cors` names. Browsers let
    any page open a WebSocket to any host, and CORS does not cover WebSockets. Without this check, every page that the
    user visits could use a service on the user's machine.

    Args:
        headers: of the handshake or the request, names in lower case.
        allowed: the setting `cors`; "*" allows all.

    Raises:
        OriginError: the page has another origin.
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
    """Return the host names that requests may use; an empty tuple allows all.

    On a loopback address only local names and those of `settings.allowed_hosts` pass. Otherwise any page that the user
    visits could reach the service under a name that it controls (DNS rebinding). On other addresses every name passes
    unless `allowed_hosts` is set.

    >>> hosts_of(ServiceSettings(host="127.0.0.1")), hosts_of(ServiceSettings(host="0.0.0.0"))
    (('localhost', '127.0.0.1', '[::1]'), ())
    """
    if not settings.allowed_hosts and not is_local(settings.host):
        return ()
    return (*LOOPBACK_NAMES, *(name.lower() for name in settings.allowed_hosts))


def check_host(headers: Mapping[str, str], *, allowed: Collection[str]) -> None:
    """Check the host name of a request; the port does not matter.

    Args:
        headers: of the request, names in lower case.
        allowed: the result of `hosts_of`.

    Raises:
        HostError: the name is not allowed.
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
    """Return whether only this machine can reach an address.

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
