// Sorting is stable, so that sorting by one column and then by another does what people expect.
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    return text === "" || text === "\u2014" ? null : isNaN(text) ? text.toLowerCase() : Number(text);
  };
  const compare = (one, other) =>
    typeof one === typeof other ? (one < other ? -1 : one > other ? 1 : 0) : typeof one === "number" ? -1 : 1;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      rows.sort(([one], [other]) =>
        one === null || other === null ? (one === null) - (other === null) : (down ? -1 : 1) * compare(one, other));
      body.append(...rows.map(([, row]) => row));
    });
  });
  const tools = document.getElementById(table.dataset.tools);
  const input = tools.querySelector("input"), told = tools.querySelector("output");
  tools.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    told.textContent = wanted.length ? `${shown} of ${body.rows.length}` : "";
  });
}
