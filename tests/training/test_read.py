"""Recipes: every mistake is an error that names the file and the key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from emovox.models.head import HeadConfig
from emovox.models.hybrid import HybridConfig
from emovox.models.mobile import MobileConfig
from emovox.schema.errors import RecipeError
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.svm.recipe import SvmRecipe
from emovox.workflow import read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.toml"))
MINIMAL = '[data]\ncorpora = ["emodb"]\nprotocol = "si"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "mine.toml"
    target.write_text(MINIMAL, encoding="utf-8")
    return target


def test_there_are_shipped_recipes() -> None:
    assert {"svm", "svm-casia", "svm-emodb", "svm-ravdess"} <= {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_is_valid(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.description


def test_defaults_are_filled_in(path: Path) -> None:
    recipe = read_recipe(path)
    assert isinstance(recipe, SvmRecipe)
    assert (recipe.name, recipe.kind, recipe.seed, recipe.export) == ("mine", "svm", 0, False)
    assert recipe == read_recipe(path, ["kind=svm"])
    assert recipe.data.corpora == ("emodb",)


def test_the_resolved_recipe_reads_back(path: Path) -> None:
    recipe = read_recipe(path, ["svm.c=[2, 4.5]", "seed=3"])
    assert msgspec.json.decode(recipe.to_json(), type=SvmRecipe) == recipe
    assert '"inner_folds"' in recipe.to_json()


def test_the_hash_holds_what_is_said_and_not_the_defaults(path: Path) -> None:
    recipe = read_recipe(path)
    spelled = read_recipe(path, ["svm.inner_folds=3", "seed=0", "data.view=own"])
    assert recipe.sha256() == spelled.sha256()
    said = b'{"data":{"corpora":["emodb"],"protocol":"si"},"kind":"svm","name":"mine"}'
    assert recipe.sha256() == hashlib.sha256(said).hexdigest()


def test_the_hash_follows_every_change(path: Path) -> None:
    changes: tuple[list[str], ...] = ([], ["seed=1"], ["svm.c=[2.0]"], ["data.protocol=sd"])
    assert len({read_recipe(path, change).sha256() for change in changes}) == len(changes)
    assert read_recipe(path).sha256() == read_recipe(path).sha256()


@pytest.mark.parametrize(
    ("assignment", "found"),
    [
        ("svm.c=[10]", lambda recipe: recipe.svm.c == (10.0,)),
        ("name=other", lambda recipe: recipe.name == "other"),
        ("export=true", lambda recipe: recipe.export is True),
        ("data.view=emodb", lambda recipe: recipe.data.view == "emodb"),
    ],
)
def test_arguments_change_the_recipe(path: Path, assignment: str, found: object) -> None:
    assert callable(found)
    assert not found(read_recipe(path))
    assert found(read_recipe(path, [assignment]))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("svm.penalty=1", r"unknown field `penalty` - at `\$\.svm`; expected one of c, gamma, inner_folds"),
        ("epochs=3", "unknown field `epochs`; expected one of .*data, .*svm"),
        ("svm.c=10", r"Expected `array`, got `int` - at `\$\.svm\.c`"),
        ("seed=first", r"Expected `int`, got `str` - at `\$\.seed`"),
        ("kind=tree", "kind is 'tree', expected one of svm"),
        ("kind=[1]", r"kind is \[1\], expected one of svm"),
        (
            "data.protocol=random",
            r"Invalid enum value 'random' - at `\$\.data\.protocol`; expected one of auto, joint, sd",
        ),
        ("data.name=emodb", r"data\.name is 'emodb', expected letters, .* and not a published corpus"),
        ("data.target=emodb", r"data\.target is emodb with protocol 'si', expected the name of a corpus for zero-shot"),
        ("data.protocol=zero-shot", r"data\.target is None with protocol 'zero-shot'"),
        ("name='a/b'", "name is 'a/b', expected letters, digits"),
        ("name=''", "name is '', expected letters, digits"),
        ("seed=-1", "seed is -1, expected 0 to 4294967295"),
        ("seed=4294967296", "seed is 4294967296, expected 0 to"),
        ("labels=['happy']", r"labels are \['happy'\], expected none, or two or more different names"),
        ("labels=['happy', 'happy']", r"labels are \['happy', 'happy'\]"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(path: Path, assignment: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"mine.toml: .*{message}"):
        read_recipe(path, [assignment])


def test_a_view_of_one_corpus_is_not_for_several(path: Path) -> None:
    with pytest.raises(RecipeError, match=r"data\.view is 'emodb' with 2 corpora, expected 'own' or 'seven'"):
        read_recipe(path, ["data.corpora=['emodb', 'tess']", "data.view=emodb"])
    assert read_recipe(path, ["data.corpora=['emodb', 'tess']", "data.view=seven"]).data.view == "seven"


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[data]\ncorpora = ['emodb']\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"missing required field `protocol` - at `\$\.data`"):
        read_recipe(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml: no such recipe; expected a \.toml file"):
        read_recipe(tmp_path / "none.toml")


def test_not_toml(path: Path) -> None:
    path.write_text("data = = 3", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"mine\.toml: not valid TOML .*line 1"):
        read_recipe(path)


def write_recipes(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_recipe_over_a_base_changes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    write_recipes(
        tmp_path,
        wide='export = true\n[data]\ncorpora = ["ravdess", "emodb"]\nprotocol = "joint"\n'
        "[svm]\nc = [3.0]\ngamma = [0.5]\n",
        middle='base = "wide.toml"\nexport = false\n',
        narrow='base = "middle.toml"\n[data]\ncorpora = ["emodb"]\nprotocol = "si"\n[svm]\nc = [7.0]\n',
    )
    recipe = read_recipe(tmp_path / "narrow.toml")
    assert isinstance(recipe, SvmRecipe)
    assert (recipe.name, recipe.export) == ("narrow", False)
    assert (recipe.data.corpora, recipe.data.protocol) == (("emodb",), "si")
    assert (recipe.svm.c, recipe.svm.gamma) == ((7.0,), (0.5,))


def test_a_base_with_another_encoder_gives_nothing_to_its_table(tmp_path: Path) -> None:
    write_recipes(
        tmp_path,
        wide=f'kind = "network"\n{MINIMAL}[encoder]\nname = "mobile"\nwidth = 8\n[head]\nhidden = 8\n',
        same='base = "wide.toml"\n[encoder]\nblocks = 2\n',
        other='base = "wide.toml"\n[encoder]\nname = "hybrid"\ncells = 8\n',
    )
    same, other = (read_recipe(tmp_path / f"{name}.toml") for name in ("same", "other"))
    assert isinstance(same, NetworkRecipe)
    assert isinstance(other, NetworkRecipe)
    assert same.encoder == MobileConfig(width=8, blocks=2)
    assert other.encoder == HybridConfig(cells=8)
    assert same.head == other.head == HeadConfig(hidden=8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base = 3\n", "base is 3, expected the name of a recipe"),
        ('base = "gone.toml"\n', "gone.toml: no such recipe"),
        ('base = "turn.toml"\n', "builds on this one"),
    ],
)
def test_a_base_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    write_recipes(tmp_path, own=text, turn='base = "own.toml"\n')
    with pytest.raises(RecipeError, match=message):
        read_recipe(tmp_path / "own.toml")
