"""Recipes of the baseline: values out of range are named, and resolved recipes keep their hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from emovox.augment.config import Augment
from emovox.schema.errors import RecipeError
from emovox.training.svm.recipe import Features, Svm, SvmRecipe
from emovox.workflow import read_recipe

MINIMAL = '[data]\ncorpora = ["emodb"]\nprotocol = "si"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "mine.toml"
    target.write_text(MINIMAL, encoding="utf-8")
    return target


def test_tables_that_are_not_there_have_their_defaults(path: Path) -> None:
    recipe = read_recipe(path)
    assert isinstance(recipe, SvmRecipe)
    assert (recipe.augment, recipe.features, recipe.svm) == (Augment(), Features(), Svm())
    assert (recipe.features.pca, recipe.svm.inner_folds) == (0.95, 3)


def test_the_hash_stays(path: Path) -> None:
    # it stands on the card of every model that was exported
    assert read_recipe(path).sha256() == "5af528cda407319484ec48bf43ccc94ec60f6fd8867a22a36f6d4d6794943ba8"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("features.groups=['loudness']", r"features\.groups has \['loudness'\], expected some of mfcc, delta"),
        ("features.groups=[]", r"features\.groups has \[\]"),
        ("features.pca=1.0", r"features\.pca is 1\.0, expected 0 \(none\) to below 1"),
        ("features.pca=nan", r"features\.pca is nan"),
        ("features.select=-1", r"features\.select is -1, expected 0 \(all\) or more"),
        ("copies.emodb=-1", r"copies is \{'emodb': -1\}, expected numbers from 0"),
        ("augment.speed.lowest=3.0", r"augment\.speed\.lowest and speed\.highest are 3\.0 and 1\.1"),
        ("augment.speeds=[0.9]", r"unknown field `speeds` - at `\$\.augment`"),
        ("augment=[]", "augment has no table, expected at least one"),
        ("augment=[{speed={lowest=3.0}}]", r"augment\.speed\.lowest and speed\.highest are 3\.0 and 1\.1"),
        ("svm.c=[]", r"svm\.c is \[\], expected numbers above 0"),
        ("svm.c=[1.0, nan]", r"svm\.c is \[1\.0, nan\], expected numbers above 0"),
        ("svm.c=[inf]", r"svm\.c is \[inf\]"),
        ("svm.gamma=[0.0]", r"svm\.gamma is \[0\.0\], expected numbers above 0"),
        ("data.weights.emodb=0.5", r"data\.weights is .*, expected none: machines learn from each clip once"),
        ("svm.inner_folds=1", r"svm\.inner_folds is 1, expected at least 2"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(path: Path, assignment: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"mine.toml: .*{message}"):
        read_recipe(path, [assignment])
