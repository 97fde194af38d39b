// The results, below the sources on the page: large letters, timeline, the chosen segment, and saving.

import type { Peaks } from "../audio/peaks.ts";
import { byId, make, onClick, setHint, setText } from "../dom/dom.ts";
import { face } from "../dom/faces.ts";
import { csvText } from "../export/csv.ts";
import { download, stem } from "../export/download.ts";
import { jsonText } from "../export/json.ts";
import type { ModelName, Row } from "../recogniser/protocol.ts";
import { labelName, onLanguage, t } from "../text/i18n.ts";
import { inWords } from "../timeline/buttons.ts";
import { coloursOf, inkOn } from "../timeline/colours.ts";
import type { TimelineData } from "../timeline/paint.ts";
import { pictureOf } from "../timeline/picture.ts";
import type { Strip } from "../timeline/session.ts";
import { EMPTY, TimelineView } from "../timeline/view.ts";
import { Player } from "./player.ts";
import { type Readout, rowReadout } from "./readout.ts";
import { ScoreList } from "./scores.ts";
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
}

/** Shows the results of a file or of a live session. */
export class Results {
  readonly #root = byId("results");
  readonly #stage = new Stage();
  readonly #timeline = new TimelineView((index) => this.#choose(index));
  readonly #scores = new ScoreList(byId("chosen-scores"));
  readonly #player = new Player((seconds) => this.#follow(seconds));
  #data: TimelineData = EMPTY;
  #finished: Finished | null = null;
  #threshold: number | null = null;
  #chosen: number | null = null;
  #audible = false;

  constructor() {
    onClick("play", () => this.#player.toggle());
    onClick("play-segment", () => this.#playChosen());
    onClick("save-json", () => this.#save("json", "application/json", ({ row, model }) => jsonText(row, model)));
    onClick("save-csv", () => this.#save("csv", "text/csv", ({ row }) => csvText(row, [...this.#data.colours.keys()])));
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

  /** Show the result of a file. Without an outline there is neither waveform nor playback. */
  showFile(row: Row, model: ModelName, about: { labels: readonly string[]; peaks: Peaks | null; sound: Blob }): void {
    this.#audible = about.peaks !== null;
    this.#player.load(this.#audible ? about.sound : null);
    this.#threshold = null;
    this.#open(
      {
        duration: row.duration,
        channels: channelsOf(row),
        strips: row.segments.map((segment) => ({ ...segment, preview: false })),
        peaks: about.peaks,
        colours: coloursOf(about.labels.length ? about.labels : Object.keys(row.scores ?? {})),
      },
      false,
    );
    this.finish(row, model);
  }

  /** Begin a live session: an empty timeline that grows. */
  openLive(labels: readonly string[]): void {
    this.#audible = false;
    this.#player.load(null);
    this.#finished = null;
    this.#open({ ...EMPTY, colours: coloursOf(labels) }, true);
    this.#updateTexts();
  }

  showLive({ seconds, strips, peaks, readout, threshold }: LiveView): void {
    if (this.#finished) {
      this.#finished = null; // the session continues after a lost connection
      this.#timeline.open(this.#data, true);
      this.#updateTexts();
    }
    this.#threshold = threshold;
    this.#data = { ...this.#data, duration: seconds, strips, peaks };
    this.#timeline.show(this.#data);
    this.#stage.show(readout, this.#data.colours, threshold);
  }

  /** Show the summary of a complete analysis, and offer to save it. */
  finish(row: Row, model: ModelName): void {
    this.#finished = { row, model };
    this.#timeline.settle();
    this.#updateTexts();
  }

  #open(data: TimelineData, live: boolean): void {
    this.#data = data;
    this.#chosen = null;
    this.#root.hidden = false;
    byId("play").hidden = !this.#audible;
    byId("play-segment").hidden = !this.#audible;
    this.#timeline.open(data, live);
  }

  /** Write all texts, also after a change of the language. */
  #updateTexts(): void {
    const finished = this.#finished;
    if (finished) this.#stage.show(rowReadout(finished.row), this.#data.colours, this.#threshold);
    this.#stage.warn(finished?.row.warnings ?? []);
    byId("exports").hidden = !finished;
    const { name, version } = finished?.model ?? { name: "", version: "" };
    setHint(byId("model"), finished && t("result.model", { model: `${name} ${version}` }));
    this.#describe();
    const entries = [...this.#data.colours].map(([label, colour]) => {
      return make("li", "", face({ label, colour }, inkOn(colour)), labelName(label));
    });
    byId("legend").replaceChildren(...entries, make("li", "", face({ state: "unsure" }), t("result.not_sure")));
  }

  #choose(index: number): void {
    this.#chosen = index;
    this.#timeline.choose(index);
    this.#describe();
    this.#playChosen();
  }

  #describe(): void {
    const strip = this.#chosen === null ? undefined : this.#data.strips[this.#chosen];
    byId("chosen").hidden = !strip;
    if (!strip) return;
    setText(byId("chosen-title"), inWords(strip));
    this.#scores.show(strip.scores, this.#data.colours);
  }

  #playChosen(): void {
    const strip = this.#chosen === null ? undefined : this.#data.strips[this.#chosen];
    if (strip && this.#audible) this.#player.play(strip.start, strip.end);
  }

  #follow(seconds: number | null): void {
    this.#timeline.playhead = seconds;
    setText(byId("play"), t(seconds === null ? "timeline.play" : "timeline.pause"));
  }

  #save(suffix: string, type: string, text: (finished: Finished) => string): void {
    if (!this.#finished) return;
    const name = `${stem(this.#finished.row.file)}.${suffix}`;
    download(new Blob([text(this.#finished)], { type: `${type};charset=utf-8` }), name);
  }

  async #savePicture(): Promise<void> {
    if (!this.#finished) return;
    const { row, model } = this.#finished;
    const font = getComputedStyle(document.body).fontFamily;
    download(await pictureOf(this.#data, row, model, font), `${stem(row.file)}.png`);
  }
}

function channelsOf(row: Row): readonly number[] {
  const channels = [...new Set(row.segments.map(({ channel }) => channel))].sort((a, b) => a - b);
  return channels.length ? channels : [0];
}
