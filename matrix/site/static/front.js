/* The front page. Its answers are those of `advise` and `explain`: the first stand ready in data/advice/, a script for
   each release and backend, and are looked up here; the second are made by static/explain.js. Nothing is ranked here. */
"use strict";

/* ---- data, loaded as scripts when they are asked for ---- */

const loaded = new Map();

function load(path) {
  if (!loaded.has(path)) {
    loaded.set(path, new Promise((done) => {
      const script = make("script", { src: path });
      script.addEventListener("load", async () => { await arrived(); loaded.set(path, true); done(true); });
      script.addEventListener("error", () => { loaded.set(path, false); done(false); });
      document.head.append(script);
    }));
  }
  return loaded.get(path);
}

/** Whether these scripts are there. If not, they are loaded, and the page is drawn again. */
function ready(...paths) {
  const waiting = paths.filter((path) => loaded.get(path) !== true && loaded.get(path) !== false);
  if (waiting.length) Promise.all(waiting.map(load)).then(() => show());
  return !waiting.length;
}

const adviceOf = ({ release, backend }) => `data/advice/${release}-${backend}.js`;

/* ---- what is asked ---- */

function question() {
  const backend = chosen("backend") || "cpu";
  return { backend, release: chosen("release") || MATRIX.newest[backend], need: chosen("need") || "infer-graph", dtype: chosen("dtype") || "f32",
    layout: chosen("layout") || "nhwc", form: chosen("form") || MATRIX.forms[0], nothing: chosen("setting") === "default", ...processor(backend) };
}

/** The host class of a processor: of its name, of a class that is named in a text, or of flags as /proc/cpuinfo shows
 *  them, with the vendor if it is among them. */
function processor(backend) {
  const text = chosen("cpu").trim().toLowerCase();
  if (!text || backend !== "cpu") return { host: "" };
  const named = MATRIX.processors[text.replace(/[^a-z0-9.]+/g, "_")] ?? text.match(/\b(?:x86|arm)-[a-z0-9.-]+/g)?.find((name) => name in MATRIX.nearest);
  if (named) return { host: named };
  const flags = new Set(text.match(/[a-z0-9_]+/g) ?? []);
  const known = MATRIX.classes.find(([flag]) => flags.has(flag));
  if (!known) return { host: "", unknown: text };
  const vendor = Object.keys(MATRIX.vendors).find((name) => flags.has(name.toLowerCase()));
  return { host: `x86-${known[1]}${vendor ? `-${MATRIX.vendors[vendor]}` : ""}` };
}

/* ---- the answer of advise, looked up ---- */

/** The processors' group, and what of its answer fits: with nothing set alone, or fused alone, if that is asked for. */
function advised(asked) {
  const told = DATA[`advice/${asked.release}-${asked.backend}`];
  const group = told.groups[told.machines[asked.host] ?? told.machines[""]];
  const need = asked.need === "fused" ? "infer-graph" : asked.need;
  const plain = asked.dtype === "f32" && asked.layout === "nhwc";
  const form = MATRIX.forms.includes(asked.form) ? asked.form : MATRIX.forms[0];
  const like = plain ? group.answers[`${need}/${asked.form}`] : undefined;
  const answer = told.answers[like ?? group.answers[`${need}/${form}/${asked.dtype}/${asked.layout}`]] ?? { best: [], out: [], open: [], timed: null };
  const chosenOf = (numbers) => numbers.map((number) => told.choices[number]).filter((choice) => !asked.nothing || choice.nothing);
  return { told, group, timed: answer.timed, out: chosenOf(answer.out), open: chosenOf(answer.open),
    best: chosenOf(answer.best).filter(({ fused }) => asked.need !== "fused" || fused === "yes"),
    untimed: form !== asked.form && like === undefined };
}

function codeOf(choice, { told }) {
  return (choice.code ?? []).map((number) => told.lines[number]).join("\n");
}

/** `grouped-2d` of `grouped-2d-d2`: what an approach must compute. */
const computed = (form) => form.startsWith(`${MATRIX.forms[0]}-`) ? MATRIX.forms[0] : form;

/** The answer in a group of processors for an approach under a profile: null where `advise` does not look at it. */
function answerFor({ told, group }, asked, approach, profile) {
  const form = MATRIX.forms.includes(asked.form) ? asked.form : MATRIX.forms[0];
  const need = asked.need === "fused" ? "infer-graph" : asked.need;
  const used = profile === "default" ? group.default : profile;
  if (MATRIX.approaches[approach].computes !== computed(form) || !(used in group.hosts)) return null;
  const answer = told.answers[group.answers[`${need}/${form}/${asked.dtype}/${asked.layout}`]];
  const found = (numbers) => numbers.map((number) => told.choices[number]).find((one) => one.approach === approach && one.profile === used);
  if (!answer) return "unknown";
  const failed = found(answer.out) ?? found(answer.open);
  if (asked.need === "fused") return (failed ?? found(answer.best))?.fused ?? null;
  return failed ? failed.answer : "yes";
}

/* ---- drawing ---- */

function front() {
  const asked = question();
  for (const label of all("[data-only]")) label.hidden = label.dataset.only !== asked.backend;
  const set = all("[data-more] select").filter((control) => control.selectedIndex > 0).map((control) => control.selectedOptions[0].text.split(":")[0]);
  one("[data-more] summary").textContent = set.length ? `Also: ${set.join(", ")}` : "dtype, layout, layer, settings";
  const parts = [];
  if (chosen("text").trim()) parts.push(...explained(asked));
  if (!MATRIX.recorded[asked.backend]?.includes(asked.release)) parts.push(unrecorded(asked));
  else if (!ready(adviceOf(asked))) parts.push(make("p", { class: "quiet" }, "Looking it up …"));
  else if (!loaded.get(adviceOf(asked))) parts.push(make("p", { class: "caution" }, `${adviceOf(asked)} could not be loaded: is the whole site there?`));
  else parts.push(...advice(asked));
  one("#mine-answer").replaceChildren(...parts);
  narrowTable(asked);
}

function explained(asked) {
  if (!ready("static/explain.js", "data/explain.js")) return [make("p", { class: "quiet" }, "Reading it …")];
  const said = { release: chosen("release"), backend: chosen("backend"), host_class: asked.host, switches_on: MATRIX.switches[asked.host] ?? null, profile: "" };
  const hash = new URLSearchParams({ text: chosen("text"), release: chosen("release"), backend: chosen("backend") });
  const told = JSON.stringify(explainText(chosen("text"), said)).replace(/\b(?:x86|arm|cuda|rocm)-[a-z0-9-]+/g, (name) => wordsOf(name));
  return [...explanation(JSON.parse(told)), make("p", { class: "quiet" }, make("a", { href: `errors.html#${hash}` }, "Where it was seen, and the evidence")), make("h2", {}, "What to write instead, or anew")];
}

const settingOf = (choice) => choice.nothing ? "nothing set" : MATRIX.settings[choice.profile] || choice.profile;
const pageOf = (choice, asked, { group }) => `tf/${asked.release}/${choice.approach}.html#${asked.backend}-${choice.profile}-on-${group.hosts[choice.profile]}`;
const wordsOf = (host) => MATRIX.words[host] ?? host;
const factor = (number) => number >= 10 ? number.toFixed(0) : number.toFixed(1);

function advice(asked) {
  const found = advised(asked);
  const { best, told, timed } = found;
  const parts = [];
  if (asked.unknown) parts.push(make("p", { class: "caution" }, "That processor is not known here. Paste its flags from /proc/cpuinfo, or its vendor's name for it. This is the answer for any processor:"));
  if (told.planned) return [...parts, ...planned(asked, found)];
  if (!best.length) {
    const where = `on TensorFlow ${asked.release}, ${MATRIX.backends[asked.backend]}`;
    parts.push(make("p", { class: "answer" }, `Nothing was measured ${where} that ${MATRIX.wishes[asked.need]} in ${asked.dtype}, ${asked.layout.toUpperCase()}${asked.nothing ? " with nothing set" : ""}.`));
    return [...parts, otherwise(asked, found), rest(found, asked)];
  }
  const [first] = best;
  const set = first.nothing ? ["nothing set"] : [make("code", {}, settingOf(first))];
  parts.push(make("p", { class: "answer" }, "Write it as ", make("a", { href: pageOf(first, asked, found) }, make("b", {}, first.approach)), `, with `, ...set, `: it ${MATRIX.wishes[asked.need]}${gain(found)}.`));
  const code = codeOf(first, found);
  if (code) parts.push(copied(make("pre", { class: "copy" }, make("code", {}, code))));
  for (const choice of traps(found)) parts.push(make("p", { class: "caution" }, make("b", {}, "Trap: "), `${choice.approach} works too, but it ${choice.trap}.`));
  parts.push(reason(first, asked, found), rest(found, asked));
  return parts;
}

/** Where nothing was measured of what is asked: the nearest that was, in f32 or with the channels last. */
function otherwise(asked, { group }) {
  const near = [{ layout: "nhwc" }, { dtype: "f32" }, { dtype: "f32", layout: "nhwc" }].map((change) => ({ ...asked, ...change }))
    .filter((one) => `${one.need === "fused" ? "infer-graph" : one.need}/${one.form}/${one.dtype}/${one.layout}` in group.answers && (one.dtype !== asked.dtype || one.layout !== asked.layout));
  const links = near.slice(0, 1).map((one) => make("a", { href: hashWith({ dtype: one.dtype === "f32" ? "" : one.dtype, layout: one.layout === "nhwc" ? "" : one.layout }) }, `${one.dtype}, ${one.layout.toUpperCase()}`));
  return links.length ? make("p", { class: "reason" }, "Measured there: ", ...links, ".") : "";
}

/** `, 3.1 times (2.9 to 3.3) as fast as split-concat`: the gain on the nearest layer that was timed. */
function gain({ timed }) {
  if (!timed?.split || timed.split <= 1) return "";
  const between = timed.interval ? ` (${timed.interval.map(factor).join(" to ")})` : "";
  return `, ${factor(timed.split)} times${between} as fast as split-concat`;
}

const traps = ({ best }) => best.filter((choice, number) => choice.trap && MATRIX.approaches[choice.approach].common && best.findIndex((one) => one.approach === choice.approach) === number);

function reason(first, asked, found) {
  const host = found.group.hosts[first.profile];
  const parts = [`All ${first.of} programs of it that were tried on TensorFlow ${asked.release}, ${asked.backend === "cpu" ? "" : `${MATRIX.backends[asked.backend]}, `}${wordsOf(host)}, give the right numbers. `];
  if (asked.host && asked.host !== host) parts.push(inferred(asked, host, first));
  if (first.fused === "yes" && asked.need !== "fused") parts.push("Bias and ReLU are computed inside its kernel. ");
  if (first.unseen) parts.push("Your number of groups was not tried; 4 were. ");
  if (found.untimed) parts.push("Your layer was not timed on this release: the order is that for the usual layer. ");
  else if (found.timed) parts.push(`Timed on ${layerOf(found.timed.layer)}${asked.form === found.timed.layer ? ", your very layer" : asked.form in MATRIX.like ? ", the nearest layer that was timed" : ""}, on ${wordsOf(found.timed.host_class)}. `);
  else if (asked.dtype === "f32" && asked.form === MATRIX.forms[0]) parts.push("Speed was not measured on this release: the order is what one would expect. ");
  return make("p", { class: "reason" }, ...parts, make("a", { href: pageOf(first, asked, found) }, "See the evidence"));
}

const layerOf = (name) => MATRIX.like[name] ? `${name} (${MATRIX.like[name]})` : name;

/** What a processor that nobody has run is answered from. */
function inferred(asked, host, choice) {
  const like = MATRIX.nearest[asked.host].find((name) => name !== host);
  const at = (release) => Math.abs(MATRIX.releases.indexOf(release) - MATRIX.releases.indexOf(asked.release));
  const [found] = MATRIX.agreements.filter((one) => one.onednn === MATRIX.onednn[choice.profile] && one.pair.includes(like) && one.pair.includes(host))
    .sort((a, b) => at(a.release) - at(b.release));
  const alike = found ? ` On ${found.release}, between ${wordsOf(found.pair[0])} and ${wordsOf(found.pair[1])}, ${found.said}.` : "";
  return `Nobody has run this on yours, ${wordsOf(asked.host)}: this is inferred, not measured.${alike} `;
}

function planned(asked, found) {
  const by = (fused) => [...new Set(found.open.filter((one) => one.nothing && one.fused === fused).map((one) => one.approach))];
  const told = [["yes", "inside the kernel"], ["some", "in part inside the kernel"], ["no", "as steps of their own"]].filter(([fused]) => by(fused).length)
    .map(([fused, where]) => `${where} for ${by(fused).join(", ")}`);
  const plan = told.length ? `TensorFlow ${asked.release} plans bias and ReLU ${told.join("; ")}.` : "";
  return [make("p", { class: "answer" }, `No run on ${MATRIX.backends[asked.backend]} was executed here for ${asked.release}: nothing can be advised. ${plan}`),
    make("p", { class: "reason" }, "What is planned was asked of TensorFlow's optimizer, for a device that was not there. ", ...nearestExecuted(asked)), rest(found, asked)];
}

function nearestExecuted(asked) {
  const executed = MATRIX.executed[asked.backend] ?? [];
  if (!executed.length) return [];
  return [`Executed on ${MATRIX.backends[asked.backend]}: `, ...linked_releases(executed, asked), "."];
}

const linked_releases = (releases, asked) => releases.flatMap((release, number) => [number ? " and " : "", make("a", { href: hashWith({ release }) }, release)]);

function hashWith(changes) {
  const hash = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(changes)) hash.set(name, value);
  return `#${hash}`;
}

function unrecorded(asked) {
  const recorded = MATRIX.recorded[asked.backend] ?? [];
  const at = (release) => MATRIX.releases.indexOf(release);
  const near = [recorded.findLast((release) => at(release) < at(asked.release)), recorded.find((release) => at(release) > at(asked.release))].filter(Boolean);
  return make("p", { class: "answer" }, `Unknown: nobody has run ${asked.release} on ${MATRIX.backends[asked.backend]} here.`,
    ...(near.length ? [" The nearest releases with a record are ", ...linked_releases(near, asked), "."] : []));
}

const SAID = { yes: "yes", no: "no", some: "in part", unknown: "unknown" };
const FUSES = { yes: "inside the kernel", some: "in part", no: "apart", unknown: "unknown" };

/** The others: what works too, and what fails or is not known. */
function rest(found, asked) {
  const open = found.told.planned || !found.best.length ? { open: "" } : {};
  const parts = [];
  if (found.best.length > 1) parts.push(make("details", {}, make("summary", {}, `All that do it (${found.best.length}), with times and code`), choiceTable(found.best, asked, found)));
  const others = [...found.out, ...found.open];
  if (others.length) parts.push(make("details", open, make("summary", {}, found.told.planned ? `What is planned for all ${others.length}` : `What fails or is unknown (${others.length}), and why`), choiceTable(others, asked, found)));
  return make("div", { class: "others" }, ...parts);
}

function choiceTable(list, asked, found) {
  const fusing = asked.need === "fused" || found.told.planned;
  const timed = list.some(({ times }) => times);
  const heads = ["written as", "with", fusing ? "bias and ReLU" : MATRIX.wishes[asked.need], ...(timed ? ["takes"] : []), "what it is, or why not"];
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const rows = list.map((choice) => make("tr", {},
    make("th", { scope: "row" }, make("a", { href: pageOf(choice, asked, found) }, choice.approach)),
    make("td", {}, settingOf(choice)),
    make("td", { class: `a a-${fusing ? choice.fused : choice.answer}` }, fusing ? FUSES[choice.fused] : SAID[choice.answer], ...(choice.trap ? [make("small", { class: "trap" }, choice.trap)] : [])),
    ...(timed ? [make("td", { class: "n" }, choice.times ? (choice === list[0] ? "1" : `${factor(choice.times)} times`) : "not timed")] : []),
    make("td", { class: "wide" }, choice.why ?? MATRIX.approaches[choice.approach].summary, ...coded(choice, found))));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `approaches, ${list[0].answer}` },
    make("table", { class: "list" }, make("thead", {}, head), make("tbody", {}, ...rows)));
}

function coded(choice, found) {
  const code = codeOf(choice, found);
  return code ? [make("details", {}, make("summary", {}, "code"), copied(make("pre", { class: "copy" }, make("code", {}, code))))] : [];
}

/* ---- the table below ---- */

const drawn = new WeakMap();

/** Leave only what exists for what is asked, and let what is asked decide the words and colours. */
function narrowTable(asked) {
  const release = chosen("release");
  const found = release && DATA[`advice/${release}-${asked.backend}`] ? advised(asked) : null;
  const hosts = found && !found.told.planned ? new Set(Object.values(found.group.hosts)) : null;
  const particular = ["need", "dtype", "layout", "form"].some(chosen);
  const form = MATRIX.forms.includes(chosen("form")) ? chosen("form") : "";
  const known = all(`.place[data-backend="cpu"][data-host="${asked.host}"]`).length > 0;
  if (chosen("every") || form) restColumns();
  for (const place of all(".place")) {
    const { backend, host } = place.dataset;
    const other = (release || chosen("backend")) && backend !== asked.backend;
    place.hidden = Boolean(other || (hosts ? !hosts.has(host) : known && backend === "cpu" && host !== asked.host));
    if (release && !place.hidden) place.open = true;
    for (const section of all(".profile", place)) {
      for (const row of all("tr[data-release]", section)) row.hidden = Boolean(release) && row.dataset.release !== release;
      for (const head of all(".range", section)) head.hidden = Boolean(release);
      section.hidden = Boolean(release) && !all("tr[data-release]", section).some((row) => !row.hidden && !one("td.unobserved", row));
      one("table.support", section)?.classList.toggle("one", Boolean(release));
      if (section.hidden || place.hidden) continue;
      for (const cell of all("[data-a]", section)) {
        const { computes } = MATRIX.approaches[cell.dataset.a];
        cell.hidden = form ? computes !== computed(form) : Boolean(found && particular) && computes !== MATRIX.forms[0];
        cell.classList.toggle("asked", form !== "" && computes === computed(form) && !form.startsWith(MATRIX.forms[0]));
        if (cell.dataset.n !== undefined) recolour(cell, particular ? found : null, asked, section.dataset.profile, !release && chosen("need"));
      }
    }
  }
}

/** Add the columns of the approaches that are not on the page, once. */
function restColumns() {
  if (!ready("data/table.js") || one(".support .rest")) return;
  for (const section of all(".profile")) {
    for (const head of all("thead tr", section)) head.append(...TABLE.approaches.map((name) => make("th", { scope: "col", class: "rest", "data-a": name }, name)));
    for (const row of all("tbody tr", section)) {
      const release = row.dataset.release ?? row.dataset.newest;
      const letters = TABLE.rows[section.id]?.[release];
      if (letters) row.append(...TABLE.approaches.map((name, number) => restCell(name, letters[number], release, section.id)));
    }
  }
}

function restCell(name, letter, release, id) {
  const word = TABLE.words[letter];
  if (!word) return make("td", { class: "rest unasked", "data-a": name }, "·");
  return make("td", { class: "rest", "data-a": name, "data-n": "" }, make("a", { class: `v v-${word}`, href: `tf/${release}/${name}.html#${id}` }, word));
}

/** Show in a cell the answer to what is asked, instead of the verdict. Where no release is chosen, only the need can be. */
function recolour(cell, found, asked, profile, need) {
  const link = one("a", cell);
  if (!drawn.has(cell)) drawn.set(cell, { className: link.className, textContent: link.textContent });
  const answer = found ? answerFor(found, asked, cell.dataset.a, profile) : need && cell.dataset.n ? LETTERS[cell.dataset.n[NEEDS.indexOf(need)]] : null;
  Object.assign(link, answer ? { className: `v v-${answer}`, textContent: SAID[answer] } : drawn.get(cell));
}

const NEEDS = ["infer-eager", "infer-graph", "infer-jit", "train", "fused"];
const LETTERS = { y: "yes", n: "no", s: "some", u: "unknown" };
