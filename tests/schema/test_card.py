from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from emovox.schema.card import Array, CardHead, ModelCard, decode_card, embedded_card, encode_card
from emovox.schema.errors import CardError
from emovox.testing import write_toy


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(write_toy(tmp_path).read_bytes())
    return decoded


def decode(data: dict[str, Any]) -> ModelCard:
    return decode_card(msgspec.json.encode(data), where="toy.json")


def test_encoding_and_decoding_keep_every_field(data: dict[str, Any]) -> None:
    card = msgspec.structs.replace(
        decode(data), head=CardHead(("a", "b"), Array((2, 2), "AA=="), Array((2,), "AA=="), Array((2, 2), "AA=="))
    )
    text = encode_card(card)
    assert text.endswith(b"}\n")
    assert decode_card(text, where="toy.json") == card


def test_embedded_copy_is_the_card_without_its_hash(data: dict[str, Any]) -> None:
    copy = msgspec.json.decode(embedded_card(decode(data)))
    assert copy.pop("sha256") == ""
    assert len(data.pop("sha256")) == 64
    assert copy == data


def test_text_that_is_not_json_is_named() -> None:
    with pytest.raises(CardError, match=r"x\.json: not a model card of format 1"):
        decode_card(b"RIFF", where="x.json")
    with pytest.raises(CardError, match=r"x\.json: not a model card of format 1 \(.*utf-8"):
        decode_card(b'{"name": "t\xffy"}', where="x.json")


def test_unknown_missing_and_mistyped_keys_are_named(data: dict[str, Any]) -> None:
    with pytest.raises(CardError, match="unknown field `classes`"):
        decode(data | {"classes": []})
    with pytest.raises(CardError, match=r"Expected `int`, got `str` - at `\$\.sample_rate`"):
        decode(data | {"sample_rate": "16000"})
    del data["licence"]
    with pytest.raises(CardError, match="missing required field `licence`"):
        decode(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format is 2, expected 1; install a version"),
        ({"labels": ["sad", "sad"]}, "expected two or more different names"),
        ({"labels": ["sad"]}, "expected two or more different names"),
        ({"labels": ["sad", "happy"]}, "golden vector has 7 scores, expected one for each of 2 labels"),
        ({"sha256": "abc"}, "sha256 is 'abc', expected 64 hexadecimal digits"),
        ({"labels": ["sad", "a\nb"]}, "expected text in one line"),
        ({"name": ""}, "expected text in one line"),
        ({"sample_rate": 0}, "sample_rate is 0, expected a multiple of 4000 up to 192000 Hz"),
        ({"sample_rate": 22050}, "sample_rate is 22050, expected a multiple of 4000"),
        ({"sample_rate": 10**9}, "sample_rate is 1000000000, expected a multiple of 4000 up to 192000 Hz"),
        ({"shortest": 0.0}, "expected 0 < shortest <= window"),
        ({"window": 0.1}, "expected 0 < shortest <= window"),
        ({"longest": 4.0}, r"longest >= 4\.5 \(one and a half windows"),
        ({"hop": 0.0}, r"hop is 0\.0 s, expected a multiple of 0\.02 s"),
        ({"hop": 1e-300}, "hop is 1e-300 s, expected a multiple of"),
        ({"hop": 0.03}, r"hop is 0\.03 s, expected a multiple of"),
        ({"window": 1e300, "longest": 1.6e300}, "and longest <= 600"),
        ({"longest": 1e9}, "and longest <= 600"),
        ({"shortest": 1e-300}, r"expected shortest >= 0\.01"),
        ({"shortest": 0.05, "window": 0.05}, r"window >= 0\.1"),
        ({"labels": ["sad", "a" * 65]}, "of 1 to 64 letters"),
        ({"threshold": 1.5}, r"threshold is 1\.5, expected 0 to 1"),
    ],
)
def test_values_out_of_range_are_named(data: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        decode(data | changes)


def test_golden_input_must_fit_the_model(data: dict[str, Any]) -> None:
    with pytest.raises(CardError, match=r"golden input lasts 9\.0 s with tolerance 0\.0001, expected 0\.3 to 6\.0 s"):
        decode(data | {"golden": data["golden"] | {"seconds": 9.0}})
    with pytest.raises(CardError, match="a tolerance above 0"):
        decode(data | {"golden": data["golden"] | {"tolerance": 0.0}})
