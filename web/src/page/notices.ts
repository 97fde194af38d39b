import { MicrophoneError } from "../audio/microphone.ts";
import { byId, setHint } from "../dom/dom.ts";
import { isAbort, RecogniserError } from "../recogniser/recogniser.ts";
import { maybe, t } from "../text/i18n.ts";

const QUIET_MS = 3000;
let spoken = 0;
let waiting: ReturnType<typeof setTimeout> | undefined;

/** Tell what reads the page aloud, at most once in three seconds; of what comes faster only the last is said. */
export function announce(text: string): void {
  clearTimeout(waiting);
  const wait = Math.max(0, spoken + QUIET_MS - performance.now());
  waiting = setTimeout(() => {
    spoken = performance.now();
    byId("announcer").textContent = text;
  }, wait);
}

/** A line above everything; null takes it away. */
export function notify(text: string | null): void {
  setHint(byId("notice"), text);
}

/** Say what went wrong in the user's language; that the user cancelled is nothing wrong. */
export function report(error: unknown): void {
  if (!isAbort(error)) notify(messageOf(error));
}

export function messageOf(error: unknown): string {
  if (error instanceof MicrophoneError) {
    const { problem } = error;
    return problem === "insecure" ? t("insecure.title") : t(`error.mic_${problem}`);
  }
  if (!(error instanceof RecogniserError)) return t("error.other", { message: String(error) });
  return maybe(`error.${error.code}`) ?? t("error.other", { message: error.message });
}
