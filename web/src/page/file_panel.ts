import { outlineOf } from "../audio/decode.ts";
import { byId, onClick, setText } from "../dom/dom.ts";
import type { Progress, Recogniser } from "../recogniser/recogniser.ts";
import { onLanguage, t } from "../text/i18n.ts";
import { relabelled } from "../timeline/session.ts";
import { announce, messageOf, notify, report } from "./notices.ts";
import { type Recording, Recordings } from "./recordings.ts";
import type { Results } from "./results.ts";
import type { Settings } from "./settings.ts";

const EXAMPLE = "demo.flac"; // generated speech, beside the page

/** Takes recordings that are chosen, dropped or pasted, sends them one after another and shows their results. */
export class FilePanel {
  readonly #input = byId("file", HTMLInputElement);
  readonly #split = byId("split", HTMLInputElement);
  readonly #recordings: Recordings;
  #running: AbortController | null = null;
  #drags = 0;

  /**
   * @param free makes room for a file. It returns false while the microphone runs, so that no slip ends the session.
   */
  constructor(
    private readonly recogniser: Recogniser,
    private readonly results: Results,
    private readonly settings: Settings,
    private readonly free: () => boolean,
  ) {
    this.#recordings = new Recordings(
      (recording) => this.free() && this.#show(recording),
      () => this.#clear(),
      (row) => (settings.threshold === null ? row : relabelled(row, settings.threshold)),
    );
    onClick("choose", () => this.#input.click());
    onClick("example", () => this.#takeExample());
    onClick("cancel", () => this.cancel());
    this.#input.addEventListener("change", () => {
      this.#take([...(this.#input.files ?? [])]);
      this.#input.value = ""; // the same file can be chosen again
    });
    this.#split.addEventListener("change", () => this.again());
    document.addEventListener("paste", (event) => this.#take([...(event.clipboardData?.files ?? [])]));
    this.#acceptDrops();
    onLanguage(() => notify(null));
  }

  /** Stop, and take the files that are not finished off the list. */
  cancel(): void {
    const isRunning = this.#running !== null;
    this.#stop();
    this.#recordings.dropOpen();
    if (isRunning) announce(t("file.cancelled"));
  }

  /** Forget the files, since the page shows something else: a switch does not bring them back. */
  forget(): void {
    this.#stop();
    this.#recordings.clear();
  }

  /** Analyse the files again, with another model or other channels. */
  again(): void {
    if (!this.free()) return;
    this.#stop();
    this.#recordings.restart();
    void this.#work();
  }

  /** Write the verdicts of the list with the user's threshold. */
  redraw(): void {
    this.#recordings.draw();
  }

  #clear(): void {
    this.forget();
    this.results.clear();
    notify(null);
    byId("choose").focus();
  }

  async #takeExample(): Promise<void> {
    try {
      const response = await fetch(new URL(EXAMPLE, document.baseURI));
      if (!response.ok) return notify(t("error.network"));
      this.#take([new File([await response.blob()], EXAMPLE, { lastModified: 0 })]);
    } catch {
      notify(t("error.network"));
    }
  }

  #take(files: readonly File[]): void {
    if (!files.length) return;
    if (!this.free()) return notify(t("file.stop_first"));
    const [lone] = this.#recordings.add(files);
    notify(lone ? t("file.lone_transcript", { file: lone.name }) : null);
    if (!this.#running) void this.#work();
  }

  #stop(): void {
    this.#running?.abort();
    this.#running = null;
    byId("progress").hidden = true;
  }

  /** Analyse the files that wait. The first result replaces what is shown; the user chooses the others in the list. */
  async #work(): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    byId("progress").hidden = false;
    const { shown } = this.#recordings;
    const awaited = shown && shown.state !== "done" ? shown : null; // what is on the page is analysed again
    let isShown = false;
    for (let next = this.#recordings.waiting; next && !running.signal.aborted; next = this.#recordings.waiting) {
      await this.#analyse(next, running.signal);
      if (running.signal.aborted) return;
      if (next.state === "done" && (awaited ? next === awaited : !isShown)) {
        this.#show(next);
        announce(`${byId("headline").textContent}. ${byId("confidence").textContent}`);
        isShown = true;
      }
    }
    if (this.#running === running) this.#stop();
  }

  /** Analyse a file. If that fails, the page names the file and keeps the result before. */
  async #analyse(recording: Recording, signal: AbortSignal): Promise<void> {
    const { file, transcript } = recording;
    recording.state = "running";
    this.#recordings.draw();
    this.#progress(file, { stage: "upload", share: 0 });
    try {
      const channels = this.#split.checked ? "split" : "mix";
      const onProgress = (progress: Progress) => signal.aborted || this.#progress(file, progress);
      const { model, adaptFile: adapt } = this.settings;
      const beside = this.settings.beside({ words: transcript !== null });
      const [answer, peaks] = await Promise.all([
        this.recogniser.recognise(file, { channels, model, adapt, beside, transcript, signal, onProgress }),
        outlineOf(file),
      ]);
      Object.assign(recording, { state: "done", answer, peaks });
    } catch (error) {
      if (signal.aborted) return;
      Object.assign(recording, { state: "failed", problem: error });
      report(error, file.name);
      announce(`${file.name}: ${messageOf(error)}`);
    } finally {
      if (!signal.aborted) this.#recordings.draw();
    }
  }

  #show(recording: Recording): void {
    const { answer, peaks, file } = recording;
    if (!answer) return;
    const card = this.settings.card(answer.model.name);
    const { row, model } = answer;
    this.#recordings.shown = recording;
    this.#recordings.draw();
    this.results.showFile(row, model, {
      labels: card?.labels ?? [],
      threshold: card?.threshold ?? null,
      peaks,
      sound: file,
      all: () => this.#recordings.done.flatMap((one) => (one.answer?.model.name === model.name ? one.answer.row : [])),
    });
    if (!peaks) notify(t("file.undrawable", { file: file.name }));
  }

  #progress(file: File, { stage, share }: Progress): void {
    setText(byId("progress-text"), t(`file.${stage}`, { file: file.name }));
    const bar = byId("progress-bar", HTMLProgressElement);
    if (share > 0) bar.value = share;
    else bar.removeAttribute("value"); // the duration is not known
  }

  /** Accept files that are dropped anywhere on the page. */
  #acceptDrops(): void {
    const veil = byId("drop");
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const track = (event: DragEvent, change: 1 | -1) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      this.#drags = Math.max(0, this.#drags + change); // entering a child comes before leaving its parent
      veil.hidden = this.#drags === 0;
    };
    document.addEventListener("dragenter", (event) => track(event, 1));
    document.addEventListener("dragleave", (event) => track(event, -1));
    document.addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      this.#drags = 0;
      veil.hidden = true;
      this.#take([...(event.dataTransfer?.files ?? [])]);
    });
  }
}
