// Stepper through the stages: attended items, results, and formulas with numbers.
export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".stages");
  const kept = (parentElement.kept ??= {});
  if (kept.id === data.id) return;
  clearInterval(kept.playing);
  const last = data.stages.length - 1, PACE = data.pace ?? 1600;
  Object.assign(kept, { id: data.id, at: Math.max(0, Math.min(kept.at ?? 0, last)), playing: null });  // keep the current step
  const part = name => root.querySelector("." + name);
  const [heading, place, words, formula] = ["title", "place", "words", "formula"].map(part);
  const [back, play, forward, slider] = ["back", "play", "forward", "slider"].map(part);

  function column(name, title, rows) {
    const box = part(name);
    box.hidden = !rows.length && !title;
    const head = document.createElement("h4");
    head.textContent = title;
    const list = document.createElement("ol");
    for (const row of rows) {
      const entry = document.createElement("li");
      entry.className = [row.mark ? "mark" : "", row.off ? "off" : ""].join(" ");
      entry.style.setProperty("--lit", row.value ?? 0);
      for (const [className, text] of [["label", row.label], ["note", row.note], ["number", row.text]]) {
        if (!text) continue;
        const span = document.createElement("span");
        Object.assign(span, { className, textContent: text });
        entry.append(span);
      }
      list.append(entry);
    }
    box.replaceChildren(head, list);
  }
  function show() {
    const stage = data.stages[kept.at];
    root.dataset.stage = kept.at;
    heading.textContent = stage.title;
    place.textContent = data.words.place.replace("{at}", kept.at + 1).replace("{of}", last + 1);
    words.textContent = stage.words;
    column("left", stage.left_title, stage.left);
    column("right", stage.right_title, stage.right);
    column("extra", stage.extra_title, stage.extra);
    formula.hidden = !stage.formula.length;
    formula.replaceChildren(...stage.formula.map(line => {
      const element = document.createElement("p");
      element.textContent = line;
      return element;
    }));
    slider.value = kept.at;
    slider.setAttribute("aria-valuetext", `${place.textContent}: ${stage.title}`);
    back.disabled = kept.at === 0;
    forward.disabled = kept.at === last;
    play.textContent = kept.playing ? data.words.pause : kept.at === last ? data.words.again : data.words.play;
  }
  function stop() { clearInterval(kept.playing); kept.playing = null; }
  function go(to) { kept.at = Math.max(0, Math.min(last, to)); show(); }
  function tick() {
    if (!root.isConnected) return stop();
    if (kept.at < last) go(kept.at + 1);
    if (kept.at === last) { stop(); show(); }
  }
  back.textContent = data.words.back;
  forward.textContent = data.words.forward;
  back.onclick = () => { stop(); go(kept.at - 1); };
  forward.onclick = () => { stop(); go(kept.at + 1); };
  play.onclick = () => {
    if (kept.playing) { stop(); show(); return; }
    if (kept.at === last) kept.at = 0;
    kept.playing = setInterval(tick, PACE);
    show();
  };
  slider.max = last;
  slider.setAttribute("aria-label", data.words.slider);
  slider.oninput = () => { stop(); go(Number(slider.value)); };
  root.hidden = last < 0;
  if (last >= 0) show();
}
