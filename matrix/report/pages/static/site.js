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

const chosen = (name) => one(`[data-state][name="${name}"]`)?.value ?? "";

/* ---- a verdict, as the templates draw it ---- */

function verdict(word, planned) {
  const badge = make("span", { class: `v v-${word}${planned ? " planned" : ""}` });
  badge.append(make("b", { "aria-hidden": "true" }, MATRIX.letters[word] ?? "?"), make("span", {}, word));
  return badge;
}

const anchor = (run) => `${run.backend}-${run.profile}-on-${run.host}`;
const cellPage = (run, approach) => `tf/${run.release}/${approach}.html#${anchor(run)}`;

/* ---- errors: which of the written answers a text asks for (the rules are those of matrix/answers/explain.py) ---- */

const NEAR = 0.5;
const words = (text) => new Set(text.toLowerCase().match(/[a-z_]{3,}/g) ?? []);

function nearness(section, told) {
  const shares = all(".examples code", section).map((example) => {
    const of = [...words(example.textContent)];
    return of.length ? of.filter((word) => told.has(word)).length / of.length : 0;
  });
  return Math.max(0, ...shares);
}

/** Sections that a text names, else those that come near it. */
function named(text, sections) {
  const line = text.split(/\s+/).join(" ").trim();
  const meant = sections.filter((section) => new RegExp(section.dataset.pattern, "i").test(line));
  if (meant.length) return { meant, near: [] };
  const told = words(line);
  const near = sections.map((section) => [nearness(section, told), section]).filter(([share]) => share >= NEAR);
  return { meant, near: near.sort((a, b) => b[0] - a[0]).slice(0, 3).map(([, section]) => section) };
}

function errors() {
  const sections = all("section.error");
  const text = chosen("text");
  const { meant, near } = text.trim() ? named(text, sections) : { meant: sections, near: [] };
  for (const section of sections) {
    section.hidden = !meant.includes(section) && !near.includes(section);
    narrowRows(section);
    if (text.trim()) for (const details of all("details", section)) details.open = true;
  }
  const found = one("#found");
  if (!text.trim()) found.textContent = "";
  else if (meant.length) found.textContent = `This is ${meant.map((section) => section.id).join(", and ")}.`;
  else {
    found.textContent = `Not seen: none of ${found.dataset.observations} observations has this text, and none of the public reports known here.`;
    if (near.length) found.textContent += ` Nearest, and not the same: ${near.map((section) => section.id).join(", ")}.`;
  }
}

function narrowRows(section) {
  const [release, backend] = [chosen("release"), chosen("backend")];
  const rows = all("tbody tr", section);
  for (const row of rows) {
    row.hidden = Boolean((release && !row.dataset.releases.split(" ").includes(release)) || (backend && row.dataset.backend !== backend));
  }
  const nowhere = one(".nowhere", section);
  if (nowhere) {
    nowhere.hidden = rows.some((row) => !row.hidden);
    one("details", section).hidden = !nowhere.hidden;
  }
}

/* ---- what about mine? ---- */

const LETTERS = { y: "yes", n: "no", s: "in part", u: "unknown" };

/** The class of a processor and whether oneDNN switches itself on there, from the flags that /proc/cpuinfo shows. */
function processor() {
  const flags = new Set(chosen("flags").toLowerCase().match(/[a-z0-9_]+/g) ?? []);
  if (!flags.size) return chosen("host") ? { host: chosen("host"), pasted: false } : null;
  const known = MATRIX.classes.find(([flag]) => flags.has(flag));
  return { host: `x86-${known ? known[1] : "base"}`, pasted: true, on: MATRIX.switch_on.some((flag) => flags.has(flag)) };
}

const runsOf = (release, backend) => MATRIX.runs.filter((run) => run.release === release && run.backend === backend);

/** The run to read for what is asked, and what must be said of it; null where nothing was observed. */
function reading(release, backend, setting) {
  const mine = processor();
  const there = runsOf(release, backend);
  const exact = there.filter((run) => !mine || backend !== "cpu" || run.host === mine.host);
  const found = exact.find((run) => run.profile === setting);
  if (found) return { run: found, said: "" };
  if (exact.length || !mine || !there.length) return null;
  return inferred(there, mine, setting);
}

/** Nobody has run this class of processor: what oneDNN does by itself there decides which run is nearest. */
function inferred(there, mine, setting) {
  const on = mine.pasted ? mine.on : MATRIX.on_in.includes(mine.host);
  const switched = there.find((run) => run.profile === "default" && run.onednn);
  const profile = setting === "default" && switched && !on ? MATRIX.off : setting;
  const run = there.find((one) => one.profile === profile);
  if (!run) return null;
  const reason = profile === setting ? "" : " oneDNN does not switch itself on there, so that its runs with oneDNN off are shown.";
  return { run, said: `Nobody has run this on ${mine.host}. Shown is ${run.host}: an inference, not a measurement.${reason}` };
}

/** The answer of a run for an approach, a need and a dtype, as a letter. */
const answerOf = (run, { id }, need, dtype) =>
  run.answers?.[id]?.[MATRIX.dtypes.indexOf(dtype) * MATRIX.needs.length + MATRIX.needs.indexOf(need)] ?? "u";

/** Approaches that compute what is asked: those that meet the need first, each kind in the suite's order, the plainest
 *  to write first. Being fused lifts none: the masked dense filter is, at many times the arithmetic. */
function ranked(run, need, dtype, form) {
  const order = "ysun";
  return MATRIX.approaches
    .filter(({ id, form: computed }) => computed === form && id in run.words)
    .map((approach) => ({ approach, word: run.words[approach.id], answer: answerOf(run, approach, need, dtype), fused: answerOf(run, approach, "fused", dtype) }))
    .sort((a, b) => order.indexOf(a.answer) - order.indexOf(b.answer));
}

function front() {
  const asked = { release: chosen("release"), backend: chosen("backend") || "cpu", need: chosen("need") || "infer-graph",
    dtype: chosen("dtype") || "f32", form: chosen("form") || MATRIX.approaches[0].form, setting: chosen("setting") || "default" };
  for (const label of all("[data-only]")) label.hidden = label.dataset.only !== asked.backend;
  const box = one("#mine-answer");
  box.replaceChildren();
  if (asked.release) box.append(...advice(asked));
  narrowTable(asked);
}

function advice(asked) {
  const found = reading(asked.release, asked.backend, asked.setting);
  if (!found || !found.run.answers) return [unobserved(asked, found)];
  const { run, said } = found;
  const list = ranked(run, asked.need, asked.dtype, asked.form);
  const best = list.filter(({ answer }) => answer === "y");
  const parts = [make("p", { class: "answer" }, ...sentence(asked, run, best))];
  if (said) parts.push(make("p", { class: "caution" }, said));
  if (run.doubtful) parts.push(make("p", { class: "caution" }, "Doubtful: in this run the control without groups fails too."));
  parts.push(rankedTable(list, run, asked), ...otherSettings(asked, run, best));
  return parts;
}

function sentence(asked, run, best) {
  const where = ` on TensorFlow ${run.release}, ${MATRIX.backends[run.backend]}, ${run.host}, ${MATRIX.profiles[run.profile] ?? run.profile}`;
  const what = MATRIX.need_words[asked.need];
  if (run.planned) return [`The device was not there: nothing was executed${where}. What the build plans stands below.`];
  if (!best.length) return [`Nothing that was observed ${what} in ${asked.dtype}${where}.`];
  const first = best[0];
  const why = [`it ${what} in ${asked.dtype}`];
  if (asked.need !== "fused" && first.fused === "y") why.push("bias and ReLU are computed inside its kernel");
  const ties = best.length - 1;
  const beside = ties ? `; ${ties} other${ties === 1 ? " does" : "s do"} as well, and this is the plainest to write` : "";
  return ["Use ", make("a", { href: cellPage(run, first.approach.id) }, make("b", {}, first.approach.id)), ` (${first.approach.summary})${where}: ${why.join(", and ")}${beside}.`];
}

function rankedTable(list, run, asked) {
  const head = make("tr", {}, ...["written as", `${MATRIX.need_heads[asked.need]}, ${asked.dtype}`, "verdict", "in code"].map((text) => make("th", { scope: "col" }, text)));
  const rows = list.map(({ approach, answer, word }) => make("tr", {},
    make("th", { scope: "row" }, make("a", { href: cellPage(run, approach.id) }, approach.id)),
    make("td", { class: `a a-${LETTERS[answer].replace("in part", "some")}` }, LETTERS[answer]),
    make("td", {}, verdict(word, run.planned && word !== "unknown")),
    make("td", { class: "wide" }, make("code", {}, approach.summary))));
  return make("div", { class: "scroll" }, make("table", { class: "list" }, make("thead", {}, head), make("tbody", {}, ...rows)));
}

/** What else can be set on the same machine so that a plainer way, or any, meets the need. */
function otherSettings(asked, run, best) {
  const plainer = (number) => !best.length || number < MATRIX.approaches.findIndex(({ id }) => id === best[0].approach.id);
  const lines = runsOf(run.release, run.backend)
    .filter((other) => other.host === run.host && other.answers && !other.same && other.profile !== run.profile && other.profile !== run.same)
    .map((other) => [other, MATRIX.approaches.filter((approach, number) => approach.form === asked.form && plainer(number) && answerOf(other, approach, asked.need, asked.dtype) === "y")])
    .filter(([, names]) => names.length);
  return lines.map(([other, names]) => make("p", {}, `With ${MATRIX.profiles[other.profile] ?? other.profile}: `,
    ...names.flatMap(({ id }, number) => [number ? ", " : "", make("a", { href: cellPage(other, id) }, id)]), "."));
}

function unobserved(asked, found) {
  const there = runsOf(asked.release, asked.backend);
  const why = found?.run.why ?? there.find((run) => run.profile === asked.setting)?.why;
  const text = there.length ? `Unknown: ${asked.release} with ${MATRIX.profiles[asked.setting] ?? asked.setting}, ${why ?? "never run on that host class"}.`
    : `Unknown: there is no ${asked.release} for ${MATRIX.backends[asked.backend]}.`;
  const observed = [...new Set(MATRIX.runs.filter((run) => run.backend === asked.backend && run.profile === asked.setting && run.answers).map((run) => run.release))];
  const place = MATRIX.releases.indexOf(asked.release);
  const near = [observed.findLast((release) => MATRIX.releases.indexOf(release) < place), observed.find((release) => MATRIX.releases.indexOf(release) > place)].filter(Boolean);
  const links = near.flatMap((release, number) => [number ? " and " : "", make("a", { href: `#${new URLSearchParams({ ...asked, release })}` }, release)]);
  return make("p", { class: "answer" }, text, ...(near.length ? [" Its nearest neighbours with a record are ", ...links, "."] : []));
}

/** Hides what was not asked for, and fades the cells that do not meet the need. */
function narrowTable(asked) {
  const mine = processor();
  const known = mine && all(".place").some((place) => place.dataset.host === mine.host);
  for (const place of all(".place")) {
    const other = chosen("backend") && place.dataset.backend !== asked.backend;
    place.hidden = Boolean(other || (known && asked.backend === "cpu" && place.dataset.backend === "cpu" && place.dataset.host !== mine.host));
  }
  for (const section of all(".profile")) section.hidden = Boolean(chosen("setting")) && section.dataset.profile !== asked.setting;
  for (const table of all("table.support")) {
    table.classList.toggle("one", Boolean(asked.release));
    for (const row of all("tr[data-release]", table)) row.hidden = Boolean(asked.release) && row.dataset.release !== asked.release;
    for (const head of all(".range", table)) head.hidden = Boolean(asked.release);
  }
  const number = MATRIX.needs.indexOf(chosen("need"));
  for (const cell of all("td[data-n]")) cell.classList.toggle("dim", number >= 0 && cell.dataset.n[number] !== "y");
}

/* ---- what changed ---- */

function changes() {
  for (const section of all("section.change")) {
    const fits = ["release", "backend"].every((name) => !chosen(name) || section.dataset[name] === chosen(name));
    const rows = all("tbody tr", section);
    for (const row of rows) row.hidden = Boolean(chosen("approach")) && row.dataset.approach !== chosen("approach");
    section.hidden = !fits || rows.every((row) => row.hidden);
  }
}

/* ---- compare ---- */

const LONGEST = 400;
const nameOf = (run) => `${run.run}, ${run.host}, ${run.engine}`;

function fillRuns() {
  for (const select of all("#compare select[name=a], #compare select[name=b]")) {
    for (const run of OUTCOMES.runs) select.append(make("option", { value: nameOf(run) }, nameOf(run)));
  }
}

function compare() {
  const box = one("#compared");
  box.replaceChildren();
  const [a, b] = ["a", "b"].map((name) => OUTCOMES.runs.find((run) => nameOf(run) === chosen(name)));
  if (!a || !b) return;
  const differing = [];
  const counts = { appeared: 0, disappeared: 0, changed: 0, unchanged: 0 };
  OUTCOMES.cells.forEach((cell, number) => {
    const [was, now] = [a.outcomes[number], b.outcomes[number]];
    if ((was === "-" && now === "-") || (chosen("approach") && !cell.startsWith(`${chosen("approach")}/`))) return;
    const what = was === now ? "unchanged" : was === "-" ? "appeared" : now === "-" ? "disappeared" : "changed";
    counts[what] += 1;
    if (what !== "unchanged") differing.push([cell, was, now]);
  });
  differing.sort((one, other) => (one[1] === "-" || one[2] === "-") - (other[1] === "-" || other[2] === "-"));
  box.append(make("p", { class: "answer" }, Object.entries(counts).map(([what, count]) => `${count.toLocaleString("en")} ${what}`).join(", ") + "."));
  for (const said of unlike(a, b)) box.append(make("p", { class: "caution" }, said));
  if (differing.length) box.append(differences(differing, a, b));
  if (differing.length > LONGEST) box.append(make("p", { class: "quiet" }, `${differing.length - LONGEST} more are not drawn; choose a way of writing it.`));
}

/** Why the two are not like with like. */
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
    ...letters.map((letter, number) => make("td", { class: `o-${OUTCOMES.words[letter]}` },
      linked([a, b][number], cell.split("/")[0], OUTCOMES.words[letter])))));
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
  for (const time of all("time[datetime]")) time.title = age(time.dateTime);
  for (const block of all("pre.copy")) {
    const button = make("button", { type: "button" }, "Copy");
    button.addEventListener("click", () => copy(one("code", block), button));
    block.before(button);
  }
  for (const form of all("form.ask")) form.hidden = false;
}

/** Where the clipboard is out of reach, as from disk, the text is selected instead. */
async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
}

const pages = { search: errors, narrow: changes, mine: front, compare };
const show = Object.entries(pages).find(([id]) => one(`#${id}`))?.[1] ?? (() => {});

everywhere();
if (one("#compare")) fillRuns();
restore();
show();
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-state]")) { remember(); show(); }
});
addEventListener("hashchange", () => {
  if (location.hash.includes("=") || !location.hash) { restore(); show(); }
});
