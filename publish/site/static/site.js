"use strict";
// Tables sort by a click on the head of a column; and what wide tables and code need for the keyboard.

/** The number that a cell begins with, or its text: "77.9 [73.0, 82.6]" is 77.9, "11,680,777" is 11680777. */
function valueOf(cell) {
  const text = cell.textContent.trim();
  const found = text.replaceAll(",", "").match(/^[-+−]?\d+(\.\d+)?/);
  return found ? Number(found[0].replace("−", "-")) : text;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  return a.localeCompare(b);
}

function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[column]) }));
  rows.sort((a, b) => (descending ? -1 : 1) * compare(a.value, b.value));
  body.append(...rows.map(({ row }) => row));
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") !== "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortBy(table, column, descending);
    });
  });
}

for (const table of document.querySelectorAll("article table")) {
  if (table.tHead && table.tBodies[0]?.rows.length > 2) makeSortable(table);
}
// What scrolls can be reached and scrolled by the keyboard.
for (const wide of document.querySelectorAll("article .table-wrapper, article pre")) {
  if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
}
