// Line view of attention: steps on the left, items on the right, one line per weight. Hover or focus isolates, click pins.
// Earlier items of a long history are folded into groups: the first rows on the right; a click opens or closes one.
// One thumbnail per layer and head toggles it; the large chart shows the mean of the active heads.
export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".attention");
  const kept = (parentElement.kept ??= {});
  kept.tell = heads => setStateValue?.("heads", heads);
  if (kept.id === data.id) return;  // redraw only for another trace, so that pins and focus are kept
  const whole = data.weights.map((_, head) => head);
  // take the active heads from the page, so that a redraw matches its other elements
  Object.assign(kept, { id: data.id, on: new Set(data.on ?? whole), pinned: null, near: null, opened: new Set() });

  const SVG = "http://www.w3.org/2000/svg", ROW = 27, TOP = 30, FAINT = 0.02;
  const [headsBox, picture, said, tools] = ["heads", "picture", "said", "tools"].map(c => root.querySelector("." + c));
  // approximate text width in pixels: East Asian characters and emoji are twice as wide
  const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u;
  const letterWidth = letter => WIDE.test(letter) ? 14 : 7;
  const textWidth = text => [...text].reduce((sum, letter) => sum + letterWidth(letter), 0);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  function share(weight) {  // like `percent` of the library: a part never reads as nothing or as all
    const part = weight > 0 && weight < 1;
    const text = (weight * 100).toFixed(part && (weight < 0.1 || weight > 0.9) ? 1 : 0) + "%";
    return part && text === "0.0%" ? "< 0.1%" : part && text === "100.0%" ? "> 99.9%" : text;
  }
  const groups = data.groups ?? [];
  let items = [];  // rows on the right; the row of an open group has no lines
  function unfold() {
    items = data.items.flatMap((label, at) => {
      const group = groups[at];
      if (!group) return [{ label, weight: (h, q) => data.weights[h][q][at] }];
      if (!kept.opened.has(at)) return [{ label: "▸ " + label, group: at, weight: (h, q) => data.weights[h][q][at] }];
      const members = group.items.map((label, one) => ({ label, weight: (h, q) => group.weights[h][q][one] }));
      return [{ label: "▾ " + label, group: at, open: true, weight: () => 0 }, ...members];
    });
  }
  const sees = (step, item) =>
    !items[item].open && (!data.causal || item <= step + items.length - data.steps.length);

  function make(name, attributes = {}, parent = null, text = null) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== null) element.textContent = text;
    parent?.append(element);
    return element;
  }
  function button(words, parent, press, className = "") {
    const element = document.createElement("button");
    Object.assign(element, { type: "button", className, textContent: words, onclick: press });
    parent.append(element);
    return element;
  }
  function mean() {  // (steps, items) mean of the active heads
    const on = [...kept.on];
    return data.steps.map((_, q) => items.map(item => on.reduce((sum, h) => sum + item.weight(h, q), 0) / on.length));
  }

  // ------------------------------------------------------------------ heads
  function drawHeads() {
    headsBox.replaceChildren();
    headsBox.hidden = data.weights.length < 2;
    if (headsBox.hidden) return;
    kept.thumbs = data.weights.map((weights, head) => {
      const cell = document.createElement("div");
      cell.className = "head";
      const thumb = button("", cell, () => toggle(head), "thumb");
      const [layer, number] = [Math.floor(head / data.heads) + 1, (head % data.heads) + 1];
      const name = fill(data.words.head, { layer, head: number });
      thumb.setAttribute("aria-label", name);
      small(weights, thumb);
      const label = document.createElement("span");
      label.textContent = name;
      thumb.append(label);
      button(data.words.only, cell, () => only(head), "only").setAttribute("aria-label", `${data.words.only}: ${name}`);
      headsBox.append(cell);
      return thumb;
    });
    button(data.words.all, headsBox, () => { kept.on = new Set(whole); headsChanged(); }, "all");
    pressed();
  }
  function small(weights, parent) {  // the two largest weights of each step
    const [width, height] = [64, 56];
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, parent);
    const y = (place, of) => 3 + ((place + 0.5) * (height - 6)) / of;
    weights.forEach((row, q) => {
      const strongest = row.map((weight, t) => [weight, t]).sort((a, b) => b[0] - a[0]).slice(0, 2);
      for (const [weight, t] of strongest)
        make("path", {
          d: `M3 ${y(q, weights.length)} L${width - 3} ${y(t, row.length)}`, class: "link", "stroke-opacity": weight,
        }, svg);
    });
  }
  function toggle(head) {
    kept.on.has(head) && kept.on.size > 1 ? kept.on.delete(head) : kept.on.add(head);
    headsChanged();
  }
  function only(head) { kept.on = new Set([head]); headsChanged(); }
  function headsChanged() { pressed(); draw(); kept.tell([...kept.on].sort((a, b) => a - b)); }
  function pressed() { kept.thumbs.forEach((thumb, head) => thumb.setAttribute("aria-pressed", kept.on.has(head))); }

  // ---------------------------------------------------------------- picture
  let nodes = [], lines = [], weights = [], geometry = {};
  function draw() {
    unfold();
    const width = Math.min(900, Math.max(280, picture.clientWidth || 600));
    const longest = Math.max(...[...data.steps, ...items.map(item => item.label)].map(textWidth));
    const column = Math.min(width * 0.37, Math.max(130, longest + 62));
    const rows = Math.max(data.steps.length, items.length), height = TOP + rows * ROW + 6;
    weights = mean();
    geometry = { left: column, right: width - column, column, width };
    const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": data.words.title });
    make("text", { x: column - 8, y: 16, "text-anchor": "end", class: "heading" }, svg, data.words.steps);
    make("text", { x: width - column + 8, y: 16, class: "heading" }, svg, data.words.items);
    const place = (row, of) => TOP + (row + (rows - of) / 2 + 0.5) * ROW;  // center the shorter column
    const bundle = make("g", { "aria-hidden": "true" }, svg);
    lines = [];
    data.steps.forEach((_, q) => items.forEach((_, t) => {
      if (!sees(q, t)) return;
      const [y0, y1, middle] = [place(q, data.steps.length), place(t, items.length), width / 2];
      const line = make("path", { d: `M${column} ${y0} C${middle} ${y0} ${middle} ${y1} ${width - column} ${y1}`, class: "link" }, bundle);
      lines.push({ line, q, t });
    }));
    nodes = [];
    data.steps.forEach((label, q) => nodes.push(node("step", q, label, place(q, data.steps.length), svg)));
    items.forEach(({ label, group }, t) => nodes.push(node("item", t, label, place(t, items.length), svg, group)));
    const focused = kept.focused;
    picture.replaceChildren(svg);
    show();
    rove(focused ?? nodes[data.steps.length - 1].name);
    svg.addEventListener("keydown", key);
  }
  function node(side, place, label, y, svg, fold) {
    const { column, width } = geometry, isStep = side === "step", name = side + place;
    const group = make("g", { class: "node " + side, role: "button", "data-name": name, tabindex: -1 }, svg);
    const x = isStep ? 0 : width - column;
    make("rect", { x, y: y - ROW / 2 + 1, width: column, height: ROW - 2, rx: 4, class: "ground" }, group);
    const bar = make("rect", { x, y: y - ROW / 2 + 3, width: 0, height: ROW - 6, rx: 3, class: "bar" }, group);
    const text = make("text", { x: isStep ? column - 8 : x + 8, y: y + 4.5, "text-anchor": isStep ? "end" : "start" }, group);
    const number = make("text", { x: isStep ? 6 : width - 6, y: y + 4.5, "text-anchor": isStep ? "start" : "end", class: "number" }, group);
    make("title", {}, group, label);
    group.addEventListener("pointerenter", event => { if (event.pointerType !== "touch") { kept.near = name; show(); } });
    group.addEventListener("pointerleave", () => { kept.near = null; show(); });
    group.addEventListener("focus", () => { kept.focused = name; kept.near = name; show(); });
    group.addEventListener("blur", () => { kept.near = null; show(); });
    group.addEventListener("click", () => press(rove(name)));
    return { name, side, place, label, group, fold, bar, text, number };
  }
  function shorten(label, room) {
    if (textWidth(label) <= Math.max(21, room)) return label;
    let [short, left] = ["", Math.max(14, room - 7)];
    for (const letter of label) {
      left -= letterWidth(letter);
      if (left < 0) break;
      short += letter;
    }
    return short.trimEnd() + "…";
  }
  function press(one) {
    if (one.fold === undefined) return pin(one.name);
    kept.opened.has(one.fold) ? kept.opened.delete(one.fold) : kept.opened.add(one.fold);
    Object.assign(kept, { pinned: null, near: null });  // rows below have moved
    draw();
    rove(one.name).group.focus();
  }
  function pin(name) { kept.pinned = kept.pinned === name ? null : name; show(); }
  const weightOf = (one, other) => one.side === "step" ? weights[one.place][other.place] : weights[other.place][one.place];
  const linked = (one, other) => one.side !== other.side
    && (one.side === "step" ? sees(one.place, other.place) : sees(other.place, one.place));
  function show() {
    const active = nodes.find(one => one.name === (kept.near ?? kept.pinned));
    for (const { line, q, t } of lines) {
      const weight = weights[q][t];
      const mine = !active || (active.side === "step" ? active.place === q : active.place === t);
      line.style.display = mine && (active || weight >= FAINT) ? "" : "none";
      line.setAttribute("stroke-width", 0.6 + 9 * weight);
      line.setAttribute("stroke-opacity", active ? 0.25 + 0.75 * weight : 0.08 + 0.9 * weight);
    }
    for (const one of nodes) {
      const weight = active && linked(active, one) ? weightOf(active, one) : null;
      one.group.classList.toggle("dim", Boolean(active) && active !== one && weight === null);
      one.group.classList.toggle("active", active === one);
      if (one.fold === undefined) one.group.setAttribute("aria-pressed", kept.pinned === one.name);
      else one.group.setAttribute("aria-expanded", kept.opened.has(one.fold));
      one.group.setAttribute("aria-label", spoken(one));
      const reach = weight === null ? 0 : weight * geometry.column;
      one.bar.setAttribute("width", reach);
      if (one.side === "step") one.bar.setAttribute("x", geometry.column - reach);
      one.number.textContent = weight === null ? "" : share(weight);
      one.text.textContent = shorten(one.label, geometry.column - (weight === null ? 14 : 60));
    }
    said.textContent = active ? spoken(active) : [data.words.how, groups.length ? data.words.fold : ""].join(" ").trim();
  }
  function strongest(one) {
    return nodes.filter(other => linked(one, other)).sort((a, b) => weightOf(one, b) - weightOf(one, a));
  }
  function spoken(one) {
    if (one.fold !== undefined && kept.opened.has(one.fold)) return one.label;
    const list = strongest(one).slice(0, 3).map(other => `${other.label} ${share(weightOf(one, other))}`).join(", ");
    return fill(one.side === "step" ? data.words.looks : data.words.looked, { name: one.label, list });
  }
  function rove(name) {  // roving tabindex: Tab reaches one node, arrow keys move on
    const chosen = nodes.find(one => one.name === name) ?? nodes[0];
    kept.focused = chosen.name;
    for (const one of nodes) one.group.setAttribute("tabindex", one === chosen ? 0 : -1);
    return chosen;
  }
  function key(event) {
    const now = nodes.find(one => one.name === kept.focused);
    const column = nodes.filter(one => one.side === now.side), last = column.length - 1;
    const across = strongest(now)[0] ?? now;
    const goes = {
      ArrowDown: column[Math.min(last, now.place + 1)], ArrowUp: column[Math.max(0, now.place - 1)],
      ArrowRight: now.side === "step" ? across : now, ArrowLeft: now.side === "item" ? across : now,
      Home: column[0], End: column[last],
    }[event.key];
    if (goes) rove(goes.name).group.focus();
    else if (event.key === "Enter" || event.key === " ") press(now);
    else if (event.key === "Escape") { kept.pinned = null; kept.near = null; show(); }
    else return;
    event.preventDefault();
  }

  // ----------------------------------------------------------------- export
  const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "opacity", "display", "font-family", "font-size", "font-weight", "text-anchor"];
  function drawn() {  // the chart with inlined colors, self-contained
    const source = picture.querySelector("svg"), copy = source.cloneNode(true), parts = source.querySelectorAll("*");
    copy.setAttribute("xmlns", SVG);
    copy.querySelectorAll("*").forEach((element, number) => {
      const style = getComputedStyle(parts[number]);
      for (const name of STYLES) element.style.setProperty(name, style.getPropertyValue(name));
      ["tabindex", "role", "aria-pressed", "aria-expanded", "aria-label"].forEach(name => element.removeAttribute(name));
    });
    const ground = make("rect", { width: "100%", height: "100%" });
    ground.style.fill = data.ground ?? getComputedStyle(root).getPropertyValue("--st-background-color") ?? "#ffffff";
    copy.prepend(ground);
    return new XMLSerializer().serializeToString(copy);
  }
  function save(address, ending) {
    const link = document.createElement("a");
    Object.assign(link, { href: address, download: `${data.file}.${ending}` });
    link.click();
  }
  const address = text => "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  function savePng() {
    const image = new Image(), svg = picture.querySelector("svg");
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = svg.clientWidth * 2;
      canvas.height = svg.clientHeight * 2;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      save(canvas.toDataURL("image/png"), "png");
    };
    image.src = address(drawn());
  }
  tools.replaceChildren();
  button("⤓ " + data.words.svg, tools, () => save(address(drawn()), "svg"));
  button("⤓ " + data.words.png, tools, savePng);

  drawHeads();
  draw();
  parentElement.stop?.();
  let before = picture.clientWidth;
  const resized = new ResizeObserver(() => {
    if (picture.clientWidth !== before) { before = picture.clientWidth; draw(); }
  });
  resized.observe(picture);
  parentElement.stop = () => resized.disconnect();
  return () => { resized.disconnect(); kept.id = null; };
}
