// The picture of a lesson, and the symbols of its formula, which may be two mounts that light up together. A place is a path such as ratings/2/3; `*` in a path stands for any row or column.
export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".lesson");
  const texts = data.texts, kept = (parentElement.kept ??= { dragged: null });
  const LIGHT = "recscope-lesson-light";
  const formula = () => document.querySelectorAll(".st-key-learn_formula .katex-html [style*=color]");
  const edit = value => setTriggerValue?.("edit", value);

  function make(tag, parent, options = {}, attributes = {}) {
    const element = Object.assign(document.createElement(tag), options);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent?.append(element);
    return element;
  }
  function draw(tag, parent, attributes = {}, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    parent.append(element);
    return element;
  }
  const number = (value, digits) => value === null ? texts.undefined : value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1");
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

  // ---------------------------------------------------------------- places that light up

  function covers(pattern, place) {
    const wanted = pattern.split("/"), has = place.split("/");
    return wanted.length <= has.length && wanted.every((part, at) => part === "*" || part === has[at]);
  }
  const placed = () => root.querySelectorAll("[data-place]");
  const light = numbers => document.dispatchEvent(new CustomEvent(LIGHT, { detail: numbers }));
  function show(event) {
    const lit = new Set(event.detail);
    for (const element of placed()) element.classList.remove("lit");
    for (const chip of root.querySelectorAll(".symbol")) chip.classList.toggle("lit", lit.has(Number(chip.dataset.number)));
    for (const span of formula()) {
      const at = Number(/\d+/.exec(span.style.color)?.[0]);
      span.style.outline = lit.has(at) ? "2px solid currentColor" : "";
      span.style.borderRadius = "3px";
    }
    for (const at of lit) {
      for (const place of data.symbols[at - 1]?.places ?? []) {
        for (const element of placed()) {
          if (!covers(place, element.dataset.place)) continue;
          element.classList.add("lit");
          element.style.setProperty("--lit", `var(--symbol-${at})`);
        }
      }
    }
  }
  const symbolsAt = place => data.symbols.flatMap((symbol, at) => symbol.places.some(one => covers(one, place)) ? [at + 1] : []);
  function pointed(event) {
    const element = event.target.closest?.("[data-place]");
    light(element && element.dataset.place.includes("/") ? symbolsAt(element.dataset.place) : []);
  }
  root.onmouseover = pointed;
  root.onmouseleave = () => light([]);
  const overFormula = event => {
    const span = event.target.closest?.(".st-key-learn_formula .katex-html [style*=color]");
    if (span) light([Number(/\d+/.exec(span.style.color)?.[0])]);
    else if (event.target.closest?.(".st-key-learn_formula")) light([]);
  };
  // sliders and inputs would keep these keys to themselves, so that a presenter who has moved a slider could not go on
  const turn = event => {
    const button = { PageUp: ".st-key-learn_previous button", PageDown: ".st-key-learn_next button" }[event.key];
    if (!button || !event.composedPath()[0].matches?.("input")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.querySelector(button)?.click();
  };
  const leave = () => {
    window.removeEventListener("keydown", kept.turn, true);
    document.removeEventListener("mouseover", kept.overFormula);
    document.removeEventListener(LIGHT, kept.show);
  };
  leave();
  if (!data.listed) window.addEventListener("keydown", (kept.turn = turn), true);
  document.addEventListener("mouseover", (kept.overFormula = overFormula));
  document.addEventListener(LIGHT, (kept.show = show));

  function symbol(one, at, parent) {
    const chip = make("button", parent, { type: "button", className: "symbol" }, { "data-number": at + 1 });
    chip.style.setProperty("--lit", `var(--symbol-${at + 1})`);
    const name = make("b", chip), [base, ...subscript] = one.text.split("_");
    name.append(base);
    for (const part of subscript) {
      const [, index, rest] = /^(\w+)(.*)$/s.exec(part) ?? [null, part, ""];
      make("sub", name, { textContent: index });
      name.append(rest);
    }
    make("span", chip, { textContent: one.value ? `${one.meaning}: ${one.value}` : one.meaning });
    chip.onmouseenter = chip.onfocus = () => light([at + 1]);
    chip.onmouseleave = chip.onblur = () => light([]);
    return chip;
  }

  // ---------------------------------------------------------------- tables

  function tone(part, value) {
    if (!part.tone || value === null) return "";
    const [low, high] = part.tone;
    if (low < 0) return `color-mix(in srgb, ${value < 0 ? "#d55e00" : "#0072b2"} ${Math.round(42 * Math.min(1, Math.abs(value) / high))}%, transparent)`;
    return `color-mix(in srgb, #0072b2 ${Math.round(6 + 34 * Math.max(0, Math.min(1, (value - low) / (high - low || 1))))}%, transparent)`;
  }
  // only a word that leaves no room for the others is broken anywhere
  const ROOM = 44;
  const long = (name, most) => (name.split(/\s+/).some(word => word.length > most) ? "long" : "");
  function grid(part, box) {
    const wrapped = part.rows.some(name => name.length > 12);  // a name of a row takes two lines
    const table = make("table", make("div", box, { className: "wide" }), { className: wrapped ? "wrapped" : "" });
    const head = make("tr", make("thead", table));
    make("td", head);
    part.columns.forEach((name, column) => make("th", head, { textContent: name, scope: "col", className: long(name, Math.max(6, ROOM / part.columns.length)) }, { "data-place": `${part.name}/*/${column}` }));
    const body = make("tbody", table);
    part.rows.forEach((name, row) => {
      const line = make("tr", body, { className: part.marked.includes(`${part.name}/${row}`) ? "marked" : "" });
      make("th", line, { textContent: name, scope: "row", className: long(name, ROOM / 4) }, { "data-place": `${part.name}/${row}/*` });
      part.columns.forEach((column, at) => {
        const value = part.cells[row][at], place = `${part.name}/${row}/${at}`;
        const cell = make("td", line, { className: part.marked.includes(place) ? "marked" : "" }, { "data-place": place });
        cell.style.background = tone(part, value);
        if (part.control) input(part, cell, row, at, value, { row: name, column });
        else cell.textContent = value === null ? "" : number(value, part.digits);
      });
    });
    const fields = [...table.querySelectorAll("input")];
    reached(fields.find(field => field.dataset.cell === kept.cell) ?? fields[0], fields);
  }
  // Tab reaches one cell of a table, the last one that had the focus; arrows lead to the others
  const reached = (field, fields) => fields.forEach(one => (one.tabIndex = one === field ? 0 : -1));
  function input(part, cell, row, column, value, names) {
    const field = make("input", cell, { value: value ?? "", inputMode: "numeric", autocomplete: "off", maxLength: 1 }, {
      "aria-label": filled(texts.cell, names), "data-cell": `${part.control}/${row}/${column}`,
    });
    const set = text => edit({ control: part.control, row, column, cell: text === "" ? null : Number(text) });
    field.onfocus = () => {
      field.select();
      kept.cell = field.dataset.cell;
      reached(field, [...field.closest("table").querySelectorAll("input")]);
    };
    field.oninput = () => {
      const text = field.value.replace(/\D/g, "").slice(-1);
      if (field.value && !text) field.value = value ?? "";
      else set(text);
    };
    field.onkeydown = event => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      root.querySelector(`[data-cell="${part.control}/${row + step[0]}/${column + step[1]}"]`)?.focus();
    };
  }

  // ---------------------------------------------------------------- bars and lists

  function bars(part, box) {
    const span = part.high - part.low || 1, at = value => `${(100 * (Math.max(part.low, Math.min(part.high, value)) - part.low)) / span}%`;
    const list = make("ul", box, { className: "bars" });
    part.labels.forEach((label, row) => {
      const value = part.values[row], place = `${part.name}/${row}`;
      const line = make("li", list, { className: part.marked.includes(place) ? "marked" : "" }, { "data-place": place });
      make("span", line, { className: "label", textContent: label });
      const track = make("span", line, { className: "track" }, { "aria-hidden": "true" });
      const zero = Math.max(part.low, Math.min(part.high, 0));
      make("i", track, { className: "zero" }).style.left = at(zero);
      const fill = make("i", track, { className: "fill" + (value < 0 ? " negative" : "") });
      if (value !== null) {
        fill.style.left = at(Math.min(zero, value));
        fill.style.width = `calc(${at(Math.max(zero, value))} - ${at(Math.min(zero, value))})`;
      }
      const ends = part.intervals[row];
      if (ends && ends.every(end => end !== null)) {
        const whisker = make("i", track, { className: "whisker" });
        whisker.style.left = at(ends[0]);
        whisker.style.width = `calc(${at(ends[1])} - ${at(ends[0])})`;
      }
      make("span", line, { className: "number", textContent: number(value, part.digits) });
      if (part.notes.length) make("span", line, { className: "note", textContent: part.notes[row] });
    });
  }
  function list(part, box) {
    const order = make("ol", box, { className: "order" });
    const move = (at, to) => to >= 0 && to < part.labels.length && edit({ control: part.control, at, to });
    part.labels.forEach((label, at) => {
      const place = `${part.name}/${at}`, badge = part.badges[at] ?? "";
      const line = make("li", order, { className: (!badge ? "" : part.rejects ? "rejected " : "badged ") + (part.marked.includes(place) ? "marked" : "") }, { "data-place": place });
      make("span", line, { className: "rank", textContent: at + 1 });
      make("span", line, { className: "label", textContent: label });
      if (badge) make("span", line, { className: "badge", textContent: badge });
      if (part.notes.length) make("span", line, { className: "note", textContent: part.notes[at] });
      if (!part.control) return;
      for (const [icon, words, to] of [["↑", texts.up, at - 1], ["↓", texts.down, at + 1]]) {
        const button = make("button", line, { type: "button", className: "move", textContent: icon, onclick: () => move(at, to) }, {
          "aria-label": filled(words, { item: label }), "data-cell": `${part.control}/${icon}/${label}`,
        });
        button.disabled = to < 0 || to >= part.labels.length;
        button.onkeydown = event => {
          const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
          if (!by) return;
          event.preventDefault();
          move(at, at + by);
        };
      }
      line.draggable = true;
      line.ondragstart = event => {
        kept.dragged = at;
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", String(at));
      };
      line.ondragenter = line.ondragover = event => {
        if (kept.dragged === null) return;
        event.preventDefault();
        line.classList.add("target");
      };
      line.ondragleave = () => line.classList.remove("target");
      line.ondragend = () => (kept.dragged = null);
      line.ondrop = event => {
        event.preventDefault();
        if (kept.dragged !== null && kept.dragged !== at) move(kept.dragged, at);
        kept.dragged = null;
      };
    });
  }

  // ---------------------------------------------------------------- curves and vectors

  const W = 480, H = 210, LEFT = 52, BOTTOM = 38, TOP = 10, RIGHT = 12;
  function axes(part, box, x, y, xs, ys, text) {
    const svg = draw("svg", make("div", box, { className: "wide" }), { viewBox: `0 0 ${W} ${H}`, role: "img" });
    svg.setAttribute("aria-label", part.title);
    for (const value of ys) {
      draw("line", svg, { class: "grid", x1: LEFT, x2: W - RIGHT, y1: y(value), y2: y(value) });
      draw("text", svg, { class: "tick", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, text(value));
    }
    for (const value of xs) draw("text", svg, { class: "tick", x: x(value), y: H - BOTTOM + 16, "text-anchor": "middle" }, String(value));
    draw("text", svg, { class: "title", x: (LEFT + W - RIGHT) / 2, y: H - 4, "text-anchor": "middle" }, part.x);
    draw("text", svg, { class: "title", x: 12, y: (H - BOTTOM) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(H - BOTTOM) / 2})` }, part.y);
    return svg;
  }
  function ticks(low, high) {
    const raw = (high - low || 1) / 4, unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map(factor => factor * unit).find(one => one >= raw);
    const values = [];
    for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step) values.push(Number(value.toPrecision(6)));
    return values;
  }
  function plot(part, box) {
    const xs = part.series.flatMap(one => one.x), given = part.series.flatMap(one => one.y).filter(one => one !== null && (!part.log_y || one > 0));
    if (!given.length) return void make("p", box, { className: "note", textContent: texts.undefined });
    const scale = part.log_y ? Math.log10 : one => one;
    const low = part.log_y ? Math.floor(scale(Math.min(...given))) : Math.min(0, ...given);
    const high = part.log_y ? Math.ceil(scale(Math.max(...given)) + 1e-9) : Math.max(...given) * 1.05 || 1;
    const first = Math.min(...xs), last = Math.max(...xs);
    const x = value => LEFT + 8 + ((W - LEFT - RIGHT - 16) * (value - first)) / (last - first || 1);
    const y = value => TOP + ((H - TOP - BOTTOM) * (high - scale(value))) / (high - low || 1);
    const decades = Array.from({ length: high - low + 1 }, (_, at) => low + at).filter((_, at) => at % Math.ceil((high - low + 1) / 5) === 0);
    const marks = part.log_y ? decades.map(power => 10 ** power) : ticks(low, high);
    const svg = axes(part, box, x, y, ticks(first, last).filter(Number.isInteger), marks, value => part.log_y && (value >= 1e4 || value < 1e-2) ? value.toExponential(0) : String(value));
    part.series.forEach((series, at) => {
      const group = draw("g", svg, { class: `series s${at}`, "data-place": `${part.name}/${at}` });
      let path = "";
      series.x.forEach((value, place) => {
        const height = series.y[place], ok = height !== null && (!part.log_y || height > 0);
        if (!ok) return;
        path += `${path && series.y[place - 1] !== null ? "L" : "M"}${x(value)},${y(height)}`;
        if (series.dots || series.x.length <= 25) draw("circle", group, { cx: x(value), cy: y(height), r: 3 });
      });
      if (!series.dots) draw("path", group, { d: path });
    });
    if (part.series.length > 1) part.series.forEach((series, at) => make("span", box, { className: `key s${at}`, textContent: series.label }));
  }
  function plane(part, box) {
    const size = 300, edge = 34;
    const bounds = values => {
      const known = [0, ...values.filter(one => one !== null)], low = Math.min(...known), high = Math.max(...known);
      return [low, high];
    };
    const [lowX, highX] = bounds(part.arrows.flatMap(one => [one.x, one.x0])), [lowY, highY] = bounds(part.arrows.flatMap(one => [one.y, one.y0]));
    const scale = (size - 2 * edge) / Math.max(highX - lowX, highY - lowY, 0.1), height = (highY - lowY) * scale + 2 * edge;
    const at = value => edge + (value - lowX) * scale, up = value => edge + (highY - value) * scale;
    const svg = draw("svg", box, { viewBox: `0 0 ${size} ${Math.max(height, 150)}`, class: "plane", role: "img" });
    svg.setAttribute("aria-label", `${part.title}: ` + part.arrows.map(one => `${one.label} (${number(one.x, 2)}, ${number(one.y, 2)})`).join("; "));
    draw("line", svg, { class: "axis", x1: 0, x2: size, y1: up(0), y2: up(0) });
    draw("line", svg, { class: "axis", y1: 0, y2: height, x1: at(0), x2: at(0) });
    draw("text", svg, { class: "title", x: size, y: up(0) + 15, "text-anchor": "end" }, part.x);
    draw("text", svg, { class: "title", x: at(0) + 6, y: 12 }, part.y);
    for (const value of ticks(lowX, highX)) if (value) draw("text", svg, { class: "tick", x: at(value), y: up(0) - 4, "text-anchor": "middle" }, String(value));
    for (const value of ticks(lowY, highY)) if (value) draw("text", svg, { class: "tick", x: at(0) - 4, y: up(value) + 4, "text-anchor": "end" }, String(value));
    part.arrows.forEach((one, place) => {
      if ([one.x, one.y, one.x0, one.y0].includes(null)) return;
      const group = draw("g", svg, { class: `arrow s${place}` + (one.dashed ? " dashed" : ""), "data-place": `${part.name}/${place}` });
      const [x0, y0, x1, y1] = [at(one.x0), up(one.y0), at(one.x), up(one.y)], angle = Math.atan2(y1 - y0, x1 - x0), head = 9;
      draw("line", group, { x1: x0, y1: y0, x2: x1, y2: y1 });
      if (Math.hypot(x1 - x0, y1 - y0) > 2)
        draw("polygon", group, { points: [[x1, y1], ...[2.7, -2.7].map(turn => [x1 + head * Math.cos(angle + turn), y1 + head * Math.sin(angle + turn)])].map(point => point.join(",")).join(" ") });
      if (one.label) draw("text", group, { x: x1 + 16 * Math.cos(angle), y: y1 + 14 * Math.sin(angle) + 4, "text-anchor": "middle" }, one.label);
    });
  }

  // ---------------------------------------------------------------- all parts

  if (kept.dragged !== null) return;
  const focused = parentElement.querySelector(":focus")?.dataset.cell;
  root.classList.toggle("large", data.large);
  const parts = root.querySelector(".parts"), symbols = root.querySelector(".symbols");
  parts.replaceChildren(...data.parts.map(part => {
    const box = make("section", null, { className: `part ${part.kind}` }, { "data-place": part.name });
    if (part.kind === "grid") box.style.flexBasis = `${5 + 2.5 * part.columns.length}em`;
    make("p", box, { className: "caption", textContent: part.title });
    ({ grid, bars, list, plot, plane })[part.kind](part, box);
    return box;
  }));
  symbols.setAttribute("aria-label", texts.symbols);
  symbols.replaceChildren(...(data.listed ? data.symbols.map((one, at) => symbol(one, at)) : []));
  symbols.hidden = !symbols.childElementCount;
  if (focused) root.querySelector(`[data-cell="${CSS.escape(focused)}"]`)?.focus();
  return leave;
}
