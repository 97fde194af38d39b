import { askKey } from "./page/dialogs.ts";
import { applyPreferences } from "./page/preferences.ts";
import { start } from "./page/start.ts";
import { ServiceRecogniser } from "./recogniser/service.ts";

applyPreferences(); // at once, before anything is drawn
document.addEventListener("DOMContentLoaded", () => start(new ServiceRecogniser(document.baseURI, askKey)));
