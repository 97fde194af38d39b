/** Plays the chosen file, whole or a stretch of it. */
export class Player {
  readonly #audio = new Audio();
  #url: string | null = null;
  #until = Number.POSITIVE_INFINITY;

  /**
   * @param onTime where the sound is, in seconds; null when it stands still.
   */
  constructor(private readonly onTime: (seconds: number | null) => void) {
    this.#audio.preload = "auto";
    for (const event of ["pause", "ended"]) this.#audio.addEventListener(event, () => this.onTime(null));
    this.#audio.addEventListener("play", () => this.#follow());
  }

  get playing(): boolean {
    return !this.#audio.paused;
  }

  /** Take a file; null plays nothing. */
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
    void this.#audio.play().catch(() => undefined); // interrupted by the next one, or not playable: nothing is lost
  }

  /** Go on from where it stands, from the beginning after the end; or stop. */
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
