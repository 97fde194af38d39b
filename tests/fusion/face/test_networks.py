from __future__ import annotations

import numpy as np
import pytest

from emovox.audio.pictures import resized
from emovox.fusion.face import networks
from emovox.fusion.face.detect import FaceBox, find_faces, overlap
from emovox.fusion.face.expression import cut_face, read_expression, sharpness
from emovox.schema.errors import ModelError
from tests.faces import drawn_face, scene

BROWSER_SCORES = (0.137066, 0.000001, 0.0, 0.000011, 0.025741, 0.000007, 0.837173)
BROWSER_CELL = (0.357, -0.934, 0.032, -0.253, -9.374)
"""What face-api 1.7.15 says in TensorFlow.js: scores of `drawn_face(112)`, a box in the middle of `drawn_face(224)`."""


def test_scores_are_those_of_face_api() -> None:
    found = read_expression(drawn_face(112))
    np.testing.assert_allclose(np.exp(found.log_scores), BROWSER_SCORES, atol=1e-5)
    assert found.embedding.shape == (networks.EMBEDDING_WIDTH,)
    cells = networks.session(networks.DETECTOR).run(["cells"], {"image": drawn_face(224)[None]})[0]
    np.testing.assert_allclose(cells[0, :5, 3, 3], BROWSER_CELL, atol=1e-3)


@pytest.mark.parametrize(
    ("left", "top", "height", "width"), [(150, 60, 270, 480), (60, 20, 480, 270), (20, 40, 200, 200)]
)
def test_a_face_is_found_where_it_is(left: int, top: int, height: int, width: int) -> None:
    (box,) = find_faces(scene((left, top), height=height, width=width))
    assert overlap(box, FaceBox(left, top, 150, 150, 1)) > 0.5
    assert 0.5 < box.score <= 1


def test_each_of_several_faces_is_found_once() -> None:
    boxes = find_faces(scene((20, 60), (300, 60)))
    assert sorted(round(box.left / 150) for box in boxes) == [0, 2]


def test_no_face_in_noise_and_in_one_colour() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert find_faces(noise) == find_faces(np.zeros((9, 16, 3), np.uint8)) == []


def test_a_face_over_the_edge_is_padded_with_black() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    face = cut_face(image, FaceBox(-50, 10, 100, 50, 1))
    assert face.shape == (112, 112, 3)
    assert abs(int(face[56, 56, 0]) - 200) <= 1
    whole = cut_face(image, FaceBox(-10, 20, 200, 40, 1))  # the part inside is wider than high
    assert whole[0].max() == whole[-1].max() == 0
    assert cut_face(image, FaceBox(99.9, 99.9, 1, 1, 1)).shape == (112, 112, 3)


def test_a_blurred_face_is_less_sharp() -> None:
    face = drawn_face(112)
    blurred = resized(resized(face, width=16, height=16), width=112, height=112)
    assert sharpness(face) > 0.2 > 0.03 > sharpness(blurred)
    assert sharpness(np.full((112, 112, 3), 7, np.uint8)) == 0


def test_missing_networks_name_the_command(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(networks, "files", lambda _: tmp_path)
    monkeypatch.setenv("EMOVOX_MODELS", str(tmp_path))
    networks.session.cache_clear()
    try:
        with pytest.raises(ModelError, match=r"face_detector\.onnx: cannot be read .*emovox models fetch face"):
            networks.session(networks.DETECTOR)
    finally:
        networks.session.cache_clear()
