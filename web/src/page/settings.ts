// The choice of the model and of the threshold, and the models of the service. It is kept in memory only.

import { byId, make, setHint, setText } from "../dom/dom.ts";
import type { LabelSets, ModelCard } from "../recogniser/protocol.ts";
import type { Recogniser } from "../recogniser/recogniser.ts";
import { percent } from "../text/format.ts";
import { onLanguage, t } from "../text/i18n.ts";
import { showModel } from "./about.ts";
import { WARM_UP } from "./adaptation.ts";

/** Percentage of the sets of labels that are shown at first. */
const USUAL_COVERAGE = 90;

export class Settings {
  readonly #select = byId("model-choice", HTMLSelectElement);
  readonly #range = byId("threshold-choice", HTMLInputElement);
  readonly #adaptFile = byId("adapt-file", HTMLInputElement);
  readonly #adaptLive = byId("adapt-live", HTMLInputElement);
  readonly #face = byId("face-file", HTMLInputElement);
  readonly #words = byId("words-file", HTMLInputElement);
  readonly #coverage = byId("coverage-choice", HTMLSelectElement);
  readonly #automatic = byId("threshold-automatic", HTMLButtonElement);
  #cards: readonly ModelCard[] = [];
  /** The user's threshold, 0 to 1; null takes the model's. */
  threshold: number | null = null;
  onModel: () => void = () => undefined;
  onThreshold: () => void = () => undefined;
  /** The user has switched the adaptation, the face or the words of files on or off. */
  onAdapt: () => void = () => undefined;

  constructor(private readonly recogniser: Recogniser) {
    this.#select.addEventListener("change", () => {
      this.#show();
      this.onModel();
    });
    for (const box of [this.#adaptFile, this.#face, this.#words]) box.addEventListener("change", () => this.onAdapt());
    this.#range.addEventListener("input", () => this.#choose(Number(this.#range.value) / 100));
    this.#coverage.addEventListener("change", () => this.onThreshold());
    this.#automatic.addEventListener("click", () => this.#choose(null));
    onLanguage(() => this.#show());
    this.#show();
  }

  /** Return the card of the default model. The models are fetched once; after a failure, the next call tries again. */
  async fetch(): Promise<ModelCard | undefined> {
    if (!this.#cards.length) {
      this.#cards = await this.recogniser.models();
      this.#list();
      this.#show();
    }
    return this.main;
  }

  /** The default model, which also scores the microphone. */
  get main(): ModelCard | undefined {
    return this.#cards.find((card) => card.default) ?? this.#cards[0];
  }

  /** The name of the model for files; null takes the default. */
  get model(): string | null {
    const name = this.#select.value;
    return !name || name === this.main?.name ? null : name;
  }

  /** Whether to adapt the scores of files to their voices. */
  get adaptFile(): boolean {
    return this.#adaptFile.checked && !this.#adaptFile.disabled;
  }

  /** Whether the microphone is to learn the voice while it speaks. */
  get adaptLive(): boolean {
    return this.#adaptLive.checked && !this.#adaptLive.disabled;
  }

  /** Return what counts besides the voice in a file: "face", and "text" if its words are known. */
  beside({ words }: { readonly words: boolean }): readonly string[] {
    const chosen = (box: HTMLInputElement) => box.checked && !box.disabled;
    return [...(chosen(this.#face) ? ["face"] : []), ...(words && chosen(this.#words) ? ["text"] : [])];
  }

  /** Return the card of a model by its name; undefined if the service does not list it. */
  card(name: string): ModelCard | undefined {
    return this.#cards.find((card) => card.name === name);
  }

  /** Return the promise of a model that the user has chosen; null: none is chosen, or the model has none. */
  sets(name: string | null): LabelSets | null {
    const card = (name === null ? undefined : this.card(name)) ?? this.main;
    return card?.sets?.find(({ coverage }) => String(coverage) === this.#coverage.value) ?? null;
  }

  #list(): void {
    const options = this.#cards
      .filter(({ offered, ...card }) => offered || card.default)
      .map(({ name, megabytes }) => {
        const option = make("option", "", megabytes ? `${name} · ${megabytes} MB` : name);
        option.value = name;
        return option;
      });
    this.#select.replaceChildren(...options);
    this.#select.value = this.main?.name ?? "";
  }

  #choose(threshold: number | null): void {
    this.threshold = threshold;
    this.#show();
    this.onThreshold();
  }

  #show(): void {
    const card = this.card(this.#select.value) ?? this.main;
    const several = this.#select.options.length > 1;
    this.#showCoverage(card);
    byId("model-field").hidden = !several;
    const default_ = card?.threshold ?? null;
    const value = this.threshold ?? default_;
    if (value !== null) this.#range.value = String(Math.round(100 * value));
    setText(byId("threshold-value"), value === null ? "–" : percent(value));
    this.#range.setAttribute("aria-valuetext", value === null ? "–" : percent(value));
    this.#automatic.hidden = this.threshold === null;
    const name = several && card ? `${card.name} · ` : "";
    setText(byId("settings-now"), value === null ? "" : `${name}${percent(value)}`);
    setHint(byId("model-hint"), several ? t("settings.model_hint", { model: this.main?.name ?? "" }) : null);
    this.#showAdaptation(card);
    this.#showModalities(card?.modalities ?? []);
    showModel(card);
  }

  #showCoverage(card: ModelCard | undefined): void {
    const sets = card?.sets ?? [];
    byId("coverage-field").hidden = !sets.length;
    const known = this.#coverage.options.length ? this.#coverage.value : String(USUAL_COVERAGE);
    const options = sets.map(({ coverage }) => {
      const option = make("option", "", percent(coverage / 100));
      option.value = String(coverage);
      return option;
    });
    const none = make("option", "", t("settings.coverage_none"));
    none.value = "";
    this.#coverage.replaceChildren(none, ...options);
    this.#coverage.value = sets.some(({ coverage }) => String(coverage) === known) ? known : "";
  }

  #showModalities(offered: readonly string[]): void {
    for (const [name, box] of [["face", this.#face] as const, ["text", this.#words] as const]) {
      box.disabled = !offered.includes(name);
      byId(name === "face" ? "face-choice" : "words-choice").hidden = box.disabled;
    }
  }

  #showAdaptation(card: ModelCard | undefined): void {
    const unable = (of: ModelCard | undefined) =>
      of?.adaptable === false ? t("adapt.unable", { model: of.name }) : null;
    this.#adaptFile.disabled = unable(card) !== null;
    setHint(byId("adapt-file-hint"), unable(card));
    this.#adaptLive.disabled = unable(this.main) !== null;
    setHint(byId("adapt-live-hint"), unable(this.main) ?? t("adapt.live_hint", { count: WARM_UP }));
  }
}
