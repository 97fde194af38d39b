import { isMicrophoneOffered, Microphone } from "../../packages/emovox/src/audio/microphone.ts";
import { levelDb } from "../audio/encode.ts";
import { byId, make, onClick, setHint, setText } from "../dom/dom.ts";
import type { SessionStarted } from "../recogniser/protocol.ts";
import type { Recogniser } from "../recogniser/recogniser.ts";
import { clock, number } from "../text/format.ts";
import { type Key, onLanguage, t } from "../text/i18n.ts";
import { relabelledSession, type Session, strips } from "../timeline/session.ts";
import { warmingText } from "./adaptation.ts";
import { askConsent } from "./dialogs.ts";
import { adviceFor } from "./insecure.ts";
import { Listening, type ListeningState } from "./listening.ts";
import { announce, messageOf, notify, report } from "./notices.ts";
import { liveReadout, type Readout } from "./readout.ts";
import type { Results } from "./results.ts";
import type { Settings } from "./settings.ts";

const STATES: Readonly<Record<ListeningState, Key>> = {
  permission: "state.permission",
  connecting: "state.connecting",
  running: "state.listening",
  paused: "state.paused",
  stopping: "state.stopping",
  stopped: "state.stopped",
  lost: "state.lost",
};
const QUIETEST_DB = -60; // the lower end of the level meter

/** The panel of the microphone: consent, the running session and its result. */
export class LivePanel {
  #listening: Listening | null = null;
  #announced = 0;

  /**
   * @param settings gives the card of the service's model, the threshold, and whether to adapt.
   * @param before called before the microphone starts, since a file and the microphone exclude each other.
   */
  constructor(
    private readonly recogniser: Recogniser,
    private readonly results: Results,
    private readonly settings: Settings,
    private readonly before: () => void,
  ) {
    onClick("listen", () => this.#begin());
    onClick("stop", () => this.#listening?.stop());
    onClick("resume", () => this.#listening?.resume());
    onClick("reconnect", () => this.#run());
    const devices = byId("device", HTMLSelectElement);
    devices.addEventListener("change", () => void this.#listening?.use(devices.value).catch(report));
    window.addEventListener("pagehide", () => this.close());
    this.#explainInsecure();
    onLanguage(() => {
      this.#explainInsecure();
      this.#show();
    });
  }

  /** Close a session that has ended, to make room. Return false while the session runs. */
  free(): boolean {
    const state = this.#listening?.state;
    if (state && state !== "stopped" && state !== "lost") return false;
    this.close();
    return true;
  }

  /** Close the microphone and the connection at once, and take the session off the page. */
  close(): void {
    this.#listening?.close();
    this.#listening = null;
    this.#show();
  }

  async #begin(): Promise<void> {
    notify(null);
    try {
      if (!(await askConsent(await this.settings.fetch()))) return;
    } catch (error) {
      report(error);
      return;
    }
    this.before();
    this.close();
    this.results.clear();
    this.#announced = 0;
    this.#listening = new Listening(this.recogniser, this.settings.adaptLive, {
      onState: (state) => this.#changed(state),
      onOpen: (labels) => this.results.openLive(labels),
      onChange: () => this.#update(),
      onFrame: (samples) => this.#meter(samples),
    });
    await this.#run();
  }

  async #run(): Promise<void> {
    const listening = this.#listening;
    notify(null);
    try {
      await listening?.run();
      if (listening === this.#listening) await this.#listDevices();
    } catch (error) {
      if (listening !== this.#listening) return;
      report(error);
      announce(messageOf(error));
      if (listening && !listening.settings) this.close();
    }
  }

  #changed(state: ListeningState): void {
    this.#show();
    if (state === "stopped" || state === "lost") {
      this.#sumUp();
      showLevel(0);
    }
    if (state === "lost") report(this.#listening?.problem);
    announce(t(STATES[state]));
    if (state === "running") byId("stop").focus();
    if (state === "lost") byId("reconnect").focus();
    if (state === "stopped") byId("listen").focus();
  }

  /** Show the state, its hint and the buttons that it allows. */
  #show(): void {
    const listening = this.#listening;
    const state = listening?.state;
    document.body.dataset.live = state ?? "";
    byId("live").hidden = !state || state === "stopped";
    if (!state) return;
    const speaking = state === "running" && listening?.session.speaking.size;
    setText(byId("live-state"), t(speaking ? "state.speaking" : STATES[state]));
    const why = state === "lost" ? t("state.lost_why") : state === "paused" ? t("state.paused_why") : null;
    setHint(byId("live-hint"), why ?? (state === "running" ? this.#soundHint() : null));
    byId("stop").hidden = state === "lost" || state === "stopping";
    byId("resume").hidden = state !== "paused";
    byId("reconnect").hidden = state !== "lost";
  }

  #soundHint(): string | null {
    const sound = this.#listening?.sound;
    return sound === "muted" ? t("live.muted") : sound === "loud" ? t("live.loud") : null;
  }

  #update(): void {
    const listening = this.#listening;
    const settings = listening?.settings;
    if (!listening || !settings || listening.state === "stopped" || listening.state === "lost") return;
    const { latency, seconds } = listening;
    const { session, readout } = this.#draw(listening, settings);
    setText(byId("elapsed"), clock(seconds, 0));
    setText(byId("latency"), latency === null ? "–" : `${number(latency / 1000, 2)} s`);
    this.#show();
    const { latest } = session;
    if (latest?.type === "speech.ended" && latest.end > this.#announced) {
      this.#announced = latest.end;
      announce(`${readout.headline}. ${readout.confidence}`);
    }
  }

  #meter(samples: Float32Array): void {
    showLevel(Math.max(0, Math.min(1, 1 - levelDb(samples) / QUIETEST_DB)));
  }

  #draw(listening: Listening, settings: SessionStarted): { session: Session; readout: Readout } {
    const { seconds, peaks } = listening;
    const chosen = this.settings.threshold;
    const session = chosen === null ? listening.session : relabelledSession(listening.session, chosen);
    const readout = liveReadout(session, { seconds, window: settings.window });
    const threshold = chosen ?? settings.threshold;
    const adapted = listening.adapts ? warmingText(session.adapted, session.segments) : null;
    this.results.showLive({ seconds, strips: strips(session), peaks, readout, threshold, adapted });
    return { session, readout };
  }

  #sumUp(): void {
    const row = this.#listening?.row();
    const settings = this.#listening?.settings;
    if (!row || !settings || !this.#listening) return;
    this.#draw(this.#listening, settings);
    this.results.finish(row, settings.model);
  }

  async #listDevices(): Promise<void> {
    const devices = await Microphone.devices();
    const select = byId("device", HTMLSelectElement);
    const options = devices.map(({ deviceId, label }, index) => {
      const option = make("option", "", label || `${t("live.device")} ${index + 1}`);
      option.value = deviceId;
      return option;
    });
    select.replaceChildren(...options);
    select.value = this.#listening?.deviceId ?? "";
    byId("devices").hidden = options.length < 2;
  }

  /** If the browser refuses the microphone (plain HTTP from another machine), say so at once, with the remedy. */
  #explainInsecure(): void {
    const offered = isMicrophoneOffered();
    byId("offered").hidden = !offered;
    byId("adapt-live-choice").hidden = !offered;
    byId("insecure").hidden = offered;
    if (offered) return;
    const { command, host, tunnel, tunnelled } = adviceFor(location);
    setText(byId("insecure-https"), t("insecure.https", { host }));
    setText(byId("insecure-command"), command);
    setText(byId("insecure-tunnel"), t("insecure.tunnel", { port: tunnelled }));
    setText(byId("tunnel"), tunnel);
  }
}

function showLevel(share: number): void {
  byId("level").style.transform = `scaleX(${share.toFixed(3)})`;
}
