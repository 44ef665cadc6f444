"use strict";
// Sorts a table by the heading that is clicked, numbers by value; filters long tables by what is typed.
const key = (row, place) => row.cells[place].dataset.v ?? row.cells[place].textContent;
const compare = (left, right) => {
  const numbers = [Number(left), Number(right)];
  if (left !== "" && right !== "" && numbers.every(Number.isFinite)) return numbers[0] - numbers[1];
  return left.localeCompare(right, undefined, { numeric: true });
};
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const body = heading.closest("table").tBodies[0];
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows];
    const absent = (row) => key(row, heading.cellIndex) === "–";
    rows.sort((left, right) => {
      // What is absent stands last, whichever way the rest is sorted.
      if (absent(left) || absent(right)) return absent(left) - absent(right);
      const order = compare(key(left, heading.cellIndex), key(right, heading.cellIndex));
      return down ? -order : order;
    });
    body.append(...rows);
  });
}
for (const input of document.querySelectorAll("input[type=search]")) {
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    const table = input.closest("p").nextElementSibling.querySelector("table");
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
