"""`emovox speaker`: teach a model the voice of a speaker, and manage what it has learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from emovox.adaptation.speaker import SpeakerProfile, read_speaker
from emovox.adaptation.store import SUFFIX, SpeakerStore
from emovox.cli.choices import channel_choice
from emovox.cli.console import (
    Bar,
    ChannelsOption,
    Form,
    InputFiles,
    ModelOption,
    clock,
    columns,
    complain,
    present,
    say,
    spare_other_kind,
)
from emovox.runtime.predictor import Predictor, load
from emovox.runtime.teaching import Teach
from emovox.schema.errors import EmovoxError, SpeakerError
from emovox.schema.files import write_whole
from emovox.schema.text import printable

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the speaker, without a path.")]
Format = Annotated[Form, typer.Option(help="Format of the output.")]


@app.command()
def learn(
    name: Name,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings in which only the speaker talks.")],
    label: Annotated[
        str | None, typer.Option(help="The emotion in these recordings; neutral for a normal voice. Default: unknown.")
    ] = None,
    teach: Annotated[
        Teach,
        typer.Option(
            help="What the recordings teach: the voice; or the model's head, from labelled recordings of any speakers; "
            "or both. A head that learns keeps embeddings of single clips."
        ),
    ] = "voice",
    model: ModelOption = None,
    channels: ChannelsOption = "mix",
) -> None:
    """Learn the voice of a speaker, or add recordings to it.

    What is kept are sums over the clips: no audio, and no single clip unless the head learns. Recordings with several
    moods help most. A file that cannot be used is named, the others are still learnt, and the exit status is 1.
    """
    store, predictor, choice = SpeakerStore(), load(model), channel_choice(channels)
    _ = predictor.model.adaptation  # raises before any work
    if store.path(name).exists():
        store.load(name).check(predictor.card.name, predictor.card.sha256)
    pupil, failed = Predictor(predictor.model), 0
    with Bar(len(files)) as bar:
        for number, file in enumerate(files):
            bar.update(number, file)
            try:
                pupil.learn(file, label, teach=teach, channels=choice)
            except EmovoxError as error:
                failed += 1
                complain(f"error: {error}")
    new = pupil.speaker
    if new is None:
        complain(f"nothing was learnt of '{name}'")
        raise typer.Exit(1)
    profile = store.update(name, lambda old: new if old is None else old.joined(new))
    say(_summary(name, profile), nl=False)
    raise typer.Exit(min(failed, 1))


@app.command(name="list")
def list_speakers(format: Format = Form.TABLE) -> None:
    """List the speakers that are known here."""
    store = SpeakerStore()
    names = store.names()
    rows = [_described(store, name) for name in names]
    if format is Form.TABLE and not names:
        say(f"no speaker is known in {store.folder}; see emovox speaker learn")
        return
    table = [[row["name"], row["model"], row["clips"], row["seconds"], row["labels"]] for row in map(_cells, rows)]
    present(format, rows, columns([["speaker", "model", "clips", "length", "labels"], *table]))


@app.command()
def show(name: Name, format: Format = Form.TABLE) -> None:
    """Show what is kept of a speaker."""
    store = SpeakerStore()
    profile = store.load(name)
    data = profile.as_data(name) | {"file": str(store.path(name))}
    present(format, data, _summary(name, profile) + columns([["  file", str(store.path(name))]]))


@app.command()
def export(
    name: Name,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="File to write, for emovox speaker import.")],
) -> None:
    """Write the profile of a speaker to a file."""
    store = SpeakerStore()
    data = store.load(name).to_bytes()
    InputFiles([store.path(name)]).spare(output)
    spare_other_kind(output, suffix=SUFFIX, head=data[:8])
    write_whole(output, data, private=True)
    say(f"{output}: the profile of '{name}', {len(data):,} bytes; it is personal data")


@app.command(name="import")
def import_speaker(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that emovox speaker export has written.")],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name. Default: that of the file.")] = None,
) -> None:
    """Add the profile of a speaker from a file. A speaker of that name must not exist."""
    profile, name = read_speaker(file), file.stem if name is None else name

    def added(old: SpeakerProfile | None) -> SpeakerProfile:
        """Return the profile, unless there is one already."""
        if old is not None:
            raise SpeakerError(f"got the name '{name}', which is taken; give another, or delete that speaker first")
        return profile

    SpeakerStore().update(name, added)
    say(_summary(name, profile), nl=False)


@app.command()
def delete(name: Name) -> None:
    """Delete what is kept of a speaker, for good."""
    store = SpeakerStore()
    store.delete(name)
    say(f"'{name}' is deleted; copies made by emovox speaker export are not")


def _described(store: SpeakerStore, name: str) -> dict[str, Any]:
    try:
        return store.load(name).as_data(name)
    except SpeakerError as error:
        return {"name": name, "error": str(error)}


def _cells(row: dict[str, Any]) -> dict[str, str]:
    if "error" in row:
        return {"name": row["name"], "model": "damaged", "clips": "", "seconds": "", "labels": printable(row["error"])}
    labels = ", ".join(f"{count} {label}" for label, count in row["labels"].items())
    length = clock(row["seconds"])
    return {"name": row["name"], "model": row["model"], "clips": str(row["clips"]), "seconds": length, "labels": labels}


def _summary(name: str, profile: SpeakerProfile) -> str:
    cells = _cells(profile.as_data(name))
    rows = [["  model", f"{profile.model} (sha256 {profile.sha256[:12]}…)"], ["  speech", cells["seconds"]]]
    rows.append(["  clips", cells["labels"]])
    if profile.learner is not None:
        rows.append(["  head", _head(profile)])
    return f"{name}\n" + columns(rows)


def _head(profile: SpeakerProfile) -> str:
    learner = profile.learner
    assert learner is not None
    counts = zip(profile.labels, learner.replay.counts, strict=True)
    kept = ", ".join(f"{count} {label}" for label, count in counts if count)
    state = "has learnt" if learner.learnt else "is as shipped: too few labels or clips, or they contradict each other"
    drift = f"; labels fit worse than they did, {learner.drift.alarms} times" if learner.drift.alarms else ""
    return f"{state}; clips kept: {kept}{drift}"
