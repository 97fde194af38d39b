import { bindTexts } from "./dom/dom.ts";
import { bindAbout } from "./page/about.ts";
import { askKey } from "./page/dialogs.ts";
import { FilePanel } from "./page/file_panel.ts";
import { bindFullView } from "./page/full_view.ts";
import { LivePanel } from "./page/live_panel.ts";
import { report } from "./page/notices.ts";
import { applyPreferences, bindPreferences } from "./page/preferences.ts";
import { Results } from "./page/results.ts";
import { Settings } from "./page/settings.ts";
import { ServiceRecogniser } from "./recogniser/service.ts";

function start(): void {
  const recogniser = new ServiceRecogniser(document.baseURI, askKey);
  bindTexts();
  bindAbout();
  const settings = new Settings(recogniser);
  const threshold = () => settings.threshold;
  const results = new Results(threshold);
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

applyPreferences(); // at once, before anything is drawn
document.addEventListener("DOMContentLoaded", start);
