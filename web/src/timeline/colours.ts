// Colours of labels, as in the pictures that emovox draws (src/emovox/evaluation/report/style.py).

/** The palette of Okabe and Ito (2008), whose colours differ with every common kind of colour blindness. */
const EMOTION_COLOURS: Readonly<Record<string, string>> = {
  neutral: "#9a9a9a",
  happy: "#e69f00",
  sad: "#0072b2",
  angry: "#d55e00",
  fear: "#cc79a7",
  disgust: "#009e73",
  surprise: "#56b4e9",
  calm: "#f0e442",
  boredom: "#7f5539",
};
const SPARE = ["sad", "happy", "disgust", "angry", "fear", "surprise", "boredom", "calm", "neutral"];
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

export const DARK_INK = "#111111";
export const LIGHT_INK = "#ffffff";

/** Return label → colour: the fixed colour of an emotion, otherwise a spare one. */
export function coloursOf(labels: readonly string[]): ReadonlyMap<string, string> {
  const spare = SPARE.filter((name) => !labels.includes(name)).flatMap((name) => EMOTION_COLOURS[name] ?? []);
  const others = labels.filter((label) => !Object.hasOwn(EMOTION_COLOURS, label));
  const fits = others.length <= spare.length;
  return new Map(
    labels.map((label) => {
      const index = others.indexOf(label);
      if (index < 0) return [label, EMOTION_COLOURS[label] ?? LIGHT_INK];
      return [label, (fits ? spare[index] : undefined) ?? generated(index)];
    }),
  );
}

/** Return black or white, whichever has the higher contrast on a colour (WCAG 2.1). */
export function inkOn(colour: string): string {
  return contrast(colour, DARK_INK) >= contrast(colour, LIGHT_INK) ? DARK_INK : LIGHT_INK;
}

/** Return the WCAG contrast ratio of two "#rrggbb" colours, 1 to 21. */
export function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

/** Return colour `index` of an endless series of hues in three lightnesses (Ottosson's Oklch, 2020, in sRGB). */
function generated(index: number): string {
  const lightness = [0.62, 0.78, 0.46][index % 3] ?? 0.62;
  const hue = 0.5 + index * GOLDEN_ANGLE;
  const [a, b] = [0.13 * Math.cos(hue), 0.13 * Math.sin(hue)];
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
  ];
  const channels = linear.map((v) => (v <= 0.0031308 ? 12.92 * Math.max(0, v) : 1.055 * v ** (1 / 2.4) - 0.055));
  return `#${channels
    .map((v) =>
      Math.round(255 * Math.min(1, v))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}
