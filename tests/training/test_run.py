"""Run folders: what they hold, and that a training that was killed goes on as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from emovox.corpora.folds import Fold, make_folds
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.schema.errors import ProtocolError, RecipeError
from emovox.schema.figure import FigureKey
from emovox.schema.labels import EMOTIONS
from emovox.training.cross_validation import FoldScores
from emovox.training.data.task import Indices, Task, task_folds
from emovox.training.fold_file import read_fold
from emovox.training.recipe import Data
from emovox.training.run import Run, all_predictions, train, trained_clips
from emovox.training.run_folder import open_folder
from emovox.training.svm.recipe import Svm, SvmRecipe
from tests.corpora.trees import clip
from tests.training import killed
from tests.training.tasks import WIDTH, clip_task, cloud_task, small_recipe, train_svm

FOLDS = 4  # one a speaker


def stems(predictions: Mapping[FigureKey, Predictions]) -> list[str]:
    return [key.stem for key in predictions]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "predictions").iterdir())}


def test_a_run_folder_holds_recipe_versions_folds_and_predictions(tmp_path: Path) -> None:
    recipe = small_recipe()
    run = train_svm(cloud_task(), recipe, tmp_path / "run")
    assert msgspec.json.decode((tmp_path / "run" / "recipe.json").read_bytes(), type=SvmRecipe) == recipe
    about = json.loads((tmp_path / "run" / "versions.json").read_text())
    assert about["recipe_sha256"] == recipe.sha256()
    assert {"python", "numpy", "scikit-learn", "emovox"} <= set(about)
    assert sorted(path.name for path in (tmp_path / "run" / "folds").iterdir()) == sorted(
        f"{n}{end}" for n in (1, 2, 3, 4) for end in ("", ".csv", ".json")
    )
    assert list(files(tmp_path / "run")) == [f"own_own_si_{name}.csv" for name in ("narrow", "tile", "whole")]
    made = read_predictions(tmp_path / "run" / "predictions" / "own_own_si_tile.csv")
    assert len(made) == 48
    np.testing.assert_allclose(
        made.scores, run.predictions[FigureKey(recipe.name, "own", "own", "si")].scores, rtol=1e-5
    )
    assert run.model is None
    assert run.temperature == np.median(run.temperatures)


def test_the_same_seed_gives_identical_figures(tmp_path: Path) -> None:
    for name in ("first", "second"):
        train_svm(cloud_task(), small_recipe(), tmp_path / name)
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_a_killed_training_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    root = Path(killed.__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join((str(root), str(root / "src")))}
    command = [sys.executable, "-m", "tests.training.killed", str(tmp_path / "killed"), "2"]
    done = subprocess.run(command, cwd=root, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sorted(path.name for path in (tmp_path / "killed" / "folds").iterdir()) == [
        "1",
        "1.csv",
        "1.json",
        "2",
        "2.csv",
        "2.json",
    ]
    assert not (tmp_path / "killed" / "predictions").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed" / "folds").iterdir()}
    resumed = train_svm(cloud_task(), small_recipe(), tmp_path / "killed", resume=True)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    whole = train_svm(cloud_task(), small_recipe(), tmp_path / "whole")
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert resumed.temperature == whole.temperature


def test_progress_is_reported_for_every_fold(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    said: list[str] = []

    def report(done: int, total: int, sentence: str) -> None:
        seen.append((done, total))
        said.append(sentence)

    train_svm(cloud_task(), small_recipe(), tmp_path / "run", report=report)
    assert seen == [(n, FOLDS) for n in (1, 2, 3, 4)]
    assert all("gamma 0.5 (UAR " in sentence for sentence in said)


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    train_svm(cloud_task(takes=1), small_recipe(), tmp_path / "run")
    before = files(tmp_path / "run")
    with pytest.raises(RecipeError, match="holds a run already; continue it with --resume, or name another folder"):
        train_svm(cloud_task(seed=1, takes=1), small_recipe(), tmp_path / "run")
    assert files(tmp_path / "run") == before


def test_another_recipe_does_not_resume(tmp_path: Path) -> None:
    train_svm(cloud_task(takes=1), small_recipe(), tmp_path / "run")
    with pytest.raises(RecipeError, match="holds a run of another recipe; name another folder by --output"):
        train_svm(cloud_task(takes=1), small_recipe(seed=5), tmp_path / "run", resume=True)


def test_a_run_that_failed_before_it_kept_anything_is_replaced(tmp_path: Path) -> None:
    whole = train_svm(cloud_task(takes=1), small_recipe(seed=5), tmp_path / "whole")
    run = tmp_path / "run"
    open_folder(run, small_recipe(), ("numpy",), resume=False)
    for name in ("log.csv", "tensorboard/events.out.tfevents.1"):
        (run / "folds" / "1" / "encoder" / name).parent.mkdir(parents=True, exist_ok=True)
        (run / "folds" / "1" / "encoder" / name).write_text("of steps that no checkpoint kept", encoding="utf-8")
    train_svm(cloud_task(takes=1), small_recipe(seed=5), run)
    assert (run / "recipe.json").read_bytes() == (whole.folder / "recipe.json").read_bytes()
    (tmp_path / "kept" / "folds" / "1").mkdir(parents=True)
    open_folder(tmp_path / "kept", small_recipe(), ("numpy",), resume=False)
    (tmp_path / "kept" / "folds" / "1" / "checkpoint.pt").touch()
    with pytest.raises(RecipeError, match="holds a run already"):
        train_svm(cloud_task(takes=1), small_recipe(seed=5), tmp_path / "kept")


def test_a_folder_that_another_training_has_taken_over_gets_no_fold(tmp_path: Path) -> None:
    def taken(done: int, total: int, sentence: str) -> None:
        (tmp_path / "run" / "recipe.json").write_text(small_recipe(seed=5).to_json(), encoding="utf-8")

    with pytest.raises(RecipeError, match="another training has started there meanwhile"):
        train_svm(cloud_task(takes=1), small_recipe(), tmp_path / "run", report=taken)
    assert [path.name for path in sorted((tmp_path / "run" / "folds").glob("*.csv"))] == ["1.csv"]


def test_a_run_made_before_a_key_was_added_goes_on(tmp_path: Path) -> None:
    train_svm(cloud_task(takes=1), small_recipe(), tmp_path / "run")
    resolved = tmp_path / "run" / "recipe.json"
    known = json.loads(resolved.read_bytes())
    del known["svm"]["inner_folds"]  # 3, as is the default
    resolved.write_text(json.dumps(known), encoding="utf-8")
    train_svm(cloud_task(takes=1), small_recipe(), tmp_path / "run", resume=True)
    resolved.write_text("{}", encoding="utf-8")
    with pytest.raises(RecipeError, match="holds a run of another recipe"):
        train_svm(cloud_task(takes=1), small_recipe(), tmp_path / "run", resume=True)


def test_other_clips_do_not_resume(tmp_path: Path) -> None:
    train_svm(cloud_task(takes=2), small_recipe(), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"1\.csv: tests other clips than the corpus now has"):
        train_svm(cloud_task(takes=1), small_recipe(), tmp_path / "run", resume=True)


@dataclass
class Guess:
    """A method that only counts the clips that it was given."""

    classes: int
    versions: tuple[str, ...] = ("emovox", "numpy")
    folders: list[Path] = field(default_factory=list)

    def fold(self, fold: Fold, folder: Path) -> FoldScores:
        self.folders.append(folder)
        values = np.full((len(fold.test), self.classes), 1 / self.classes)
        return FoldScores(
            fold.number, np.array(fold.test), dict.fromkeys(("tile", "whole"), values), 1.5, {"clips": len(fold.train)}
        )

    def fit(self, trained: Indices, folder: Path) -> int:
        self.folders.append(folder)
        return len(trained)

    def sentence(self, scores: FoldScores) -> str:
        return f"{scores.chosen['clips']:g} clips"


def test_any_method_can_be_trained(tmp_path: Path) -> None:
    task, recipe = cloud_task(takes=1), small_recipe(export=True)
    said, announced = list[str](), list[str]()

    def report(done: int, total: int, sentence: str) -> None:
        said.append(sentence)

    method = Guess(len(task.classes))
    run = train(task, recipe, tmp_path, method, report=report, say=announced.append)
    assert (run.model, run.temperature) == (12, 1.5)
    assert [sentence.split(";")[0] for sentence in said] == [f"fold {number}: 9 clips" for number in (1, 2, 3, 4)]
    assert all(sentence.endswith(" left") for sentence in said)
    last = "final model: training on all 12 clips"
    assert announced == ["4 folds to train, then the final model on all clips", last]
    assert method.folders == [tmp_path / "folds" / name for name in ("1", "2", "3", "4", "all")]
    assert set(json.loads((tmp_path / "versions.json").read_text())) == {
        "python",
        "emovox",
        "numpy",
        "detector",
        "recipe_sha256",
    }


def test_folds_of_an_earlier_run_are_not_reported_as_new(tmp_path: Path) -> None:
    task, recipe = cloud_task(takes=1), small_recipe()
    train(task, recipe, tmp_path, Guess(len(task.classes)))
    (tmp_path / "folds" / "4.json").unlink()
    said, announced = list[tuple[int, int, str]](), list[str]()
    train(
        task, recipe, tmp_path, Guess(len(task.classes)),
        resume=True, report=lambda *each: said.append(each), say=announced.append,
    )  # fmt: skip
    assert announced == ["3 of 4 folds are done already; 1 to train"]
    assert said == [(4, 4, "fold 4: 9 clips")]


def test_what_a_fold_chose_is_read_back(tmp_path: Path) -> None:
    task, recipe = cloud_task(takes=1), small_recipe()
    folds = task_folds(task, recipe.data, seed=recipe.seed)
    first = train(task, recipe, tmp_path, Guess(len(task.classes)))
    kept = [read_fold(tmp_path / "folds" / str(fold.number), task, fold) for fold in folds]
    assert [fold.chosen for fold in kept if fold is not None] == [{"clips": 9}] * FOLDS
    method = Guess(len(task.classes))
    again = train(task, recipe, tmp_path, method, resume=True)
    assert not method.folders
    assert again.temperatures == first.temperatures
    for key, made in first.predictions.items():
        assert np.array_equal(made.scores, again.predictions[key].scores)


def test_a_run_is_read_again_from_its_folder(tmp_path: Path) -> None:
    task, recipe = cloud_task(takes=1), small_recipe()
    run = train(task, recipe, tmp_path / "run", Guess(len(task.classes)))
    again = Run.load(tmp_path / "run")
    assert (again.folder, again.temperatures, again.model) == (run.folder, run.temperatures, None)
    assert set(again.predictions) == set(run.predictions)
    for key, made in run.predictions.items():
        assert again.predictions[key].predicted.tolist() == made.predicted.tolist()
    with pytest.raises(RecipeError, match=r"not the folder of a run .*; expected one that emovox train has made"):
        Run.load(tmp_path)


def test_export_fits_on_all_clips_that_a_fold_trains_on(tmp_path: Path) -> None:
    run = train_svm(cloud_task(takes=1), small_recipe(export=True), tmp_path / "run")
    assert run.trained.tolist() == list(range(12))
    assert run.model is not None
    assert run.model.network.head(torch.zeros(1, WIDTH))["logits"].shape == (1, 3)


def test_scored_only_clips_train_no_model() -> None:
    clips = [clip("own", n, f"s{n % 6}", "happy") for n in range(12)] + [clip("tess", 1, "OAF", "happy")]
    folds = make_folds("joint", clips)
    assert 12 in folds[0].test
    assert trained_clips(folds).tolist() == list(range(12))


def test_without_speakers_speaker_independence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=r"si: 48 of 48 clips have no speaker .*voices of the test may be"):
        train_svm(cloud_task(speakers=(None,) * 4), small_recipe(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_speakers_the_dependent_protocol_works(tmp_path: Path) -> None:
    recipe = small_recipe(data=Data(corpora=("own.jsonl",), protocol="sd"), svm=Svm(c=(3.0,), gamma=(0.5,)))
    run = train_svm(cloud_task(speakers=(None,) * 4, takes=2), recipe, tmp_path / "run")
    assert stems(run.predictions) == ["own_own_sd_tile", "own_own_sd_whole", "own_own_sd_narrow"]
    assert [len(made) for made in run.predictions.values()] == [24] * 3


def test_labels_that_fit_no_clip_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="labels: class 'bored' maps to 'bored', expected one of cross, keen; add it"):
        train_svm(cloud_task(takes=1), small_recipe(labels=("cross", "keen")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_names_of_the_predictions_of_published_corpora() -> None:
    clips = [
        clip(corpus, n, speaker, label)
        for corpus, speakers, labels in (("ravdess", "12", ("calm", "happy")), ("emodb", "ab", ("boredom", "happy")))
        for speaker in speakers
        for n, label in enumerate(labels, start=2 * speakers.index(speaker))
    ]
    task = clip_task(clips, ("happy", "calm", "boredom"))
    recipe = small_recipe(data=Data(corpora=("ravdess", "emodb"), protocol="joint"), labels=EMOTIONS)
    found = all_predictions(task, [_scores(task)], recipe, trained=np.arange(len(task.clips)))
    assert stems(found) == [
        "ravdess_ravdess-8_joint_tile",
        "ravdess_ravdess-8_joint_whole",
        "ravdess_ravdess-8_joint_narrow",
        "ravdess_seven_joint_tile",
        "emodb_own_joint_tile",
        "emodb_own_joint_whole",
        "emodb_own_joint_narrow",
        "emodb_seven_joint_tile",
    ]
    key = FigureKey(recipe.name, "emodb", "own", "joint")
    assert found[key].classes == ("happy", "boredom")
    assert found[replace(key, labels="seven")].classes == EMOTIONS
    assert len(found[replace(key, labels="seven")]) == 2


def test_a_corpus_that_no_fold_trains_on_is_called_unheard() -> None:
    clips = [clip(corpus, n, f"s{n}", "happy" if n % 2 else "sad") for corpus in ("emodb", "tess") for n in range(4)]
    task = clip_task(clips, ("happy", "sad"))
    recipe = small_recipe(data=Data(corpora=("emodb", "tess"), protocol="joint"))
    found = all_predictions(task, [_scores(task)], recipe, trained=np.arange(4))
    assert stems(found) == [
        "emodb_own_joint_tile",
        "emodb_own_joint_whole",
        "emodb_own_joint_narrow",
        "tess_own_unheard_tile",
        "tess_own_unheard_whole",
        "tess_own_unheard_narrow",
    ]


def test_the_target_of_a_zero_shot_training_is_called_so() -> None:
    task = clip_task([clip("tess", n, f"s{n}", "happy" if n % 2 else "sad") for n in range(4)], ("happy", "sad"))
    recipe = small_recipe(data=Data(corpora=("emodb", "tess"), protocol="zero-shot", target="tess"))
    found = all_predictions(task, [_scores(task)], recipe, trained=np.zeros(0, dtype=np.int64))
    assert stems(found)[0] == "tess_own_zero-shot_tile"


def _scores(task: Task) -> FoldScores:
    n = len(task.clips)
    values = np.full((n, len(task.classes)), 1 / len(task.classes))
    return FoldScores(1, np.arange(n), dict.fromkeys(("tile", "whole", "narrow"), values), 1.0, {})
