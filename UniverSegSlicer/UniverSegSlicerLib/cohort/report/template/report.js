"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const list = $("cases");
  const cases = [...list.children];
  const place = "universeg-cohort-" + document.body.dataset.key;
  const byNumber = new Map(cases.map((one) => [one.id.slice(1), one]));
  let marks = {};
  let falling = true;
  let here = null;

  // Where a browser keeps nothing for local files, marks last as long as the page is open.
  try { marks = JSON.parse(localStorage.getItem(place)) || {}; } catch { marks = {}; }
  const keep = () => { try { localStorage.setItem(place, JSON.stringify(marks)); } catch { /* see above */ } };

  const markOf = (one) => marks[one.dataset.name] || {};

  function show(one) {
    const { mark = "", note = "" } = markOf(one);
    one.dataset.mark = mark;
    for (const button of one.querySelectorAll(".mark button")) {
      const on = button.dataset.mark === mark;
      button.classList.toggle("on", on);
      button.setAttribute("aria-pressed", on);
    }
    const input = one.querySelector(".note");
    if (document.activeElement !== input) input.value = note;
  }

  function set(one, change) {
    const next = { ...markOf(one), ...change };
    if (next.mark || next.note) marks[one.dataset.name] = next; else delete marks[one.dataset.name];
    keep();
    show(one);
  }

  const number = (one, name) => (one.dataset[name] === undefined || one.dataset[name] === "" ? NaN : Number(one.dataset[name]));

  function sort() {
    const name = $("sort").value;
    const names = (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true });
    const sign = falling ? -1 : 1;
    cases.sort((a, b) => {
      if (name === "name") return -sign * names(a, b);
      const [x, y] = [number(a, name), number(b, name)];
      // What is not known comes last, whichever way round.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || names(a, b);
      return sign * (x - y) || names(a, b);
    });
    list.append(...cases);
  }

  function filter() {
    const words = $("find").value.trim().toLowerCase();
    const kind = $("show").value;
    const name = $("measure").value;
    const [least, most] = [$("least").value, $("most").value];
    let shown = 0;
    for (const one of cases) {
      const value = number(one, name);
      const mark = one.dataset.mark;
      const fits =
        (!words || one.querySelector(".said").textContent.toLowerCase().includes(words) || one.dataset.name.toLowerCase().includes(words)) &&
        (!kind || (kind === "unmarked" ? !mark : kind === "failed" || kind === "warned" ? one.dataset[kind] : mark === kind)) &&
        (least === "" || value >= Number(least)) && (most === "" || value <= Number(most));
      one.hidden = !fits;
      shown += fits;
      for (const dot of dots.get(one.id.slice(1)) || []) dot.classList.toggle("hidden", !fits);
    }
    $("count").textContent = shown === cases.length ? `${shown} cases` : `${shown} of ${cases.length}`;
    $("none").hidden = shown > 0;
  }

  const dots = new Map();
  for (const dot of document.querySelectorAll("circle")) {
    const held = dots.get(dot.dataset.case) || [];
    dots.set(dot.dataset.case, [...held, dot]);
    dot.addEventListener("click", () => { const one = byNumber.get(dot.dataset.case); one.hidden = false; go(one); });
  }

  function go(one, scroll = true) {
    if (!one) return;
    if (here) { here.classList.remove("here"); for (const dot of dots.get(here.id.slice(1)) || []) dot.classList.remove("here"); }
    here = one;
    one.classList.add("here");
    for (const dot of dots.get(one.id.slice(1)) || []) dot.classList.add("here");
    if (scroll) { one.scrollIntoView({ block: "start" }); one.focus({ preventScroll: true }); }
  }

  function step(by) {
    const seen = cases.filter((one) => !one.hidden);
    if (!seen.length) return;
    const at = seen.indexOf(here);
    go(seen[at < 0 ? 0 : Math.min(seen.length - 1, Math.max(0, at + by))]);
  }

  function exported() {
    const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = cases.map((one) => [one.dataset.name, markOf(one).mark || "", markOf(one).note || ""]);
    rows.sort((a, b) => a[0].localeCompare(b[0], undefined, { numeric: true }));
    return ["case,mark,note", ...rows.map((row) => row.map(quoted).join(","))].join("\n") + "\n";
  }

  $("export").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([exported()], { type: "text/csv" }));
    link.download = "marks.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  $("sort").addEventListener("change", () => { falling = !["agreement", "confidence"].includes($("sort").value); turned(); sort(); });
  const turned = () => { $("direction").textContent = falling ? "↓" : "↑"; };
  $("direction").addEventListener("click", () => { falling = !falling; turned(); sort(); });
  for (const id of ["find", "least", "most"]) $(id).addEventListener("input", filter);
  for (const id of ["show", "measure"]) $(id).addEventListener("change", filter);
  function outlines() {
    const plain = document.body.classList.toggle("plain");
    $("outlines").setAttribute("aria-pressed", !plain);
  }
  $("outlines").addEventListener("click", outlines);

  list.addEventListener("click", (event) => {
    const one = event.target.closest(".case");
    if (!one) return;
    go(one, false);
    const mark = event.target.dataset.mark;
    if (event.target.tagName === "BUTTON" && mark) set(one, { mark: markOf(one).mark === mark ? "" : mark });
  });
  list.addEventListener("input", (event) => {
    if (event.target.classList.contains("note")) set(event.target.closest(".case"), { note: event.target.value });
  });

  const marked = { g: "good", r: "redo", x: "exclude", u: "" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && typing) { event.target.blur(); return; }
    if (typing) return;
    if (event.key === "j" || event.key === "ArrowDown") step(1);
    else if (event.key === "k" || event.key === "ArrowUp") step(-1);
    else if (event.key in marked && here) set(here, { mark: marked[event.key] });
    else if (event.key === "n" && here) here.querySelector(".note").focus();
    else if (event.key === "/") $("find").focus();
    else if (event.key === "o") outlines();
    else return;
    event.preventDefault();
  });

  cases.forEach(show);
  filter();
})();
