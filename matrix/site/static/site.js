/* The pages can be read without this script. It asks nothing of the network: data come as scripts, and the state of
   every control stands in the address, so that what is shown can be sent to someone else. Texts are only ever set as
   text. */
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);

/** An element with attributes and children; strings become text. */
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/* ---- data: scripts, since a page that is read from disk may load nothing else ---- */

const DATA = {};
const unpacking = [];

/** What a data script calls, with base64 of a compressed JSON text. */
function take(name, text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  unpacking.push(new Response(stream).json().then((data) => { DATA[name] = data; }));
}

/** Wait until all that was taken is in DATA. */
const arrived = () => Promise.all(unpacking);

/* ---- the state of the controls, in the address ---- */

const controls = () => all("[data-state]");
const isBox = (control) => control.type === "checkbox";

function restore() {
  const asked = location.hash.includes("=") ? new URLSearchParams(location.hash.slice(1)) : new URLSearchParams();
  for (const control of controls()) {
    if (isBox(control)) control.checked = asked.has(control.name);
    else {
      control.value = asked.get(control.name) ?? "";
      if (control.selectedIndex === -1) control.selectedIndex = 0;
    }
  }
}

function remember() {
  const asked = new URLSearchParams();
  for (const control of controls()) {
    if (isBox(control) ? control.checked : control.value) asked.set(control.name, isBox(control) ? "" : control.value);
  }
  const hash = asked.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}

function chosen(name) {
  const control = one(`[data-state][name="${name}"]`);
  return !control || (isBox(control) && !control.checked) ? "" : control.value;
}

/* ---- links ---- */

const anchor = (run) => `${run.backend}-${run.profile}-on-${run.host}`;
const cellPage = (run, approach) => `tf/${run.release}/${approach}.html#${anchor(run)}`;

/* ---- errors: the answer to a text, by static/explain.js, above the written answers of the errors that it names ---- */

function errors() {
  const text = chosen("text");
  const host = chosen("host");
  const asked = { release: chosen("release"), backend: chosen("backend"), host_class: host, switches_on: host ? DATA.explain.on_in.includes(host) : null, profile: chosen("setting") };
  const answer = text.trim() ? explainText(text, asked) : null;
  const isShown = ({ id }) => !answer || answer.known.includes(id) || answer.near.some((near) => near.includes(`(${id}): `));
  for (const section of all("section.error")) section.hidden = !isShown(section);
  one("#found").replaceChildren(...(answer ? explanation(answer) : []));
}

const LABELS = { reported: "Reported, not measured here: ", elsewhere: "Elsewhere: " };

function explanation(answer) {
  const parts = [make("p", { class: "answer" }, answer.what), ...answer.notes.map((note) => make("p", { class: "caution" }, note))];
  const steps = answer.do.map(({ words, basis, way }) => {
    const step = make("li", {}, `${LABELS[basis] ?? ""}${words}`);
    const code = settingCode(way);
    if (code) step.append(copied(make("pre", { class: "copy" }, make("code", {}, code))));
    return step;
  });
  if (steps.length) parts.push(make("p", {}, make("b", {}, answer.place ? `What to do on ${answer.place}:` : "What to do:")), make("ol", {}, ...steps));
  if (answer.shown.length) parts.push(make("pre", {}, make("code", {}, answer.shown.join("\n"))));
  parts.push(...answer.why.map((words) => make("p", {}, make("b", {}, "Why: "), words)));
  parts.push(...answer.otherwise.map((words) => make("p", {}, make("b", {}, "Or: "), words)));
  parts.push(...[...answer.where, ...answer.near.map((near) => `Nearest, and not the same: ${near}`)].map((words) => make("p", { class: "quiet" }, words)));
  if (answer.question) parts.push(make("p", { class: "quiet" }, "More: ", make("code", {}, answer.more)));
  return parts;
}

/** A program that sets what a profile sets, before TensorFlow is imported. */
function settingCode(way) {
  const setting = way?.kind === "profile" ? settingOfProfile(way.name) : null;
  if (!setting || !setting.setting) return "";
  const lines = Object.entries(setting.environment).map(([name, value]) => `os.environ["${name}"] = "${value}"`);
  return [...(lines.length ? ["import os", "", ...lines] : []), "import tensorflow as tf", ...(setting.python ? ["", setting.python] : [])].join("\n");
}

/* ---- what changed, case by case ---- */

/** What people call what a case's name abbreviates. */
const SYNONYMS = [
  [/^dilat/, /-d\d/], [/^strid/, /-s\d/], [/^(conv)?1-?d$|^conv1d|^sequence/, /1d/], [/^(conv)?3-?d$|^conv3d|^volume/, /3d/],
  [/^transpos|^deconv/, /transpose/], [/^(half|float16|fp16)$/, /\/f16\//], [/^(float32|fp32|single)$/, /\/f32\//],
  [/^(float64|fp64|double)$/, /\/f64\//], [/^bfloat16$/, /\/bf16\//], [/^padding/, /-(pad|valid|explicit)/],
  [/^channels_first$/, /nchw/], [/^channels_last$/, /nhwc/], [/^batch-?norm/, /\/bn/], [/^residual|^add$/, /add|plus/], [/^empty/, /-n0/],
];

/** Whether a word is in a text: as people call it, as the beginning of one of the parts of a name, or with its marks. */
function means(word, text) {
  const known = SYNONYMS.find(([said]) => said.test(word));
  if (known && known[1].test(text)) return true;
  return /[-/]/.test(word) ? text.includes(word) : text.split(/[^a-z0-9_]+/).some((part) => part.startsWith(word));
}

function changes() {
  const has = (part, name) => !chosen(name) || !(name in part.dataset) || part.dataset[name].split(" ").includes(chosen(name));
  const words = chosen("case").toLowerCase().split(/\s+/).filter(Boolean);
  const about = ({ dataset }) => !("case" in dataset) || `${dataset.words} ${dataset.case}`.split(" ").some((name) => words.every((word) => means(word, `${dataset.words} ${name}`)));
  const fits = (part) => ["release", "backend", "profile", "approach"].every((name) => has(part, name)) && about(part);
  const parts = all("section.change");
  for (const row of all(".change tbody tr, .entries li")) row.hidden = !fits(row);
  for (const section of parts) section.hidden = !fits(section) || all("tbody tr, li[data-backend]", section).every((row) => row.hidden);
  for (const link of all(".entries li[data-to] a")) link.href = link.parentElement.dataset.to + location.hash;
  one("#nothing").hidden = all(".change, .entries > li").some((part) => !part.hidden);
}

/* ---- compare ---- */

const LONGEST = 400;
const nameOf = (run) => `${run.run}, ${run.host}, ${run.engine}`;

const outcomesOf = (run) => typeof run.outcomes === "number" ? DATA.outcomes.runs[run.outcomes].outcomes : run.outcomes;

/** Offer every run as "2.8.4, nothing set", the newest release first; real processors come before emulated ones. */
function fillRuns() {
  const places = new Map();
  for (const run of [...DATA.outcomes.runs].reverse()) {
    const place = `${run.backend.toUpperCase()}, ${run.host}${run.planned ? ", planned" : ""}`;
    places.set(place, [...(places.get(place) ?? []), run]);
  }
  const order = [...places].sort(([a], [b]) => a.includes("-emulated") - b.includes("-emulated"));
  const at = (run) => run.release.split(".").map((part) => part.padStart(9, "0")).join(".");
  for (const select of all("#compare select[name=a], #compare select[name=b]")) {
    for (const [place, runs] of order) {
      runs.sort((a, b) => at(b).localeCompare(at(a)));
      select.append(make("optgroup", { label: place }, ...runs.map((run) => make("option", { value: nameOf(run) },
        `${run.release}, ${DATA.outcomes.settings[run.profile] ?? run.profile}${run.engine === "docker" ? ", in Docker" : ""}`))));
    }
  }
}

function compare() {
  const box = one("#compared");
  box.replaceChildren();
  const [a, b] = ["a", "b"].map((name) => DATA.outcomes.runs.find((run) => nameOf(run) === chosen(name)));
  if (!a || !b) return;
  const differing = [];
  const counts = { appeared: 0, disappeared: 0, changed: 0, unchanged: 0 };
  DATA.outcomes.cells.forEach((cell, number) => {
    const [was, now] = [outcomesOf(a)[number], outcomesOf(b)[number]];
    if ((was === "-" && now === "-") || (chosen("approach") && !cell.startsWith(`${chosen("approach")}/`))) return;
    const what = was === now ? "unchanged" : was === "-" ? "appeared" : now === "-" ? "disappeared" : "changed";
    counts[what] += 1;
    if (what !== "unchanged") differing.push([cell, was, now]);
  });
  differing.sort((one, other) => (one[1] === "-" || one[2] === "-") - (other[1] === "-" || other[2] === "-"));
  box.append(make("p", { class: "answer" }, Object.entries(counts).map(([what, count]) => `${count.toLocaleString("en")} ${what}`).join(", ") + "."));
  for (const said of unlike(a, b)) box.append(make("p", { class: "caution" }, said));
  if (differing.length) box.append(differences(differing, a, b));
  if (differing.length > LONGEST) box.append(make("p", { class: "quiet" }, `${differing.length - LONGEST} more are not drawn; choose an approach.`));
}

/** Why two runs should not be compared. */
function* unlike(a, b) {
  if (a.suite !== b.suite) yield "Not made by the same suite: what appeared or disappeared may be the suite's doing.";
  if (a.planned !== b.planned) yield "One was executed, the other only planned for a device that was not there.";
  const others = ["release", "profile", "host", "engine", "backend"].filter((what) => a[what] !== b[what]);
  if (others.length > 1) yield `They differ in ${others.join(" and ")}: a difference may come from any of these.`;
}

const linked = (run, approach, word) => run.ways.includes(approach) ? make("a", { href: cellPage(run, approach) }, word) : word;

function differences(differing, a, b) {
  const head = make("tr", {}, ...["cell", nameOf(a), nameOf(b)].map((text) => make("th", { scope: "col" }, text)));
  const rows = differing.slice(0, LONGEST).map(([cell, ...letters]) => make("tr", {}, make("th", { scope: "row" }, make("code", {}, cell)),
    ...letters.map((letter, number) => make("td", { class: letter },
      linked([a, b][number], cell.split("/")[0], DATA.outcomes.words[letter])))));
  return make("div", { class: "scroll" }, make("table", { class: "list" }, make("thead", {}, head), make("tbody", {}, ...rows)));
}

/* ---- everywhere ---- */

/** How long ago a day was, in words. */
function age(date) {
  const days = Math.floor((Date.now() - Date.parse(date)) / 86_400_000);
  if (!(days >= 0)) return "";
  if (days < 1) return "today";
  if (days < 60) return `${days} day${days === 1 ? "" : "s"} ago`;
  return `${Math.round(days / 30.4)} months ago`;
}

function everywhere() {
  for (const time of all("time[datetime]")) time.after(make("small", { class: "age" }, ` ${age(time.dateTime)}`));
  for (const block of all("pre.copy")) block.replaceWith(copied(block.cloneNode(true)));
  for (const form of all("form")) form.hidden = false;
}

/** A program with a button that copies it. */
function copied(block) {
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", () => copy(one("code", block), button));
  return make("div", { class: "copied" }, button, block);
}

/** Copy a program; where the clipboard is out of reach, as from disk, select it instead. */
async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
}

const pages = { search: errors, narrow: changes, mine: () => front(), compare };
const show = Object.entries(pages).find(([id]) => one(`#${id}`))?.[1] ?? (() => {});

document.addEventListener("DOMContentLoaded", async () => {
  await arrived();
  everywhere();
  if (one("#compare")) fillRuns();
  restore();
  show();
});
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-state]")) { remember(); show(); }
});
addEventListener("hashchange", () => {
  if (location.hash.includes("=") || !location.hash) { restore(); show(); }
});
