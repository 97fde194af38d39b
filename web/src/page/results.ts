// The results, below the sources on the page: large letters, timeline, the chosen segment, and saving.

import type { Peaks } from "../audio/peaks.ts";
import { byId, make, onClick, setHint, setText } from "../dom/dom.ts";
import { face } from "../dom/faces.ts";
import { csvText } from "../export/csv.ts";
import { download, stem } from "../export/download.ts";
import { jsonText } from "../export/json.ts";
import type { LabelSets, ModelName, Row } from "../recogniser/protocol.ts";
import { labelName, onLanguage, t } from "../text/i18n.ts";
import { inWords, modalitiesText } from "../timeline/buttons.ts";
import { coloursOf, inkOn } from "../timeline/colours.ts";
import type { TimelineData } from "../timeline/paint.ts";
import { pictureOf } from "../timeline/picture.ts";
import { relabelled, type Strip } from "../timeline/session.ts";
import { EMPTY, TimelineView } from "../timeline/view.ts";
import { adaptedText, withoutText } from "./adaptation.ts";
import { showLines } from "./lines.ts";
import { announce } from "./notices.ts";
import { Player } from "./player.ts";
import { type Readout, rowReadout, segmentReadout } from "./readout.ts";
import { Stage } from "./stage.ts";

/** The result of a finished analysis, which can be saved. */
interface Finished {
  readonly row: Row;
  readonly model: ModelName;
}

/** The current state of a live session. */
export interface LiveView {
  readonly seconds: number;
  readonly strips: readonly Strip[];
  readonly peaks: Peaks;
  readonly readout: Readout;
  readonly threshold: number;
  /** What the scores are adapted to, in words; null: nothing. */
  readonly adapted: string | null;
}

/** What belongs to the result of a file. */
export interface AboutFile {
  readonly labels: readonly string[];
  /** The model's threshold of abstention; null if it is not known. */
  readonly threshold: number | null;
  /** Without an outline there is neither waveform nor playback. */
  readonly peaks: Peaks | null;
  readonly sound: Blob;
  /** Returns the results of all files of the list, for saving. */
  readonly all: () => readonly Row[];
}

/** Shows the results of a file or of a live session. */
export class Results {
  readonly #root = byId("results");
  readonly #stage = new Stage();
  readonly #timeline = new TimelineView(
    (index) => this.#choose(index, true),
    (index) => this.#choose(index, false),
  );
  readonly #player = new Player((seconds) => this.#follow(seconds));
  #data: TimelineData = EMPTY;
  #finished: Finished | null = null;
  #all: () => readonly Row[] = () => [];
  #live: Readout | null = null;
  #liveAdapted: string | null = null;
  #threshold: number | null = null;
  #chosen: number | null = null;
  #audible = false;

  /**
   * @param chosenThreshold returns the user's threshold; null takes that of the model.
   * @param setsOf returns the promise for sets of labels of a model, by its name; null is that of the microphone.
   */
  constructor(
    private readonly chosenThreshold: () => number | null,
    private readonly setsOf: (model: string | null) => LabelSets | null,
  ) {
    onClick("play", () => this.#player.toggle());
    onClick("play-segment", () => this.#playChosen());
    onClick("whole", () => this.#choose(null, false));
    onClick("save-json", () => this.#save("json", "application/json", (rows, { model }) => jsonText(rows, model)));
    onClick("save-csv", () => this.#save("csv", "text/csv", (rows) => csvText(rows, [...this.#data.colours.keys()])));
    onClick("save-png", () => this.#savePicture());
    onLanguage(() => this.#updateTexts());
  }

  redraw(): void {
    this.#timeline.draw();
  }

  clear(): void {
    this.#player.load(null);
    this.#finished = null;
    this.#root.hidden = true;
  }

  /** Give or withdraw labels with the user's threshold. The scores do not change. */
  applyThreshold(): void {
    if (!this.#finished) return;
    this.#data = { ...this.#data, strips: stripsOf(this.#relabelled(this.#finished.row)) };
    this.#timeline.show(this.#data);
    this.#updateTexts();
  }

  /** Show the result of a file. */
  showFile(row: Row, model: ModelName, { labels, threshold, peaks, sound, all }: AboutFile): void {
    this.#audible = peaks !== null;
    this.#player.load(this.#audible ? sound : null);
    this.#threshold = threshold;
    this.#all = all;
    const colours = coloursOf(labels.length ? labels : Object.keys(row.scores ?? {}));
    this.#open(
      { duration: row.duration, channels: channelsOf(row), strips: [], modalities: modalitiesOf(row), peaks, colours },
      false,
    );
    this.finish(row, model);
  }

  /** Begin a live session: an empty timeline that grows. */
  openLive(labels: readonly string[]): void {
    this.#audible = false;
    this.#player.load(null);
    this.#finished = null;
    this.#all = () => (this.#finished ? [this.#finished.row] : []);
    this.#open({ ...EMPTY, colours: coloursOf(labels) }, true);
    this.#updateTexts();
  }

  showLive({ seconds, strips, peaks, readout, threshold, adapted }: LiveView): void {
    if (this.#finished) {
      this.#finished = null; // the session continues after a lost connection
      this.#timeline.open(this.#data, true);
      this.#updateTexts();
    }
    this.#threshold = threshold;
    this.#live = readout;
    this.#liveAdapted = adapted;
    this.#data = { ...this.#data, duration: seconds, strips, peaks };
    this.#timeline.show(this.#data);
    this.#showStage();
  }

  /** Show the summary of a complete analysis, and offer to save it. */
  finish(row: Row, model: ModelName): void {
    this.#finished = { row, model };
    this.#timeline.settle();
    this.applyThreshold();
  }

  #open(data: TimelineData, live: boolean): void {
    this.#data = data;
    this.#chosen = null;
    this.#live = null;
    this.#liveAdapted = null;
    this.#root.hidden = false;
    byId("play").hidden = !this.#audible;
    this.#timeline.open(data, live);
  }

  /** Write all texts, also after a change of the language. */
  #updateTexts(): void {
    const finished = this.#finished;
    this.#showStage();
    showLines(finished ? (this.#relabelled(finished.row).lines ?? []) : [], this.#data.colours);
    this.#stage.warn(finished && this.#relabelled(finished.row));
    byId("exports").hidden = !finished;
    const { name, version } = finished?.model ?? { name: "", version: "" };
    setHint(byId("model"), finished && t("result.model", { model: `${name} ${version}` }));
    const count = this.#all().length;
    setHint(byId("exports-all"), count > 1 ? t("export.all", { count }) : null);
    const entries = [...this.#data.colours].map(([label, colour]) => {
      return make("li", "", face({ label, colour }, inkOn(colour)), labelName(label));
    });
    byId("legend").replaceChildren(...entries, make("li", "", face({ state: "unsure" }), t("result.not_sure")));
  }

  /** Show the chosen segment in large letters, else the whole. */
  #showStage(): void {
    const strip = this.#chosen === null ? undefined : this.#data.strips[this.#chosen];
    byId("chosen").hidden = !strip;
    byId("play-segment").hidden = !this.#audible;
    setText(byId("whole"), t(this.#finished ? "result.whole" : "result.live"));
    setHint(byId("recording"), this.#finished?.row.file ?? t("live.title"));
    byId("recording").title = this.#finished?.row.file ?? "";
    const whole = this.#finished ? rowReadout(this.#relabelled(this.#finished.row)) : this.#live;
    const readout = strip ? segmentReadout(strip) : whole;
    setHint(byId("adapted"), strip ? withoutText(strip) : this.#adaptedText());
    setHint(byId("modalities"), modalitiesText((strip ?? this.#finished?.row)?.modalities));
    const threshold = this.chosenThreshold() ?? this.#threshold;
    const sets = this.setsOf(this.#finished?.model.name ?? null);
    if (readout) this.#stage.show(readout, this.#data.colours, { threshold, sets });
  }

  #adaptedText(): string | null {
    const row = this.#finished?.row;
    return row ? adaptedText(row.adapted, row.segments) : this.#liveAdapted;
  }

  #choose(index: number | null, play: boolean): void {
    this.#chosen = index;
    this.#timeline.choose(index);
    this.#showStage();
    const strip = index === null ? undefined : this.#data.strips[index];
    if (strip) announce(inWords(strip));
    if (play) this.#playChosen();
    if (index === null) this.#timeline.focus();
  }

  #playChosen(): void {
    const strip = this.#chosen === null ? undefined : this.#data.strips[this.#chosen];
    if (strip && this.#audible) this.#player.play(strip.start, strip.end);
  }

  #follow(seconds: number | null): void {
    this.#timeline.playhead = seconds;
    setText(byId("play"), t(seconds === null ? "timeline.play" : "timeline.pause"));
  }

  #relabelled(row: Row): Row {
    const threshold = this.chosenThreshold();
    return threshold === null ? row : relabelled(row, threshold);
  }

  #save(suffix: string, type: string, text: (rows: readonly Row[], finished: Finished) => string): void {
    if (!this.#finished) return;
    const rows = this.#all().map((row) => this.#relabelled(row));
    const name = rows.length > 1 ? "emovox" : stem(this.#finished.row.file);
    download(new Blob([text(rows, this.#finished)], { type: `${type};charset=utf-8` }), `${name}.${suffix}`);
  }

  async #savePicture(): Promise<void> {
    if (!this.#finished) return;
    const { row, model } = this.#finished;
    const font = getComputedStyle(document.body).fontFamily;
    download(await pictureOf(this.#data, this.#relabelled(row), model, font), `${stem(row.file)}.png`);
  }
}

function stripsOf(row: Row): readonly Strip[] {
  return row.segments.map((segment) => ({ ...segment, preview: false }));
}

/** Return the modalities of a result; none if there is only the voice. */
function modalitiesOf(row: Row): readonly string[] {
  const names = Object.keys(row.modalities ?? {});
  return names.length > 1 ? names : [];
}

function channelsOf(row: Row): readonly number[] {
  const channels = [...new Set(row.segments.map(({ channel }) => channel))].sort((a, b) => a - b);
  return channels.length ? channels : [0];
}
