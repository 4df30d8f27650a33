"use strict";
// Sorts and filters the boards of a page; the address' hash holds the state, so a view can be sent to others.
(() => {
  const form = document.getElementById("filters");
  const selects = [...form.querySelectorAll("select")];
  const tables = [...document.querySelectorAll("table.scores")];
  const heads = (table) => [...table.querySelectorAll("thead th[data-key]")];
  const start = tables.map((table) => heads(table).find((th) => th.hasAttribute("aria-sort")));

  const read = () => new URLSearchParams(location.hash.slice(1));
  const write = (state) => {
    const text = state.toString();
    location.replace(`#${text}`);
    if (!text) show();
  };
  const turned = (direction) => (direction === "asc" ? "desc" : "asc");

  const compare = (column, direction) => (a, b) => {
    const [x, y] = [a, b].map((row) => row.cells[column].dataset.v);
    if (x === "" || y === "") return (x === "") - (y === "");
    const numbers = [Number(x), Number(y)];
    const order = numbers.some(Number.isNaN) ? x.localeCompare(y, "en") : numbers[0] - numbers[1];
    return direction === "asc" ? order : -order;
  };

  const sort = (table, head, direction) => {
    heads(table).forEach((th) => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction === "asc" ? "ascending" : "descending");
    const column = head.cellIndex;
    for (const body of table.querySelectorAll('tbody[data-role="submission"], tbody[data-role="unranked"]')) {
      const rows = [...body.querySelectorAll("tr.line")];
      rows.sort(compare(column, direction));
      body.append(...rows);
    }
  };

  const filter = (state) => {
    let shown = 0;
    let all = 0;
    for (const row of document.querySelectorAll('tbody[data-role="submission"] tr.line, tbody[data-role="unranked"] tr.line')) {
      row.hidden = selects.some((select) => state.get(select.name) && row.dataset[select.name] !== state.get(select.name));
      shown += !row.hidden;
      all += 1;
    }
    document.getElementById("shown").textContent = `${shown} of ${all} submissions`;
  };

  const show = () => {
    const state = read();
    tables.forEach((table, i) => {
      const head = heads(table).find((th) => th.dataset.key === state.get("sort")) || start[i] || heads(table)[0];
      const asked = state.get("dir");
      sort(table, head, asked === "asc" || asked === "desc" ? asked : head.dataset.first);
    });
    for (const select of selects) {
      const wanted = state.get(select.name) || "";
      select.value = [...select.options].some((option) => option.value === wanted) ? wanted : "";
      if (!select.value) state.delete(select.name);
    }
    filter(state);
  };

  for (const table of tables) {
    for (const head of heads(table)) {
      head.querySelector("button").addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const state = read();
        state.set("sort", head.dataset.key);
        state.set("dir", now ? turned(now === "ascending" ? "asc" : "desc") : head.dataset.first);
        write(state);
      });
    }
  }
  for (const select of selects) {
    select.addEventListener("change", () => {
      const state = read();
      if (select.value) state.set(select.name, select.value);
      else state.delete(select.name);
      write(state);
    });
  }
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    write(new URLSearchParams());
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", show);
  form.hidden = false;
  show();
})();
