// Cut speech regions into tiles: windows that do not overlap; a remainder under half a window joins the last one.

/** Return the number of tiles of a region, at least 1; both lengths in samples. */
export function countWindows(length: number, window: number): number {
  return Math.max(1, Math.floor((2 * length + window) / (2 * window)));
}

/** Return the bounds of the tiles of a region in samples, in order and without gaps; only the last has another length. */
export function splitRegion(start: number, end: number, window: number): [start: number, end: number][] {
  const last = countWindows(end - start, window) - 1;
  return Array.from({ length: last + 1 }, (_, index) => [
    start + index * window,
    index === last ? end : start + (index + 1) * window,
  ]);
}

/**
 * Return the bounds of a tile, extended on both sides to a length that is a multiple of `step`. At an end of the
 * recording the bounds move inwards instead.
 *
 * @param total length of the recording in samples; null while it is unknown.
 */
export function extend(start: number, end: number, step: number, total: number | null): [start: number, end: number] {
  const length = Math.ceil((end - start) / step) * step;
  const first = Math.max(0, start - Math.floor((length - (end - start)) / 2));
  return total !== null && first + length > total ? [Math.max(0, total - length), total] : [first, first + length];
}
