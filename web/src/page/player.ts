/** Plays the chosen file or a part of it. */
export class Player {
  readonly #audio = new Audio();
  #url: string | null = null;
  #until = Number.POSITIVE_INFINITY;

  /**
   * @param onTime receives the position in seconds while the file plays, and null when it stops.
   */
  constructor(private readonly onTime: (seconds: number | null) => void) {
    this.#audio.preload = "auto";
    for (const event of ["pause", "ended"]) this.#audio.addEventListener(event, () => this.onTime(null));
    this.#audio.addEventListener("play", () => this.#follow());
  }

  get playing(): boolean {
    return !this.#audio.paused;
  }

  /** Load a file; null unloads it. */
  load(file: Blob | null): void {
    this.#audio.pause();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = file && URL.createObjectURL(file);
    if (this.#url) this.#audio.src = this.#url;
    else this.#audio.removeAttribute("src");
  }

  play(start: number, end = Number.POSITIVE_INFINITY): void {
    if (!this.#url) return;
    this.#until = end;
    this.#audio.currentTime = start;
    void this.#audio.play().catch(() => undefined); // interrupted by the next call, or not playable: no harm
  }

  /** Pause, or play on from the current position; after the end, play from the beginning. */
  toggle(): void {
    if (this.playing) this.#audio.pause();
    else this.play(this.#audio.ended ? 0 : this.#audio.currentTime);
  }

  stop(): void {
    this.#audio.pause();
  }

  #follow(): void {
    const { currentTime } = this.#audio;
    if (this.#audio.paused) return;
    if (currentTime >= this.#until) {
      this.#audio.pause();
      return;
    }
    this.onTime(currentTime);
    requestAnimationFrame(() => this.#follow());
  }
}
