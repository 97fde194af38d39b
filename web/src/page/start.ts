import { bindTexts } from "../dom/dom.ts";
import type { Recogniser } from "../recogniser/recogniser.ts";
import { bindAbout } from "./about.ts";
import { FilePanel } from "./file_panel.ts";
import { bindFullView } from "./full_view.ts";
import { LivePanel } from "./live_panel.ts";
import { report } from "./notices.ts";
import { bindPreferences } from "./preferences.ts";
import { Results } from "./results.ts";
import { Settings } from "./settings.ts";

/** Connect the panels of the page with a recogniser. */
export function start(recogniser: Recogniser): void {
  bindTexts();
  bindAbout();
  const settings = new Settings(recogniser);
  const threshold = () => settings.threshold;
  const results = new Results(threshold, (model) => settings.sets(model));
  bindPreferences(() => results.redraw());
  bindFullView(() => results.redraw());
  const files: FilePanel = new FilePanel(recogniser, results, settings, () => live.free());
  const live: LivePanel = new LivePanel(recogniser, results, settings, () => files.forget());
  settings.onModel = () => files.again();
  settings.onAdapt = () => files.again();
  settings.onThreshold = () => {
    results.applyThreshold();
    files.redraw();
  };
  window.addEventListener("pagehide", () => files.cancel());
  settings.fetch().catch(report);
}
