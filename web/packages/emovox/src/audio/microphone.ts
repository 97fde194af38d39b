const HIGHEST_RATE = 48_000; // Hz, the highest rate that recognisers take

/**
 * `insecure`: plain HTTP. `denied`: not allowed. `missing`: no device. `busy`: the device gives no sound. `gone`: the
 * device was removed. `unserved`: the page's worklet cannot be fetched, for example because the service has ended.
 */
export type MicrophoneProblem = "insecure" | "denied" | "missing" | "busy" | "gone" | "unserved";

export class MicrophoneError extends Error {
  constructor(
    readonly problem: MicrophoneProblem,
    cause?: unknown,
  ) {
    super(problem, { cause });
    this.name = "MicrophoneError";
  }
}

/** Return whether the browser offers the microphone. It does not over plain HTTP from another machine. */
export function isMicrophoneOffered(): boolean {
  return window.isSecureContext && navigator.mediaDevices !== undefined;
}

export interface MicrophoneHandlers {
  /** Receives about 100 ms of mono samples in [-1, 1]. */
  readonly onFrame: (samples: Float32Array) => void;
  /** The browser paused or resumed the sound. */
  readonly onPause: (paused: boolean) => void;
  /** The device is gone. */
  readonly onEnd: () => void;
}

/** An open microphone without echo cancellation, noise suppression and gain control, which distort a voice. */
export class Microphone {
  #source: MediaStreamAudioSourceNode | null = null;
  #closed = false;

  private constructor(
    readonly context: AudioContext,
    readonly capture: AudioWorkletNode,
    private stream: MediaStream,
    private readonly handlers: MicrophoneHandlers,
  ) {}

  /** @param worklet address of the script of `worklet.ts`. */
  static async open(worklet: URL, handlers: MicrophoneHandlers): Promise<Microphone> {
    if (!isMicrophoneOffered()) throw new MicrophoneError("insecure");
    const stream = await request(undefined);
    const context = newContext();
    try {
      await addCapture(context, worklet);
      const capture = new AudioWorkletNode(context, "capture", { channelCount: 1, channelCountMode: "explicit" });
      capture.connect(context.destination); // it writes silence; some browsers run only nodes that are connected
      const microphone = new Microphone(context, capture, stream, handlers);
      microphone.#connect();
      await context.resume();
      return microphone;
    } catch (error) {
      stop(stream);
      await context.close();
      throw error;
    }
  }

  get sampleRate(): number {
    return this.context.sampleRate;
  }

  /** The identifier of the device; "" if the browser does not say. */
  get deviceId(): string {
    return this.stream.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }

  static async devices(): Promise<readonly MediaDeviceInfo[]> {
    return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "audioinput");
  }

  /** Change the device. The stream of frames continues. */
  async use(deviceId: string): Promise<void> {
    const next = await request(deviceId);
    if (this.#closed) return stop(next);
    this.#source?.disconnect();
    stop(this.stream);
    this.stream = next;
    this.#connect();
  }

  async resume(): Promise<void> {
    await this.context.resume();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.capture.port.onmessage = null;
    this.#source?.disconnect();
    stop(this.stream);
    void this.context.close();
  }

  #connect(): void {
    this.#source = this.context.createMediaStreamSource(this.stream);
    this.#source.connect(this.capture);
    this.capture.port.onmessage = (message: MessageEvent<Float32Array>) => this.handlers.onFrame(message.data);
    this.context.onstatechange = () => {
      if (!this.#closed) this.handlers.onPause(this.context.state !== "running");
    };
    const [track] = this.stream.getAudioTracks();
    if (track) track.onended = () => !this.#closed && this.handlers.onEnd();
  }
}

/** Load the worklet. Browsers report a failure as an abort, which would look as if the user had cancelled. */
async function addCapture(context: AudioContext, worklet: URL): Promise<void> {
  try {
    await context.audioWorklet.addModule(worklet);
  } catch (error) {
    throw new MicrophoneError("unserved", error);
  }
}

function newContext(): AudioContext {
  const context = new AudioContext({ latencyHint: "interactive" });
  if (context.sampleRate <= HIGHEST_RATE) return context;
  void context.close();
  return new AudioContext({ latencyHint: "interactive", sampleRate: HIGHEST_RATE });
}

async function request(deviceId: string | undefined): Promise<MediaStream> {
  const audio: MediaTrackConstraints = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  if (deviceId) audio.deviceId = { exact: deviceId };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new MicrophoneError(problemOf(error), error);
  }
}

function problemOf(error: unknown): MicrophoneProblem {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  return name === "NotFoundError" || name === "OverconstrainedError" ? "missing" : "busy";
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
