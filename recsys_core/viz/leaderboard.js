// The leaderboard as plain rows: a checkbox selects a model, a number opens its definition, a column head sorts.
export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const table = parentElement.querySelector("table");
  const kept = (parentElement.kept ??= { by: null, down: true });
  const known = new Set(data.rows.map(row => row.id));
  const selected = new Set((kept.selected ?? []).filter(id => known.has(id)));
  kept.selected = [...selected];

  function make(name, text, parent, properties = {}) {
    const element = document.createElement(name);
    if (text !== null) element.textContent = text;
    Object.assign(element, properties);
    parent?.append(element);
    return element;
  }
  function bar([start, end, mean], parent) {  // shares of the width
    const track = make("div", null, parent, { className: "track" });
    track.setAttribute("aria-hidden", "true");
    if (start !== null) {
      const interval = make("i", null, track);
      interval.style.left = 100 * start + "%";
      interval.style.width = 100 * (end - start) + "%";
    }
    if (mean !== null) make("b", null, track).style.left = 100 * mean + "%";
  }
  function draw() {
    table.replaceChildren();
    table.setAttribute("aria-label", data.caption);
    const head = make("tr", null, make("thead", null, table));
    make("th", "", head, { scope: "col" }).setAttribute("aria-label", data.texts.select);
    data.columns.forEach((column, at) => {
      const cell = make("th", null, head, { scope: "col", title: column.help ?? "" });
      if (!column.sorts) { cell.textContent = column.title; return; }
      const order = kept.by === at ? (kept.down ? "descending" : "ascending") : "none";
      cell.setAttribute("aria-sort", order);
      const mark = order === "none" ? "" : kept.down ? " \u2193" : " \u2191";
      make("button", column.title + mark, cell, { type: "button", onclick: () => {
        kept.down = kept.by === at ? !kept.down : true;
        kept.by = at;
        draw();
      } });
    });
    const body = make("tbody", null, table);
    const rows = [...data.rows];
    if (kept.by !== null && kept.by < data.columns.length) {
      const value = row => row.values[kept.by] ?? -Infinity;
      rows.sort((one, other) => (kept.down ? -1 : 1) * (value(one) < value(other) ? -1 : value(one) > value(other) ? 1 : 0));
    }
    for (const row of rows) {
      const line = make("tr", null, body, { className: selected.has(row.id) ? "selected" : "" });
      const box = make("input", null, make("td", null, line), { type: "checkbox", checked: selected.has(row.id) });
      box.setAttribute("aria-label", data.texts.selects.replace("{model}", row.cells[0]));
      box.onchange = () => {
        box.checked ? selected.add(row.id) : selected.delete(row.id);
        line.className = box.checked ? "selected" : "";
        kept.selected = [...selected];
        setStateValue("rows", kept.selected);
      };
      data.columns.forEach((column, at) => {
        if (at === 0) { make("th", row.cells[0], line, { scope: "row" }); return; }
        const cell = make("td", null, line, { className: column.text ? "text" : "" });
        if (column.bar) bar(row.bar, cell);
        else if (column.opens && row.cells[at]) {
          const open = make("button", row.cells[at], cell, { type: "button" });
          open.onclick = () => setTriggerValue("cell", { model: row.id, metric: column.opens });
          open.setAttribute("aria-label", `${row.cells[0]}, ${column.title}: ${row.cells[at]}`);
        } else cell.textContent = row.cells[at];
      });
    }
  }
  draw();
}
