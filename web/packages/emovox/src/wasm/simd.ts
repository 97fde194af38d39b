// The smallest module with a vector instruction: (func (result v128) i32.const 0 i8x16.splat)
const PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

/** Return whether this browser runs WebAssembly with vectors of 128 bits: Chrome 91, Firefox 89, Safari 16.4 or newer. */
export function hasSimd(): boolean {
  return typeof WebAssembly === "object" && WebAssembly.validate(Uint8Array.from(PROBE));
}
