"""API keys."""

from __future__ import annotations

import pytest

from emovox.serving.errors import UnauthorisedError
from emovox.serving.keys import KeyRing


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
