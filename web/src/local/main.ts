// The page that recognises in the browser alone.
import { applyPreferences } from "../page/preferences.ts";
import { start } from "../page/start.ts";
import { overlay } from "../text/i18n.ts";
import { keepOffline } from "./offline.ts";
import { LocalRecogniser } from "./recogniser.ts";
import { EN, ZH } from "./texts.ts";

overlay({ en: EN, "zh-CN": ZH });
applyPreferences(); // at once, before anything is drawn
document.addEventListener("DOMContentLoaded", () => {
  start(new LocalRecogniser());
  void keepOffline();
});
