"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const items = data.items;
  const place = `llmaudit-review:${data.plan}:${data.rater}`;
  let state = { labels: {}, notes: {} };
  let index = 0;
  let saved = true;

  function load() {
    try {
      const kept = JSON.parse(window.localStorage.getItem(place) || "null");
      if (kept && kept.labels && kept.notes) { state = kept; }
      window.localStorage.setItem(place, JSON.stringify(state));
    } catch { at("unkept").hidden = false; }
    const number = count();
    if (number) {
      at("kept").textContent = `${number} of ${items.length} answers are labelled in this browser.`;
      at("kept").hidden = false;
      at("begin").textContent = "Go on";
    }
  }

  function keep() {
    saved = false;
    try { window.localStorage.setItem(place, JSON.stringify(state)); } catch { at("unkept").hidden = false; }
  }

  const count = () => items.filter((one) => state.labels[one.item]).length;

  function show(focus) {
    const one = items[index];
    const question = data.questions[one.construct];
    const chosen = state.labels[one.item];
    at("question").textContent = question.text;
    at("hint").textContent = question.hint;
    at("answer").textContent = one.answer;
    at("prompt").textContent = one.prompt;
    at("note").value = state.notes[one.item] || "";
    const buttons = question.labels.map(([label, words], number) => {
      const button = document.createElement("button");
      const key = document.createElement("kbd");
      button.type = "button";
      key.textContent = String(number + 1);
      key.setAttribute("aria-hidden", "true");
      button.append(key, words);
      button.setAttribute("aria-pressed", String(chosen === label));
      button.addEventListener("click", () => choose(label));
      return button;
    });
    at("labels").replaceChildren(...buttons);
    at("answer").scrollTop = 0;
    at("prompt").scrollTop = 0;
    at("back").disabled = index === 0;
    at("next").disabled = index === items.length - 1;
    at("clear").disabled = !chosen;
    const number = count();
    at("progress").textContent = `Answer ${index + 1} of ${items.length}. ${number} labelled.`;
    at("filled").style.width = `${(100 * number) / items.length}%`;
    at("done").textContent = number === items.length ? "All answers are labelled. Download the labels." : "";
    if (focus) { at("question").focus({ preventScroll: true }); window.scrollTo(0, 0); }
  }

  function go(to) {
    index = Math.max(0, Math.min(items.length - 1, to));
    show(true);
  }

  function choose(label) {
    state.labels[items[index].item] = label;
    keep();
    if (index < items.length - 1) { go(index + 1); } else { show(false); }
  }

  function clear() {
    delete state.labels[items[index].item];
    keep();
    show(false);
  }

  function unlabelled() {
    for (let step = 1; step <= items.length; step += 1) {
      const to = (index + step) % items.length;
      if (!state.labels[items[to].item]) { go(to); return; }
    }
  }

  function cell(text) {
    const safe = /^ *[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return `"${safe.replaceAll('"', '""')}"`;
  }

  function table() {
    const rows = items.map((one) => [one.item, state.labels[one.item] || "", state.notes[one.item] || ""]);
    return [["item", "label", "note"], ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", table()], { type: "text/csv" }));
    link.download = `${data.rater}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    saved = true;
    at("done").textContent = `Downloaded ${data.rater}.csv with ${count()} labels.`;
  }

  function pressed(event) {
    if (at("work").hidden || event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.target === at("note")) {
      if (event.key === "Escape") { at("question").focus(); }
      return;
    }
    const labels = data.questions[items[index].construct].labels;
    const number = Number.parseInt(event.key, 10);
    const actions = {
      ArrowLeft: () => go(index - 1), ArrowRight: () => go(index + 1), u: unlabelled, d: download,
      n: () => at("note").focus(), 0: () => clear(),
    };
    const act = number >= 1 && number <= labels.length
      ? () => choose(labels[number - 1][0])
      : actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act) { event.preventDefault(); act(); }
  }

  at("begin").addEventListener("click", () => {
    at("start").hidden = true;
    at("work").hidden = false;
    const first = items.findIndex((one) => !state.labels[one.item]);
    go(first < 0 ? 0 : first);
  });
  at("back").addEventListener("click", () => go(index - 1));
  at("next").addEventListener("click", () => go(index + 1));
  at("unlabelled").addEventListener("click", unlabelled);
  at("clear").addEventListener("click", clear);
  at("save").addEventListener("click", download);
  at("note").addEventListener("input", () => {
    const text = at("note").value;
    if (text) { state.notes[items[index].item] = text; } else { delete state.notes[items[index].item]; }
    keep();
  });
  document.addEventListener("keydown", pressed);
  window.addEventListener("beforeunload", (event) => { if (!saved) { event.preventDefault(); } });
  load();
})();
