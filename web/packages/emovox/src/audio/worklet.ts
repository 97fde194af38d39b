// Runs on the audio thread: collects blocks of 128 samples to frames of about 100 ms, and posts them to the page.

interface WorkletScope {
  readonly sampleRate: number;
  readonly AudioWorkletProcessor: new () => { readonly port: MessagePort };
  registerProcessor(name: string, processor: unknown): void;
}

const scope = globalThis as unknown as WorkletScope;
const FRAME_SECONDS = 0.1;

class Capture extends scope.AudioWorkletProcessor {
  #frame = new Float32Array(Math.round(scope.sampleRate * FRAME_SECONDS));
  #filled = 0;

  process(inputs: readonly (readonly Float32Array[])[]): boolean {
    let block = inputs[0]?.[0];
    while (block?.length) {
      const taken = block.subarray(0, this.#frame.length - this.#filled);
      this.#frame.set(taken, this.#filled);
      this.#filled += taken.length;
      if (this.#filled === this.#frame.length) this.#post();
      block = block.subarray(taken.length);
    }
    return true;
  }

  #post(): void {
    const full = this.#frame;
    this.#frame = new Float32Array(full.length);
    this.#filled = 0;
    this.port.postMessage(full, [full.buffer]);
  }
}

scope.registerProcessor("capture", Capture);
