import { language } from "./i18n.ts";

export function percent(value: number): string {
  return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 0 }).format(value);
}

export function number(value: number, digits: number): string {
  return new Intl.NumberFormat(language(), { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(
    value,
  );
}

/** Join names by the language's "or". */
export function thisOrThat(names: readonly string[]): string {
  return new Intl.ListFormat(language(), { type: "disjunction" }).format(names);
}

export function count(value: number): string {
  return new Intl.NumberFormat(language()).format(value);
}

const MINUTES = 120; // seconds from which on a time is m:ss
const HOURS = 3600; // and h:mm:ss

/** A single moment: `4.1 s` below two minutes, then `m:ss`, then `h:mm:ss`. */
export function clock(seconds: number, digits = 1): string {
  return moment(seconds, { longest: seconds, digits: seconds < MINUTES ? digits : 0 });
}

/** A moment among others, such as a tick of an axis: all of them have the form of the `longest`, in seconds. */
export function moment(seconds: number, { longest, digits }: { longest: number; digits: number }): string {
  if (longest < MINUTES) return `${number(seconds, digits)} s`;
  const unit = 10 ** digits;
  const rounded = Math.round(seconds * unit) / unit;
  const two = (value: number, decimals = 0) => value.toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
  const minutes = Math.floor(rounded / 60);
  const rest = two(rounded - 60 * minutes, digits);
  return longest < HOURS ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
}

export function span(start: number, end: number): string {
  if (end < MINUTES) return `${number(start, 1)}–${number(end, 1)} s`;
  const form = { longest: end, digits: 0 };
  return `${moment(start, form)}–${moment(end, form)}`;
}
