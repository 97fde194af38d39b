import { make, setText } from "../dom/dom.ts";
import { face } from "../dom/faces.ts";
import type { Scores } from "../recogniser/protocol.ts";
import { percent } from "../text/format.ts";
import { labelName } from "../text/i18n.ts";
import { inkOn } from "../timeline/colours.ts";

interface Line {
  readonly name: HTMLElement;
  readonly fill: HTMLElement;
  readonly value: HTMLElement;
  readonly item: HTMLElement;
}

/** A list of labels with bar and percentage, in the model's order. It is updated in place, since it changes often. */
export class ScoreList {
  #lines = new Map<string, Line>();
  #key = "";

  constructor(private readonly list: HTMLElement) {}

  show(scores: Scores | null, colours: ReadonlyMap<string, string>): void {
    this.#build(colours);
    const highest = Math.max(0, ...Object.values(scores ?? {}));
    for (const [label, { name, fill, value, item }] of this.#lines) {
      const score = scores?.[label] ?? 0;
      setText(name, labelName(label));
      setText(value, scores ? percent(score) : "–");
      fill.style.width = `${100 * score}%`;
      item.classList.toggle("highest", highest > 0 && score === highest);
    }
  }

  #build(colours: ReadonlyMap<string, string>): void {
    const key = [...colours].join();
    if (key === this.#key) return;
    this.#key = key;
    this.#lines = new Map([...colours].map(([label, colour]) => [label, line(label, colour)]));
    this.list.replaceChildren(...[...this.#lines.values()].map(({ item }) => item));
  }
}

function line(label: string, colour: string): Line {
  const [name, fill, value] = [make("span", "name"), make("span", "fill"), make("span", "value")];
  fill.style.background = colour;
  const bar = make("span", "track", fill);
  bar.setAttribute("aria-hidden", "true");
  const item = make("li", "", name, bar, value);
  item.prepend(face({ label, colour }, inkOn(colour)));
  return { name, fill, value, item };
}
