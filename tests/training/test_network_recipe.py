"""Recipes of networks: every mistake names the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from emovox.models.hybrid import HybridConfig
from emovox.models.mobile import MobileConfig
from emovox.models.whisper_encoder import WhisperConfig
from emovox.schema.errors import RecipeError
from emovox.training.network_recipe import NetworkRecipe
from emovox.workflow import read_recipe

RECIPE = """
kind = "network"
[data]
corpora = ["emodb"]
protocol = "si"
[encoder]
name = "mobile"
width = 8
[head_learning.optimiser]
steps = 5
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path / "mine.toml"


def read(path: Path, *assignments: str) -> NetworkRecipe:
    recipe = read_recipe(path, list(assignments))
    assert isinstance(recipe, NetworkRecipe)
    return recipe


def test_tables_become_structures(path: Path) -> None:
    recipe = read(path)
    assert recipe.encoder == MobileConfig(width=8)
    assert recipe.head_learning is not None
    assert (recipe.head_learning.optimiser.steps, recipe.learning.optimiser.steps) == (5, 1200)
    assert list(recipe.plans) == ["learning", "head_learning"]
    assert recipe.copies == {}
    other = read(path, "encoder={name='whisper', blocks=2, frozen=1, attention=4}")
    assert other.encoder == WhisperConfig(blocks=2, frozen=1, attention=4)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("heads=1", "unknown field `heads`"),
        ("encoder.widht=3", r"unknown field `widht` - at `\$\.encoder`; expected one of name, .*width"),
        ("encoder.width=wide", r"Expected `int`, got `str` - at `\$\.encoder\.width`"),
        ("encoder.name=giant", r"Invalid value 'giant' - at `\$\.encoder\.name`; expected one of mobile, .*ge2e"),
        ("encoder={width=8}", r"missing required field `name` - at `\$\.encoder`"),
        ("encoder.width=0", "mobile: got width = 0, expected at least 1"),
        ("encoder={name='whisper', frozen=9}", "whisper: got frozen = 9 and blocks = 3"),
        ("head.hidden=0", "head.hidden is 0, expected at least 1"),
        ("head.dropout=1.0", r"head\.dropout is 1\.0, expected 0 to less than 1"),
        ("head.dropout_in=-0.1", r"head\.dropout_in is -0\.1, expected 0 to less than 1"),
        ("copies={emodb=-1}", r"copies is \{'emodb': -1\}, expected numbers from 0"),
        ("copies={emodb='two'}", r"Expected `int`, got `str` - at `\$\.copies"),
        ("inner_folds=1", "inner_folds is 1, expected at least 2"),
        ("members=0", "members is 0, expected at least 1"),
        ("learning.optimiser.steps=0", r"learning\.optimiser\.steps is 0, expected 1 or more"),
        ("head_learning.mixup.probability=2", r"head_learning\.mixup\.probability is 2.*, expected 0 to 1"),
        ("head_learning.stopping.share=0.2", r"head_learning\.stopping is .*, expected none: heads learn to the last"),
        ("augment.noise.probability=2", r"augment\.noise\.probability is 2"),
        ("augment.echo.probability=1", r"unknown field `echo` - at `\$\.augment`; expected one of speed, .*codec"),
        ("augment=[{}, {noise={probability=2}}]", r"augment\.noise\.probability is 2"),
        ("augment=[]", "augment has no table, expected at least one"),
        ("augment.codec.kinds=['gsm']", r"Invalid enum value 'gsm' - at .*; expected one of .*mu-law"),
        (
            "learning.optimizer.steps=5",
            r"unknown field `optimizer` - at .*; expected one of loss, adversary, optimiser",
        ),
        ("head_learning.draw.balance=all", r"Invalid enum value 'all' - at .*; expected one of class, corpus"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(path: Path, assignment: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"mine.toml: .*{message}"):
        read_recipe(path, [assignment])


def test_only_heads_of_the_second_stage_are_joined(path: Path, tmp_path: Path) -> None:
    assert read(path, "members=3").members == 3
    (tmp_path / "one.toml").write_text(RECIPE.partition("[head_learning")[0], encoding="utf-8")
    with pytest.raises(RecipeError, match=r"one\.toml: members is 3 without head_learning, expected 1"):
        read_recipe(tmp_path / "one.toml", ["members=3"])


TEACHER = """
kind = "network"
[data]
corpora = ["ravdess", "emodb"]
protocol = "joint"
[encoder]
name = "hybrid"
"""


def test_a_teacher_s_recipe_takes_data_and_labels_of_the_student(path: Path) -> None:
    (path.parent / "large.toml").write_text(TEACHER, encoding="utf-8")
    recipe = read(path, "teacher.recipe=large.toml", "teacher.share=0.7", "labels=['sad', 'happy']")
    assert recipe.teacher is not None
    assert (recipe.teacher.share, recipe.teacher.temperature) == (0.7, 1.0)
    assert recipe.teacher.recipe.name == "large"
    assert recipe.teacher.recipe.encoder == HybridConfig()
    assert (recipe.teacher.recipe.data, recipe.teacher.recipe.labels) == (recipe.data, recipe.labels)
    assert read(path, "teacher.recipe=''").teacher is None
    with path.open("a", encoding="utf-8") as file:
        file.write('[teacher]\nrecipe = "large.toml"\n')
    changed = read(path, "teacher.recipe.copies.emodb=3", "data.protocol=sd").teacher
    assert changed is not None
    assert (changed.recipe.copies, changed.recipe.data.protocol) == ({"emodb": 3}, "sd")
    assert read(path, "teacher.recipe=''").teacher is None


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("teacher.share=1.5", "teacher.share is 1.5, expected 0 to 1"),
        ("teacher.temperature=0.0", "teacher.temperature is 0.0, expected more than 0"),
        ("teacher.recipe=none.toml", "none.toml"),
        ("teacher.recipe=wrong.toml", "teacher.recipe.members is 0, expected at least 1"),
        ("teacher.recipe=taught.toml", "teacher.recipe has a teacher, expected none"),
        ("teacher.recipe=named.toml", "teacher.recipe has a teacher, expected none"),
        ("teacher.recipe=circle.toml", r"circle\.toml: teacher\.recipe is 'mine\.toml', which has this one for"),
        ("teacher.recipe=classical.toml", "teacher.recipe is 'classical.toml', expected a recipe of kind network"),
        ("teacher.recipe.seed=-1", "teacher.recipe.seed is -1, expected 0"),
        ("teacher={share=0.5}", r"missing required field `recipe` - at `\$\.teacher`"),
        ("head_learning.loss.hint=1.0", "head_learning.loss.hint is set, expected 0"),
    ],
)
def test_a_mistake_about_the_teacher_is_named(path: Path, assignment: str, message: str) -> None:
    (path.parent / "large.toml").write_text(TEACHER, encoding="utf-8")
    (path.parent / "wrong.toml").write_text(f"members = 0\n{TEACHER}", encoding="utf-8")
    (path.parent / "classical.toml").write_text('[data]\ncorpora = ["emodb"]\nprotocol = "si"\n', encoding="utf-8")
    (path.parent / "named.toml").write_text(f'{TEACHER}[teacher]\nrecipe = "large.toml"\n', encoding="utf-8")
    (path.parent / "circle.toml").write_text(f'{TEACHER}[teacher]\nrecipe = "mine.toml"\n', encoding="utf-8")
    tables = TEACHER.replace("[data]", "[teacher.recipe.data]").replace("[encoder]", "[teacher.recipe.encoder]")
    inner = tables.replace('kind = "network"', '[teacher.recipe]\nname = "inner"\nkind = "network"')
    (path.parent / "taught.toml").write_text(f"{TEACHER}{inner}", encoding="utf-8")
    with path.open("a", encoding="utf-8") as file:
        file.write('[teacher]\nrecipe = "large.toml"\n')
    with pytest.raises(RecipeError, match=message):
        read(path, assignment)


def test_a_teacher_lies_beside_the_recipe_that_names_it(path: Path, tmp_path: Path) -> None:
    (path.parent / "large.toml").write_text(TEACHER, encoding="utf-8")
    with path.open("a", encoding="utf-8") as file:
        file.write('[teacher]\nrecipe = "large.toml"\n')
    own = tmp_path / "elsewhere" / "own.toml"
    own.parent.mkdir()
    own.write_text('base = "../mine.toml"\n[teacher.recipe.copies]\nemodb = 2\n', encoding="utf-8")
    teacher = read(own).teacher
    assert teacher is not None
    assert (teacher.recipe.name, teacher.recipe.copies) == ("large", {"emodb": 2})


def test_hints_need_a_teacher(path: Path) -> None:
    with pytest.raises(RecipeError, match=r"learning\.loss\.hint is set without a teacher"):
        read(path, "learning.loss.hint=1.0")
