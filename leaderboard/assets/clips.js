"use strict";
// The table of all clips of one submission: sorted by any column, a part of it at first.
(() => {
  const data = window.mmbench.clips;
  const table = document.getElementById("clips");
  const more = document.getElementById("more");
  const FIRST = 50;
  let limit = FIRST;
  const columns = [{ key: "clip", label: "clip", better: "", values: data.clips }, ...data.columns];
  if (data.status.some((status) => status !== "ok")) columns.splice(1, 0, { key: "status", label: "status", better: "", values: data.status });

  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const whole = (column) => column.values.every((value) => value === null || typeof value !== "number" || Number.isInteger(value));
  const text = (column, value) => (value === null ? "–" : typeof value !== "number" || column.whole ? String(value) : value.toFixed(3));
  for (const column of columns) column.whole = whole(column);

  const order = (column, direction) => {
    const sign = direction === "ascending" ? 1 : -1;
    return data.clips.map((_, i) => i).sort((i, j) => {
      const [a, b] = [column.values[i], column.values[j]];
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      return (a < b ? -sign : a > b ? sign : 0) || i - j;
    });
  };

  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const th = element("th", "", { scope: "col", "data-key": column.key });
    if (typeof column.values[0] === "number") th.className = "num";
    const button = element("button", column.label, { type: "button" });
    th.append(button);
    button.addEventListener("click", () => {
      const first = column.better === "higher" ? "descending" : "ascending";
      const other = { ascending: "descending", descending: "ascending" };
      const now = th.getAttribute("aria-sort");
      for (const each of head.cells) each.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", now ? other[now] : first);
      draw();
    });
    head.append(th);
  }
  const body = table.createTBody();

  const draw = () => {
    const sorted = [...head.cells].findIndex((th) => th.hasAttribute("aria-sort"));
    const rows = order(columns[sorted], head.cells[sorted].getAttribute("aria-sort")).slice(0, limit).map((i) => {
      const row = document.createElement("tr");
      columns.forEach((column, c) => {
        const cell = element(c ? "td" : "th", text(column, column.values[i]), c ? {} : { scope: "row" });
        if (typeof column.values[i] === "number") cell.className = "num";
        row.append(cell);
      });
      return row;
    });
    body.replaceChildren(...rows);
    more.hidden = limit >= data.clips.length;
    document.getElementById("count").textContent = `${Math.min(limit, data.clips.length)} of ${data.clips.length} clips`;
  };

  more.addEventListener("click", () => { limit = data.clips.length; draw(); });
  head.cells[0].setAttribute("aria-sort", "ascending");
  draw();
})();
