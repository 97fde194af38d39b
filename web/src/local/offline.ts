// Keeps the page for use without a network, and says whether that works.
import { byId, setHint } from "../dom/dom.ts";
import { maybe, onLanguage } from "../text/i18n.ts";

type State = "ready" | "private" | "full" | "unreachable";

/** What the service worker says while it stores the files of the page. */
export interface StoreProblem {
  readonly offline: "full" | "unreachable";
}

/** Register the service worker. Whatever happens, the page works until it is closed. */
export async function keepOffline(): Promise<void> {
  const workers = navigator.serviceWorker;
  if (!workers) return show("private");
  workers.addEventListener("message", ({ data }: MessageEvent<StoreProblem>) => show(data.offline));
  workers.startMessages();
  try {
    await workers.register("service-worker.js");
  } catch {
    return show("private");
  }
  await workers.ready;
  show("ready");
}

let shown: State | null = null;

function show(state: State): void {
  shown ??= state;
  draw();
}

function draw(): void {
  setHint(byId("offline"), shown && maybe(`offline.${shown}`));
}

onLanguage(() => shown && draw());
