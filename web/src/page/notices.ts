import { MicrophoneError } from "../../packages/emovox/src/audio/microphone.ts";
import { byId, setHint } from "../dom/dom.ts";
import { isAbort, RecogniserError } from "../recogniser/recogniser.ts";
import { maybe, t } from "../text/i18n.ts";

const QUIET_MS = 3000; // between two announcements
let spoken = 0;
let waiting: ReturnType<typeof setTimeout> | undefined;

/** Announce a text to screen readers, at most every three seconds. Of faster texts only the last is announced. */
export function announce(text: string): void {
  clearTimeout(waiting);
  const wait = Math.max(0, spoken + QUIET_MS - performance.now());
  waiting = setTimeout(() => {
    spoken = performance.now();
    byId("announcer").textContent = text;
  }, wait);
}

/** Show a line at the top of the page; null hides it. */
export function notify(text: string | null): void {
  setHint(byId("notice"), text);
}

/** Show an error in the user's language with the file that it is about, unless the user cancelled. */
export function report(error: unknown, file?: string): void {
  if (!isAbort(error)) notify(file ? t("file.failed", { file, message: messageOf(error) }) : messageOf(error));
}

/** Return the message of an error in the user's language. */
export function messageOf(error: unknown): string {
  if (error instanceof MicrophoneError) {
    const { problem } = error;
    return problem === "insecure" ? t("insecure.title") : t(`error.mic_${problem}`);
  }
  if (!(error instanceof RecogniserError)) return t("error.other", { message: String(error) });
  return maybe(`error.${error.code}`) ?? t("error.other", { message: error.message });
}
