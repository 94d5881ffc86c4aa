// The cards of a strategy in their order. A card is dragged by its handle, or moved with its buttons; a click selects it.
export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".cards");
  const act = (what, at, to = at) => setTriggerValue("act", { what, at, to, of: data.cards.length });
  const kept = (parentElement.kept ??= { dragged: null, redraw: null });

  function button(icon, words, parent, press) {
    const element = document.createElement("button");
    Object.assign(element, { type: "button", textContent: icon, title: words, onclick: press });
    element.setAttribute("aria-label", words);
    parent.append(element);
    return element;
  }
  const named = (text, card) => text.replace("{card}", card.title);

  function row(card, at) {
    const line = document.createElement("li");
    line.className = "card" + (card.on ? "" : " off") + (at === data.selected ? " selected" : "");
    line.draggable = true;
    const handle = document.createElement("span");
    Object.assign(handle, { className: "handle", textContent: "⠿" });
    handle.setAttribute("aria-hidden", "true");
    const words = document.createElement("button");
    Object.assign(words, { type: "button", className: "words", onclick: () => act("select", at) });
    words.setAttribute("aria-pressed", String(at === data.selected));
    for (const [kind, text] of [["title", card.title], ["summary", card.summary]]) {
      const part = document.createElement("span");
      Object.assign(part, { className: kind, textContent: text });
      words.append(part);
    }
    const tools = document.createElement("span");
    tools.className = "tools";
    const on = document.createElement("button");
    Object.assign(on, { type: "button", className: "switch", onclick: () => act("switch", at) });
    on.setAttribute("role", "switch");
    on.setAttribute("aria-checked", String(card.on));
    on.setAttribute("aria-label", named(data.texts.switch, card));
    on.title = named(data.texts.switch, card);
    tools.append(on);
    const up = button("↑", named(data.texts.up, card), tools, () => act("move", at, at - 1));
    up.disabled = at === 0;
    const down = button("↓", named(data.texts.down, card), tools, () => act("move", at, at + 1));
    down.disabled = at === data.cards.length - 1;
    button("+1", named(data.texts.duplicate, card), tools, () => act("duplicate", at));
    button("✕", named(data.texts.delete, card), tools, () => act("delete", at));
    line.append(handle, words, tools);
    line.ondragstart = event => {
      kept.dragged = at;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", String(at));
    };
    line.ondragenter = line.ondragover = event => {
      if (kept.dragged === null) return;
      event.preventDefault();
      line.classList.add(at > kept.dragged ? "after" : "before");
    };
    line.ondragleave = () => line.classList.remove("after", "before");
    line.ondragend = () => {
      kept.dragged = null;
      kept.redraw?.();
    };
    line.ondrop = event => {
      event.preventDefault();
      line.classList.remove("after", "before");
      if (kept.dragged !== null && kept.dragged !== at) act("move", kept.dragged, at);
      kept.dragged = null;
    };
    return line;
  }
  function draw() {
    kept.redraw = null;
    root.setAttribute("aria-label", data.texts.list);
    root.replaceChildren(...data.cards.map(row));
  }
  if (kept.dragged === null) draw();
  else kept.redraw = draw;  // a card that is being dragged stays where it is until it is dropped
}
