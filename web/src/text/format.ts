import { language } from "./i18n.ts";

export function percent(value: number): string {
  return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 0 }).format(value);
}

export function number(value: number, digits: number): string {
  return new Intl.NumberFormat(language(), { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(
    value,
  );
}

export function count(value: number): string {
  return new Intl.NumberFormat(language()).format(value);
}

/** A moment: `4.1 s` below two minutes, then `m:ss`, then `h:mm:ss`. */
export function clock(seconds: number, digits = 1): string {
  if (seconds < 120) return `${number(seconds, digits)} s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60)];
  return hours ? `${hours}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function span(start: number, end: number): string {
  if (end < 120) return `${number(start, 1)}–${number(end, 1)} s`;
  return `${clock(start)}–${clock(end)}`;
}
