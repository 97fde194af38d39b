// The list of the recordings of this visit, shown if there are several: state, verdict, and which one is on the page.

import type { Peaks } from "../audio/peaks.ts";
import { byId, make, onClick, setText } from "../dom/dom.ts";
import { face } from "../dom/faces.ts";
import type { Answer, Row } from "../recogniser/protocol.ts";
import { onLanguage, t } from "../text/i18n.ts";
import { coloursOf, inkOn } from "../timeline/colours.ts";
import { messageOf } from "./notices.ts";
import { rowReadout } from "./readout.ts";
import { isTranscript, transcriptOf } from "./transcripts.ts";

/** A chosen file and what is known about it. */
export interface Recording {
  readonly file: File;
  /** What is said in it; null if no transcript was chosen. */
  readonly transcript: File | null;
  state: "waiting" | "running" | "done" | "failed";
  answer: Answer | null;
  peaks: Peaks | null;
  problem: unknown;
}

export class Recordings {
  readonly #root = byId("recordings");
  #all: Recording[] = [];
  shown: Recording | null = null;

  /**
   * @param onShow receives a finished recording that is chosen in the list.
   * @param onClear is called when the list is to be emptied.
   * @param threshold returns a row as it is with the user's threshold.
   */
  constructor(
    private readonly onShow: (recording: Recording) => void,
    onClear: () => void,
    private readonly threshold: (row: Row) => Row,
  ) {
    byId("recordings-list").addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button") : null;
      const recording = button && this.#all[Number(button.dataset.index)];
      if (recording?.state === "done") this.onShow(recording);
    });
    onClick("recordings-clear", onClear);
    onLanguage(() => this.draw());
  }

  get waiting(): Recording | undefined {
    return this.#all.find(({ state }) => state === "waiting");
  }

  get done(): readonly Recording[] {
    return this.#all.filter(({ state }) => state === "done");
  }

  /**
   * Add recordings and their transcripts. Those that failed before leave the list. A file that is chosen again, or whose
   * transcript is, is analysed again.
   *
   * @returns the transcripts that belong to no recording.
   */
  add(chosen: readonly File[]): readonly File[] {
    const [transcripts, files] = [chosen.filter(isTranscript), chosen.filter((file) => !isTranscript(file))];
    const kept = this.#all.filter(({ state, file }) => state !== "failed" && !files.some((one) => isSame(one, file)));
    const all = files.length ? files : kept.map(({ file }) => file);
    const used = new Set<File>();
    const given = (file: File, before: File | null = null): File | null => {
      const transcript = transcriptOf(file, all, transcripts);
      if (transcript) used.add(transcript);
      return transcript ?? before;
    };
    const again = (old: Recording): Recording => {
      const transcript = files.length ? old.transcript : given(old.file, old.transcript);
      return transcript === old.transcript ? old : this.#replaced(old, fresh(old.file, transcript));
    };
    this.#all = [...kept.map(again), ...files.map((file) => fresh(file, given(file)))];
    this.draw();
    return transcripts.filter((transcript) => !used.has(transcript));
  }

  #replaced(old: Recording, next: Recording): Recording {
    if (this.shown === old) this.shown = next;
    return next;
  }

  /** Let all files wait again, for another model or other channels. */
  restart(): void {
    const shown = this.shown && this.#all.indexOf(this.shown);
    this.#all = this.#all.map(({ file, transcript }) => fresh(file, transcript));
    this.shown = shown === null || shown < 0 ? null : (this.#all[shown] ?? null);
    this.draw();
  }

  /** Remove the recordings that are not finished. */
  dropOpen(): void {
    this.#all = this.#all.filter(({ state }) => state === "done" || state === "failed");
    this.draw();
  }

  clear(): void {
    this.#all = [];
    this.shown = null;
    this.draw();
  }

  draw(): void {
    this.#root.hidden = this.#all.length < 2;
    setText(byId("recordings-count"), t("files.count", { count: this.#all.length }));
    byId("recordings-list").replaceChildren(...this.#all.map((recording, index) => this.#item(recording, index)));
  }

  #item(recording: Recording, index: number): HTMLLIElement {
    const { file, state, answer, problem } = recording;
    const button = make("button", state, make("span", "name", file.name));
    button.type = "button";
    button.title = file.name;
    button.dataset.index = String(index);
    button.disabled = state !== "done";
    button.setAttribute("aria-pressed", String(recording === this.shown));
    if (state === "done" && answer) {
      const row = this.threshold(answer.row);
      const { headline, confidence } = rowReadout(row);
      const colour = coloursOf(Object.keys(row.scores ?? {})).get(row.label ?? "");
      const kind = row.label !== null && colour ? { label: row.label, colour } : ({ state: "unsure" } as const);
      button.prepend(face(row.scores ? kind : { state: "silent" }, colour && inkOn(colour)));
      button.append(make("span", "verdict-word", headline), make("span", "hint", row.label === null ? "" : confidence));
    } else {
      button.append(
        make(
          "span",
          "hint",
          state === "failed" ? messageOf(problem) : t(state === "running" ? "files.running" : "files.waiting"),
        ),
      );
    }
    return make("li", "", button);
  }
}

function fresh(file: File, transcript: File | null): Recording {
  return { file, transcript, state: "waiting", answer: null, peaks: null, problem: null };
}

function isSame(one: File, other: File): boolean {
  return one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
}
