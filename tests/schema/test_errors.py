from __future__ import annotations

import pytest

from emovox.schema import errors
from emovox.schema.errors import EmovoxError, MissingExtraError
from emovox.schema.extras import require

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, EmovoxError)]


def test_every_error_has_one_root_and_a_code_of_its_own() -> None:
    assert len(CLASSES) >= 15
    codes = [kind.code for kind in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


def test_every_error_is_documented() -> None:
    assert [kind.__name__ for kind in CLASSES if not kind.__doc__] == []


def test_missing_extra_gives_the_exact_command() -> None:
    with pytest.raises(
        MissingExtraError, match=r"^decoding \.m4a needs the extra 'media': pip install 'emovox\[media\]'$"
    ):
        require("no_such_module_anywhere", need="decoding .m4a", extra="media")
    assert MissingExtraError("x", "media").extra == "media"


def test_an_installed_module_passes() -> None:
    require("numpy", need="arrays", extra="none")
