// Products and solutions of small matrices, stored row by row.

/** Return matrix [rows, columns] times vector [columns]. */
export function multiplied(matrix: Float64Array, vector: Float64Array): Float64Array {
  const columns = vector.length;
  return Float64Array.from({ length: matrix.length / columns }, (_, row) => {
    let sum = 0;
    for (let column = 0; column < columns; column += 1)
      sum += (matrix[row * columns + column] ?? 0) * (vector[column] ?? 0);
    return sum;
  });
}

/** Return the solution X of A X = B for square matrices, by Gauss with partial pivoting. */
export function solved(a: Float64Array, b: Float64Array): Float64Array {
  const n = Math.sqrt(a.length);
  const [left, right] = [rowsOf(a, n), rowsOf(b, n)];
  for (let pivot = 0; pivot < n; pivot += 1) {
    const best = largestRow(left, pivot);
    for (const rows of [left, right]) [rows[pivot], rows[best]] = [rowAt(rows, best), rowAt(rows, pivot)];
    for (let row = 0; row < n; row += 1) {
      if (row === pivot) continue;
      const factor = (rowAt(left, row)[pivot] ?? 0) / (rowAt(left, pivot)[pivot] ?? 1);
      for (const rows of [left, right]) subtract(rowAt(rows, row), rowAt(rows, pivot), factor);
    }
  }
  const scaled = right.flatMap((row, index) => [...row.map((value) => value / (rowAt(left, index)[index] ?? 1))]);
  return Float64Array.from(scaled);
}

/** Return the diagonal of a square matrix. */
export function diagonal(matrix: Float64Array): number[] {
  const n = Math.sqrt(matrix.length);
  return Array.from({ length: n }, (_, index) => matrix[index * n + index] ?? 0);
}

function rowsOf(matrix: Float64Array, n: number): Float64Array[] {
  return Array.from({ length: n }, (_, row) => matrix.slice(row * n, (row + 1) * n));
}

function rowAt(rows: readonly Float64Array[], index: number): Float64Array {
  const row = rows[index];
  if (!row) throw new RangeError(`got row ${index} of ${rows.length}`);
  return row;
}

function largestRow(rows: readonly Float64Array[], pivot: number): number {
  const sizes = rows.map((row, index) => (index < pivot ? -1 : Math.abs(row[pivot] ?? 0)));
  return sizes.indexOf(Math.max(...sizes));
}

function subtract(row: Float64Array, other: Float64Array, factor: number): void {
  for (const [index, value] of other.entries()) row[index] = (row[index] ?? 0) - factor * value;
}
