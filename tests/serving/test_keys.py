"""API keys."""

from __future__ import annotations

import pytest

from emovox.serving.errors import HostError, OriginError, UnauthorisedError
from emovox.serving.keys import KeyRing, check_host, check_origin, hosts_of
from emovox.serving.settings import ServiceSettings


def test_a_name_bent_to_the_loopback_address_is_refused() -> None:
    allowed = hosts_of(ServiceSettings())
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"):
        check_host({"host": host}, allowed=allowed)
    for host in ("evil.example", "evil.example:8000", "", "localhost.evil.example", "[::2]"):
        with pytest.raises(HostError, match="name the host in the setting allowed_hosts"):
            check_host({"host": host}, allowed=allowed)
    check_host({"host": "emotions.example:443"}, allowed=hosts_of(ServiceSettings(allowed_hosts=("emotions.example",))))
    check_host({"host": "any.example"}, allowed=hosts_of(ServiceSettings(host="0.0.0.0")))


@pytest.mark.parametrize("origin", ["http://[evil", "null", "https://evil.example"])
def test_foreign_origins(origin: str) -> None:
    with pytest.raises(OriginError, match="got a request from a page of"):
        check_origin({"origin": origin, "host": "localhost"}, allowed=())


class TestKeyRing:
    def test_open_without_keys(self) -> None:
        KeyRing([]).check(None)

    @pytest.mark.parametrize("key", [None, "", "abc", "correct horse batterY"])
    def test_wrong_keys(self, key: str | None) -> None:
        with pytest.raises(UnauthorisedError, match="Authorization: Bearer KEY"):
            KeyRing(["x" * 16, "correct horse battery"]).check(key)

    def test_any_of_several(self) -> None:
        ring = KeyRing(["x" * 16, "correct horse battery", "ключ от квартиры"])
        for key in ("x" * 16, "correct horse battery", "ключ от квартиры"):
            ring.check(key)

    def test_they_are_not_kept(self) -> None:
        assert b"correct" not in b"".join(KeyRing(["correct horse battery"])._hashes)
