import { outlineOf } from "../audio/decode.ts";
import { byId, onClick, setText } from "../dom/dom.ts";
import type { Progress, Recogniser } from "../recogniser/recogniser.ts";
import { onLanguage, t } from "../text/i18n.ts";
import { announce, messageOf, notify, report } from "./notices.ts";
import type { Results } from "./results.ts";

/** Takes a recording that is chosen, dropped or pasted, sends it once and shows the result with its outline. */
export class FilePanel {
  readonly #input = byId("file", HTMLInputElement);
  readonly #split = byId("split", HTMLInputElement);
  #running: AbortController | null = null;
  #last: File | null = null;
  #drags = 0;

  /**
   * @param labels returns the labels of a model, in its order; none if they are not known.
   * @param free makes room for a file. It returns false while the microphone runs, so that no slip ends the session.
   */
  constructor(
    private readonly recogniser: Recogniser,
    private readonly results: Results,
    private readonly labels: (model: string) => readonly string[],
    private readonly free: () => boolean,
  ) {
    onClick("choose", () => this.#input.click());
    onClick("cancel", () => this.cancel());
    this.#input.addEventListener("change", () => {
      this.#take(this.#input.files);
      this.#input.value = ""; // the same file can be chosen again
    });
    this.#split.addEventListener("change", () => this.#last && this.free() && void this.#analyse(this.#last));
    document.addEventListener("paste", (event) => this.#take(event.clipboardData?.files));
    this.#acceptDrops();
    onLanguage(() => notify(null));
  }

  cancel(): void {
    this.#running?.abort();
  }

  /** Forget the file, since the page shows something else: the switch for channels does not bring it back. */
  forget(): void {
    this.cancel();
    this.#last = null;
  }

  #take(files: FileList | null | undefined): void {
    const [file] = files ?? [];
    if (!file) return;
    if (!this.free()) return notify(t("file.stop_first"));
    void this.#analyse(file).then(() => {
      if (files && files.length > 1) notify(t("file.first_only"));
    });
  }

  async #analyse(file: File): Promise<void> {
    this.cancel();
    const running = new AbortController();
    this.#running = running;
    this.#last = file;
    notify(null);
    this.results.clear();
    this.#show(file, { stage: "upload", share: 0 });
    byId("progress").hidden = false;
    try {
      const channels = this.#split.checked ? "split" : "mix";
      const onProgress = (progress: Progress) => this.#show(file, progress);
      const [answer, peaks] = await Promise.all([
        this.recogniser.recognise(file, { channels, signal: running.signal, onProgress }),
        outlineOf(file),
      ]);
      if (running.signal.aborted) return;
      const { row, model } = answer;
      this.results.showFile(row, model, { labels: this.labels(model.name), peaks, sound: file });
      if (!peaks) notify(t("file.undrawable"));
      announce(`${byId("headline").textContent}. ${byId("confidence").textContent}`);
    } catch (error) {
      if (running.signal.aborted) {
        if (this.#running === running) announce(t("file.cancelled"));
      } else {
        report(error);
        announce(messageOf(error));
      }
    } finally {
      if (this.#running === running) {
        this.#running = null;
        byId("progress").hidden = true;
      }
    }
  }

  #show(file: File, { stage, share }: Progress): void {
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
      this.#take(event.dataTransfer?.files);
    });
  }
}
