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

/* ---- errors: the answer to a text, by static/explain.js, above the written answers of the errors that it names ---- */

function errors() {
  const text = chosen("text");
  const host = chosen("host");
  const asked = { release: chosen("release"), backend: chosen("backend"), host_class: host, switches_on: host ? EXPLAIN.on_in.includes(host) : null, profile: chosen("setting") };
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
  if (setting.optimizer) return `import tensorflow as tf\n\n${setting.setting}`;
  return ["import os", "", ...Object.entries(setting.environment).map(([name, value]) => `os.environ["${name}"] = "${value}"`), "import tensorflow as tf"].join("\n");
}

/* ---- what about mine? ---- */

const LETTERS = { y: "yes", n: "no", s: "some", u: "unknown" };
const SAID = { y: "yes", n: "no", s: "in part", u: "unknown" };

/** The class of a processor and whether oneDNN switches itself on there: from the flags (and the vendor, where it is
 *  among them) that /proc/cpuinfo shows, or from the class that was chosen. */
function processor() {
  const flags = new Set(chosen("flags").toLowerCase().match(/[a-z0-9_]+/g) ?? []);
  const vendor = Object.keys(MATRIX.vendors).find((name) => flags.has(name.toLowerCase()));
  if (!flags.size) return chosen("host") ? { host: chosen("host"), on: MATRIX.on_in.includes(chosen("host")) } : null;
  const known = MATRIX.classes.find(([flag]) => flags.has(flag));
  const isa = known ? known[1] : "base";
  return { host: `x86-${isa}${vendor ? `-${MATRIX.vendors[vendor]}` : ""}`, on: MATRIX.switch_on.some((flag) => flags.has(flag)) };
}

const runsOf = (release, backend) => MATRIX.runs.filter((run) => run.release === release && run.backend === backend);

/** The observed runs of a release: of each profile that of the host class which answers best for the machine, or without
 *  a machine for the host class that has most. */
function place({ release, backend }, machine) {
  const observed = runsOf(release, backend).filter((run) => run.answers);
  const hosts = [...new Set(observed.map((run) => run.host))].sort();
  const isOf = (host) => (run) => run.host === host && run.backend === backend;
  const most = (host) => (host.endsWith("-emulated") ? 0 : 1e6) + MATRIX.runs.filter(isOf(host)).length;
  const main = hosts.sort((a, b) => most(b) - most(a))[0];
  const order = [...(MATRIX.nearest[machine?.host ?? main] ?? []), ...hosts];
  const best = (profile) => order.find((host) => observed.some((run) => run.host === host && run.profile === profile));
  return observed.filter((run) => run.host === best(run.profile));
}

/** The profile that does the same as nothing set: as recorded, or by TensorFlow's own rule for oneDNN. */
function byDefault(runs, machine) {
  const asked = runs.find((run) => run.profile === "default");
  const usual = asked ? asked.same ?? "default" : null;
  if (!machine || machine.host === asked?.host || usual === "default") return usual;
  const [major, minor] = runs[0].release.split(".").map(Number);
  const from = MATRIX.switches_from;
  return MATRIX.onednn[String(machine.on && (major > from[0] || (major === from[0] && minor >= from[1])))] ?? usual;
}

/** The answer of a run for an approach, a wish and a dtype, as a letter. */
const answerOf = (run, { id }, wish, dtype) => {
  const wishes = Object.keys(MATRIX.wishes);
  return run.answers[id]?.[MATRIX.dtypes.indexOf(dtype) * wishes.length + wishes.indexOf(wish)] ?? "u";
};

/** How fast an approach was on that run for the wish, as a share of what the core can do; 0 where it was not timed. */
const reached = (run, { id }, wish, dtype) => MATRIX.timed[wish] === dtype ? run.reached?.[id]?.[wish] ?? 0 : 0;

/** How many settings two runs differ in: oneDNN as it was observed, and the options of their profiles. */
function settingsApart(run, other) {
  const [these, those] = [run, other].map(({ profile }) => MATRIX.options[profile] ?? [profile]);
  const options = [...these.filter((name) => !those.includes(name)), ...those.filter((name) => !these.includes(name))];
  return options.length + (Boolean(run.onednn) !== Boolean(other.onednn));
}

/** Every approach that computes what is asked, the best first by the rule of `advise`: meets the wish; was timed, the
 *  fastest first; wastes no arithmetic; is one kernel; needs nothing set; is what people write. Unless a profile is asked
 *  for, only profiles count that differ from the usual run in one setting at most. */
function choices(asked, runs, usual) {
  const order = "ysnu";
  const standard = runs.find((run) => !run.same && run.profile === usual);
  const isAsked = ({ profile }) => profile === (asked.setting === "default" ? usual : asked.setting);
  const list = runs.filter((run) => !run.same && (asked.setting ? isAsked(run) : !standard || settingsApart(run, standard) < 2))
    .flatMap((run) => MATRIX.approaches.filter(({ id, form }) => form === asked.form && id in run.words).map((approach, number) => ({
      run, approach, number, nothing: run.profile === usual, answer: answerOf(run, approach, asked.need, asked.dtype),
      reached: reached(run, approach, asked.need, asked.dtype),
      // the letter is of a graph
      fused: ["infer-graph", "train"].includes(asked.need) ? { y: 0, s: 1 }[answerOf(run, approach, "fused", asked.dtype)] ?? 2 : 2,
    })));
  const keys = (one) => [order.indexOf(one.answer), -one.reached, one.approach.wasteful, one.fused, !one.nothing, one.number];
  return list.sort((a, b) => keys(a).map((key, at) => key - keys(b)[at]).find(Boolean) ?? 0);
}

/** The choices that meet the wish; an approach comes a second time only where that choice needs nothing set. */
function worthIt(list) {
  const seen = new Map();
  return list.filter(({ answer, approach, nothing }) => {
    if (answer !== "y" || (seen.has(approach.id) && (!nothing || seen.get(approach.id)))) return false;
    seen.set(approach.id, nothing);
    return true;
  });
}

function front() {
  const asked = { release: chosen("release"), backend: chosen("backend") || "cpu", need: chosen("need") || "infer-graph",
    dtype: chosen("dtype") || "f32", form: chosen("form") || MATRIX.approaches[0].form, setting: chosen("setting") };
  for (const label of all("[data-only]")) label.hidden = label.dataset.only !== asked.backend;
  one("#mine-answer").replaceChildren(...(asked.release ? advice(asked) : []));
  narrowTable(asked);
}

function advice(asked) {
  const machine = asked.backend === "cpu" ? processor() : null;
  const runs = place(asked, machine);
  const usual = runs.length ? byDefault(runs, machine) : null;
  const list = runs.length ? choices(asked, runs, usual) : [];
  if (!list.length) return [unobserved(asked)];
  const best = worthIt(list);
  const parts = [make("p", { class: "answer" }, ...sentence(asked, (best[0] ?? list[0]).run, best))];
  const shown = (best[0] ?? list[0]).run;
  if (machine && machine.host !== shown.host) parts.push(make("p", { class: "caution" }, inference(machine, shown, usual)));
  if (list.some(({ run }) => run.doubtful)) parts.push(make("p", { class: "caution" }, "Doubtful: in one of these runs the control without groups fails too."));
  parts.push(choiceTable(best, asked), fallsOut(list.filter((one) => one.answer !== "y"), asked));
  const code = MATRIX.code[best[0]?.approach.id];
  if (code) parts.push(copied(make("pre", { class: "copy" }, make("code", {}, code))));
  return parts;
}

function inference(machine, run, usual) {
  const at = (release) => Math.abs(MATRIX.releases.indexOf(release) - MATRIX.releases.indexOf(run.release));
  const [found] = MATRIX.agreements.filter((one) => one.onednn === Boolean(run.onednn) && one.pair.includes(machine.host) && one.pair.includes(run.host))
    .sort((a, b) => at(a.release) - at(b.release));
  return `Nobody has run this on ${machine.host}. Shown is ${run.host}: an inference, not a measurement. ` +
    (found ? `On ${found.release}, which both have run, ${found.said}. ` : "") +
    (usual === MATRIX.onednn.false ? "oneDNN does not switch itself on there, so that the answer with nothing set is the one with oneDNN off." : "");
}

const settingOf = ({ nothing, run }) => nothing ? "nothing set" : MATRIX.profiles[run.profile] ?? run.profile;

function sentence(asked, run, best) {
  const where = ` on TensorFlow ${run.release}, ${MATRIX.backends[run.backend]}, ${run.host}`;
  const wish = `${MATRIX.wishes[asked.need]} in ${asked.dtype}`;
  if (run.planned) return [`The device was not there: nothing was executed${where}. The table below shows what the build plans.`];
  if (!best.length) return [`Nothing that was observed ${wish}${where}${asked.setting ? ` with ${MATRIX.profiles[asked.setting]}` : ""}.`];
  const [first] = best;
  const link = make("a", { href: cellPage(first.run, first.approach.id) }, make("b", {}, first.approach.id));
  const fused = asked.need !== "fused" && first.fused === 0 ? ", with bias and ReLU inside its kernel" : "";
  const set = first.nothing ? ["with nothing set"] : ["with ", make("code", {}, settingOf(first))];
  const fastest = first.reached ? " Of the approaches that do, it is the fastest that was timed." : "";
  return ["Use ", link, ` (${first.approach.summary}) `, ...set, `: it ${wish}${where}${fused}.${fastest}`];
}

function rows(list, asked) {
  return list.map((choice) => {
    const { run, approach, answer } = choice;
    return make("tr", {},
      make("th", { scope: "row" }, make("a", { href: cellPage(run, approach.id) }, approach.id)),
      make("td", {}, settingOf(choice)),
      make("td", { class: `a a-${LETTERS[answer]}` }, SAID[answer]),
      make("td", {}, verdict(run.words[approach.id], run.planned && run.words[approach.id] !== "unknown")),
      make("td", { class: "n" }, choice.reached ? (list[0].reached / choice.reached).toFixed(1) : "not timed"),
      make("td", { class: "wide" }, approach.summary));
  });
}

function choiceTable(list, asked) {
  if (!list.length) return "";
  const heads = ["written as", "with", `${MATRIX.wishes[asked.need]}, ${asked.dtype}`, "verdict in f32", "time, the first's = 1", "what it is"];
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "approaches" },
    make("table", { class: "list" }, make("thead", {}, head), make("tbody", {}, ...rows(list, asked))));
}

function fallsOut(list, asked) {
  if (!list.length) return "";
  const open = list[0].run.planned ? { open: "" } : {};
  return make("details", open, make("summary", {}, `${list.length} ${list[0].run.planned ? "that were only planned" : "more, that fail or are unknown"}`), choiceTable(list, asked));
}

function unobserved(asked) {
  const there = runsOf(asked.release, asked.backend);
  const setting = asked.setting || "default";
  const why = there.find((run) => run.profile === setting)?.why ?? there.find((run) => run.why)?.why;
  const text = there.length ? `Unknown: ${asked.release} with ${MATRIX.profiles[setting] ?? setting}, ${why ?? "never run"}.`
    : `Unknown: there is no ${asked.release} for ${MATRIX.backends[asked.backend]}.`;
  const observed = [...new Set(MATRIX.runs.filter((run) => run.backend === asked.backend && run.profile === setting && run.answers).map((run) => run.release))];
  const at = (release) => MATRIX.releases.indexOf(release);
  const near = [observed.findLast((release) => at(release) < at(asked.release)), observed.find((release) => at(release) > at(asked.release))].filter(Boolean);
  const links = near.flatMap((release, number) => [number ? " and " : "", make("a", { href: `#${new URLSearchParams({ ...asked, release })}` }, release)]);
  return make("p", { class: "answer" }, text, ...(near.length ? [" Its nearest neighbours with a record are ", ...links, "."] : []));
}

/** Hide what was not asked for, and fade the entries that do not meet the need. */
function narrowTable(asked) {
  const mine = processor();
  const known = mine && MATRIX.runs.some((run) => run.host === mine.host && run.answers && (!asked.release || run.release === asked.release));
  for (const place of all(".place")) {
    const other = chosen("backend") && place.dataset.backend !== asked.backend;
    place.hidden = Boolean(other || (known && asked.backend === "cpu" && place.dataset.backend === "cpu" && place.dataset.host !== mine.host));
  }
  for (const section of all(".profile")) section.hidden = Boolean(asked.setting) && section.dataset.profile !== asked.setting;
  for (const table of all("table.support")) {
    table.classList.toggle("one", Boolean(asked.release));
    for (const row of all("tr[data-release]", table)) row.hidden = Boolean(asked.release) && row.dataset.release !== asked.release;
    for (const head of all(".range", table)) head.hidden = Boolean(asked.release);
  }
  const number = MATRIX.needs.indexOf(chosen("need"));
  for (const cell of all("td[data-n]")) cell.classList.toggle("dim", number >= 0 && cell.dataset.n[number] !== "y");
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

const outcomesOf = (run) => typeof run.outcomes === "number" ? OUTCOMES.runs[run.outcomes].outcomes : run.outcomes;

/** Offer every run as "2.8.4, nothing set", the newest release first; real processors come before emulated ones. */
function fillRuns() {
  const places = new Map();
  for (const run of [...OUTCOMES.runs].reverse()) {
    const place = `${run.backend.toUpperCase()}, ${run.host}${run.planned ? ", planned" : ""}`;
    places.set(place, [...(places.get(place) ?? []), run]);
  }
  const order = [...places].sort(([a], [b]) => a.includes("-emulated") - b.includes("-emulated"));
  const at = (run) => run.release.split(".").map((part) => part.padStart(9, "0")).join(".");
  for (const select of all("#compare select[name=a], #compare select[name=b]")) {
    for (const [place, runs] of order) {
      runs.sort((a, b) => at(b).localeCompare(at(a)));
      select.append(make("optgroup", { label: place }, ...runs.map((run) => make("option", { value: nameOf(run) },
        `${run.release}, ${OUTCOMES.settings[run.profile] ?? run.profile}${run.engine === "docker" ? ", in Docker" : ""}`))));
    }
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
  for (const time of all("time[datetime]")) time.after(make("small", { class: "age" }, ` ${age(time.dateTime)}`));
  for (const block of all("pre.copy")) block.replaceWith(copied(block.cloneNode(true)));
  for (const form of all("form.ask")) form.hidden = false;
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
