import { bindTexts } from "./dom/dom.ts";
import { bindAbout, showModel } from "./page/about.ts";
import { askKey } from "./page/dialogs.ts";
import { FilePanel } from "./page/file_panel.ts";
import { LivePanel } from "./page/live_panel.ts";
import { report } from "./page/notices.ts";
import { applyPreferences, bindPreferences } from "./page/preferences.ts";
import { Results } from "./page/results.ts";
import type { ModelCard } from "./recogniser/protocol.ts";
import { ServiceRecogniser } from "./recogniser/service.ts";

/** The models of the service. They are fetched once; after a failure, the next call of `fetch` tries again. */
class Models {
  #cards: readonly ModelCard[] = [];

  constructor(private readonly recogniser: ServiceRecogniser) {}

  async fetch(): Promise<ModelCard | undefined> {
    if (!this.#cards.length) {
      this.#cards = await this.recogniser.models();
      showModel(this.main);
    }
    return this.main;
  }

  get main(): ModelCard | undefined {
    return this.#cards.find((card) => card.default) ?? this.#cards[0];
  }

  labels(name: string): readonly string[] {
    return this.#cards.find((card) => card.name === name)?.labels ?? [];
  }
}

function start(): void {
  const results = new Results();
  bindTexts();
  bindPreferences(() => results.redraw());
  bindAbout();
  const recogniser = new ServiceRecogniser(document.baseURI, askKey);
  const models = new Models(recogniser);
  const files: FilePanel = new FilePanel(
    recogniser,
    results,
    (name) => models.labels(name),
    () => live.free(),
  );
  const live: LivePanel = new LivePanel(
    recogniser,
    results,
    () => models.fetch(),
    () => files.forget(),
  );
  window.addEventListener("pagehide", () => files.cancel());
  models.fetch().catch(report);
}

applyPreferences(); // at once, before anything is drawn
document.addEventListener("DOMContentLoaded", start);
