/* What a text means and what to do about it: the rules of matrix/catalog/patterns.py and of text_facts.py, situation.py,
   question_answers.py and explain.py in matrix/answers/, over the same data. A test puts the same texts to both. */
"use strict";

const REACH = 500;
const AT_ONCE = 4000;
const AROUND = 8000;
const USUAL_FACTORS = [2, 3, 5, 7];
const CUT = 20;
const RATHER = 2;
const LONGEST_QUESTION = 2000;
const SWITCHES_ITSELF = [2, 9];
const PROCESSOR_DECIDES = "The processor decides, not the release: from 2.9 on oneDNN is on by default only where it has AVX512_VNNI, AVX512_BF16, AVX_VNNI or AMX (on Arm, Neoverse V1).";
const TRAINS = { yes: "; trains too", no: "; forward only", some: "; gradients only in part" };
const BACKENDS = { cpu: "CPU", cuda: "CUDA", rocm: "ROCm" };

/* ---- texts ---- */

const searched = (text) => text.replace(/[\u2018\u2019]/g, "'").replace(/[\u201c\u201d]/g, '"').replace(/[\s\x1c-\x1f\x85\ufeff]+/g, " ")
  .replace(/^ | $/g, "").replace(/[\ud800-\udbff][\udc00-\udfff]|[^\x00-\x7f]/g, "?");

const compiled = new Map();

/** A text on one line, in which patterns are looked for around their literals. */
class Searched {
  constructor(text) {
    this.text = searched(text);
    this.lowered = this.text.toLowerCase();
    this.words = new Set(this.lowered.split(/[^a-z0-9_]+/));
  }

  find([literal, word, pattern]) {
    if (word && !this.words.has(word)) return null;
    if (!compiled.has(pattern)) compiled.set(pattern, new RegExp(pattern, "i"));
    for (let at = this.lowered.indexOf(literal); at >= 0; at = this.lowered.indexOf(literal, at + AT_ONCE)) {
      const start = Math.max(0, at - REACH);
      const found = compiled.get(pattern).exec(this.text.slice(start, at + AT_ONCE + REACH));
      if (found) return { start: start + found.index, end: start + found.index + found[0].length, groups: filledOnly(found.groups ?? {}) };
    }
    return null;
  }

  first(patterns) {
    for (const pattern of patterns) {
      const found = this.find(pattern);
      if (found) return found;
    }
    return null;
  }
}

const filledOnly = (groups) => Object.fromEntries(Object.entries(groups).filter(([, value]) => value));
const filled = (text, facts) => text.replace(/\{([a-z]+)\}/g, (_, name) => facts[name] ?? "...");
const minor = (release) => release.match(/^(\d+)\.?(\d*)/).slice(1).map(Number);
const isBefore = (one, other) => one[0] < other[0] || (one[0] === other[0] && one[1] < other[1]);

/* ---- facts ---- */

function read(where, patterns) {
  const found = where.first(patterns);
  let facts = found ? { ...found.groups } : {};
  const { start, end } = found ?? { start: where.text.length - AROUND, end: where.text.length };
  const near = new Searched(where.text.slice(Math.max(0, start - AROUND), end + AROUND));
  for (const clue of DATA.explain.clues) {
    const seen = clue.fact in facts ? null : near.first(clue.patterns);
    if (!seen) continue;
    const { value, ...groups } = seen.groups;
    facts = { ...groups, ...facts, [clue.fact]: clue.value || value || "yes" };
    if (clue.value && value) facts = { value, ...facts };
  }
  return { ...facts, ...conclusions(facts) };
}

const isNumber = (value) => /^[0-9]+$/.test(value ?? "");

function conclusions(facts) {
  const found = channels(facts);
  const known = { ...facts, ...found };
  let rest = isNumber(known.groups) ? Number(known.groups) : 0;
  if (rest && isNumber(known.batch) && rest === Number(known.batch)) found.modulated = "yes";
  for (const factor of USUAL_FACTORS) while (rest && rest % factor === 0) rest /= factor;
  if (rest > 1) found.unasked = "yes";
  if ((facts.op ?? "").endsWith("BackpropInput") && facts.check !== "gradient") found.backprop = "yes";
  return found;
}

function channels(facts) {
  const found = {};
  if ("shapes" in facts && !("input" in facts)) found.input = facts[facts.layout === "nchw" ? "second" : "fourth"];
  const [input, filter] = [found.input ?? facts.input, facts.filter].map((value) => (isNumber(value) ? Number(value) : 0));
  if (input && filter && input % filter) found.uneven = "yes";
  else if (input && filter && input > filter) {
    Object.assign(found, { groups: String(input / filter), grouped: "yes" });
    if (filter === 1) found.single = "yes";
  }
  return found;
}

function holds(condition, facts, release, backend) {
  const [, negated, name, sign, value] = condition.match(/^(!?)([a-z0-9-]+)(?:(=|<|>=)(.+))?$/);
  let held;
  if (name === "release") held = Boolean(release) && isBefore(minor(release), minor(value)) === (sign === "<");
  else held = sign ? ({ ...facts, backend }[name] ?? "") === value : name in facts;
  return held !== Boolean(negated);
}

/* ---- releases ---- */

const version = (release) => {
  const [, major, second, micro, before] = release.match(/^(\d+)\.(\d+)(?:\.(\d+))?((?:a|b|rc|\.dev)\d+)?$/) ?? [];
  return major === undefined ? null : [Number(major), Number(second), Number(micro ?? 0), before ? -1 : 0, micro === undefined ? 2 : 3];
};
const compared = (one, other) => {
  const at = [0, 1, 2, 3].find((place) => one[place] !== other[place]);
  return at === undefined ? 0 : one[at] - other[at];
};
const inOrder = (releases) => [...new Set(releases)].sort((a, b) => compared(version(a), version(b)));

/** The recorded releases that answer for one that is asked for, and what is to be said of that; null for no version. */
function nearest(asked, recorded) {
  const wanted = version(asked);
  if (!wanted) return null;
  const known = inOrder(recorded);
  if (known.includes(asked)) return { releases: [asked], note: "" };
  const same = known.filter((one) => version(one)[0] === wanted[0] && version(one)[1] === wanted[1]);
  if (same.length && wanted[4] < 3) return { releases: [same.at(-1)], note: "" };
  if (same.length) {
    const far = (one) => Math.abs(version(one)[2] - wanted[2]);
    const closest = [...same].sort((a, b) => far(a) - far(b) || (a < b ? -1 : 1))[0];
    return { releases: [closest], note: `There is no record of ${asked}; shown is ${closest}, of the same minor.` };
  }
  const older = known.filter((one) => compared(version(one), wanted) < 0);
  const newer = known.slice(older.length);
  if (!older.length) return { releases: [newer[0]], note: `There is no record of ${asked} or anything older; shown is ${newer[0]}, the oldest.` };
  if (!newer.length) return { releases: [older.at(-1)], note: `There is no record of ${asked} or anything newer; shown is ${older.at(-1)}, the newest.` };
  return { releases: [older.at(-1), newer[0]], note: `There is no record of ${asked}; shown is ${newer[0]}, the next that was run after ${older.at(-1)}.` };
}

function inRanges(releases, recorded) {
  const groups = [];
  for (const release of recorded.filter((one) => releases.includes(one))) {
    const last = groups.at(-1);
    if (last && recorded.indexOf(release) === recorded.indexOf(last.at(-1)) + 1) last.push(release);
    else groups.push([release]);
  }
  return groups.map((group) => (group.length === 1 ? group[0] : `${group[0]} to ${group.at(-1)}`)).join(", ");
}

const recordedReleases = (backend) => inOrder(DATA.explain.places.filter((place) => place.observations && !place.planned && place.backend === backend).map((place) => place.release));

/* ---- the run that answers ---- */

const settingOfProfile = (profile) => DATA.explain.settings.find((one) => one.name === profile);
const optionsOf = (place) => settingOfProfile(place.profile)?.options ?? [place.profile];

function state(place) {
  const setting = settingOfProfile(place.profile);
  const known = place.backend === "cpu" && typeof place.onednn === "boolean";
  const switched = known ? (place.onednn ? "oneDNN on" : "oneDNN off") : "";
  return [switched, setting?.options.length ? setting.setting : ""].filter(Boolean).join(" and ") || "nothing set";
}

function settingWords(profile, release) {
  const setting = settingOfProfile(profile);
  if (!setting?.setting) return `Take the profile ${profile}`;
  if (setting.python) {
    const shell = setting.setting.slice(0, -setting.python.length).replace(/ and $/, "");
    const call = `call ${setting.python} before the first function`;
    return shell ? `Set ${shell} before Python starts, and ${call}` : `C${call.slice(1)}`;
  }
  if (setting.onednn === false && release && isBefore(minor(release), SWITCHES_ITSELF)) return `Unset TF_ENABLE_ONEDNN_OPTS (or ${setting.setting}) before Python starts`;
  return `Set ${setting.setting} before Python starts`;
}

const isTransposed = (facts) => "backprop" in facts || "transposed" in facts;
const toldOf = (where, facts) => where.approach in DATA.explain.approaches && !where.misuse
  && (DATA.explain.approaches[where.approach].form === "transpose") === isTransposed(facts);

function fitness(where, facts) {
  const check = facts.check === "gradient" ? "gradient" : "forward";
  const rank = String(DATA.explain.approaches[where.approach]?.rank ?? "");
  const [dtype, layout] = [facts.dtype ?? "f32", facts.layout ?? "nhwc"];
  return 16 * where.modes.includes(facts.mode ?? "") + 8 * (where.check === check) + 4 * (rank === (facts.rank ?? "2"))
    + 2 * where.variants.some((one) => one.includes(`/${dtype}/`)) + where.variants.some((one) => one.endsWith(`/${layout}`));
}

const ranOn = (where, place, facts) => where.runs.includes(place.run) && where.host_class === place.host_class && toldOf(where, facts);
const fitOf = (place, error, facts) => Math.max(-1, ...(error?.where ?? []).filter((where) => ranOn(where, place, facts)).map((where) => fitness(where, facts)));
/** The first of those for which the function gives the most. */
const best = (list, worth) => list.reduce((most, one) => (most === undefined || worth(one) > worth(most) ? one : most), undefined);

function bestWhere(error, place, facts) {
  return best(error.where.filter((where) => ranOn(where, place, facts)), (where) => fitness(where, facts)) ?? null;
}

function onlyDtypes(place, error, facts) {
  const found = error.where.filter((where) => ranOn(where, place, facts)).flatMap((where) => where.variants.map((one) => one.split("/").at(-2)));
  return found.includes(facts.dtype ?? "f32") ? "" : [...new Set(found.map((one) => DATA.explain.dtypes[one]))].join(" and ");
}

/** The backend that was asked for, or else the one that the text speaks of. */
const backendOf = (asked, facts) => asked.backend || (facts.device === "gpu" ? "cuda" : "cpu");

function situation(asked, facts, error) {
  let backend = backendOf(asked, facts);
  const notes = [];
  const only = error?.backends ?? [];
  if (only.length && !only.includes(backend)) {
    if (asked.backend) notes.push(`Only ${only.map((one) => BACKENDS[one]).join(" and ")} has the kernels that say this: there it ran, not on ${BACKENDS[backend]}.`);
    backend = only[0];
  }
  let release = asked.release || facts.release || "";
  if (!asked.release && release) notes.push(`The text is of TensorFlow ${release}.`);
  else if (!release && "until" in facts) {
    release = facts.until;
    notes.push(`By its paths the traceback is of TensorFlow ${release} or somewhat older; --release makes it exact.`);
  }
  if (!release) {
    notes.push(`For your case exactly, say --release, such as 2.8${backend === "cpu" ? ", and --this-machine or --processor: on a CPU both decide" : ""}.`);
    return { release, backend, words: "", named: "", notes, ofTheText: notes, place: null, raised: false, doubts: [] };
  }
  const named = `TensorFlow ${release}, ${BACKENDS[backend]}`;
  const executed = DATA.explain.places.filter((place) => !place.planned && place.backend === backend);
  const observed = executed.filter((place) => place.observations).map((place) => place.release);
  const near = nearest(release, observed.length ? observed : [release]);
  const there = executed.filter((place) => near && place.release === near.releases.at(-1));
  if (!there.length) {
    const missing = `No run on ${BACKENDS[backend]} was executed here: nothing below was measured on it.`;
    return { release, backend, words: named, named, notes: [...notes, missing], ofTheText: notes, place: null, raised: false, doubts: [] };
  }
  const hosts = [...new Set(there.filter((place) => place.observations).map((place) => place.host_class))].sort();
  const weight = (host) => (host.endsWith("-emulated") ? 0 : 1e6) + executed.filter((place) => place.host_class === host).length;
  const host = hosts.includes(asked.host_class) ? asked.host_class : best(hosts, weight);
  const [place, words, more] = chosenRun(there.filter((one) => one.host_class === host), asked, facts, error);
  return { release, backend, words: `TensorFlow ${near.releases.at(-1)}, ${BACKENDS[backend]}${words}`, named,
    notes: [...notes, ...(near.note ? [near.note] : []), ...more], ofTheText: notes, place, raised: place !== null && fitOf(place, error, facts) >= 0,
    doubts: place ? doubtsOf(there, place) : [] };
}

function chosenRun(here, asked, facts, error) {
  const of = (profile) => here.findLast((place) => place.profile === profile);
  const resolved = (place) => (place?.same_as ? here.findLast((one) => one.run === place.same_as) ?? place : place);
  const plain = [...new Map(here.map((place) => [place.profile, place])).values()].filter((place) => place.observations && !optionsOf(place).length);
  let usual = resolved(of("default"));
  const isKnown = typeof usual?.onednn === "boolean";
  if (!usual || (asked.host_class && asked.host_class !== usual.host_class && isKnown)) {
    const on = Boolean(asked.switches_on) && plain.some((place) => !isBefore(minor(place.release), SWITCHES_ITSELF));
    usual = plain.find((place) => place.onednn === on) ?? usual;
  }
  let chosen = usual;
  const notes = [];
  if (asked.profile) {
    chosen = resolved(of(asked.profile));
    if (!chosen?.observations) {
      notes.push(`No run with ${settingOfProfile(asked.profile).setting || "nothing set"} was recorded there; shown is what holds with nothing set.`);
      chosen = usual;
    }
  } else if (chosen && error) {
    const other = best(plain, (place) => fitOf(place, error, facts)) ?? chosen;
    if (fitOf(other, error, facts) >= fitOf(chosen, error, facts) + RATHER) {
      const only = onlyDtypes(chosen, error, facts);
      notes.push(`With nothing set on ${asked.host_class || chosen.host_class} your program does not say this${only ? ` unless it is in ${only}` : ""}: yours has ${state(other)}, by a variable or by another processor.`);
      chosen = other;
    }
  }
  if (!chosen) return [null, "", notes];
  const only = error ? onlyDtypes(chosen, error, facts) : "";
  if (only) notes.push(`There only programs in ${only} say this.`);
  let words = `, ${state(chosen)}`;
  if (usual && chosen.run === usual.run && chosen.profile !== "default") {
    words += `, as it is with nothing set on ${asked.host_class || chosen.host_class}`;
    if (!asked.host_class && !isBefore(minor(chosen.release), SWITCHES_ITSELF)) words += " (on other processors it may be the other way round)";
  }
  if (asked.host_class && asked.host_class !== chosen.host_class) words += ` (measured on ${chosen.host_class})`;
  return [chosen, words, notes];
}

function doubtsOf(there, chosen) {
  const failing = there.filter((one) => one.doubtful && one.profile === chosen.profile && !one.host_class.endsWith("-emulated"));
  if (!failing.length) return [];
  const told = new Map(failing.map((one) => [one.host_class, one.doubtful.split(/, | \(|: output/)[0]]));
  const where = [...told].map(([host, how]) => `${host} (${how})`).join(" and ");
  const amd = [...told.keys()].every((name) => name.endsWith("-amd")) ? "AMD's processors, " : "";
  return [`On ${amd}${where}, this release and setting fail without groups as well: crashes or wrong numbers.`];
}

/* ---- questions ---- */

const TIMED = ["nn-conv2d", "keras-groups", "depthwise", "split-concat", "dense"];
const ASKED_OF = ["keras-groups", "nn-conv2d", "depthwise", "split-concat"];
const NEWEST = "2.21";
const ANSWERS = { y: "yes", n: "no", s: "some", u: "?" };
const FUSED = { fused: "fused", partly: "partly fused", separate: "apart", none: "apart", refused: "refused" };

function findQuestion(text, asked, facts) {
  const lowered = text.toLowerCase();
  if ("failure" in facts || text.length > LONGEST_QUESTION) return null;
  return DATA.explain.questions.find((question) => question.words.every((one) => one.split("|").some((word) => lowered.includes(word)))
    && question.when.every((one) => holds(one, facts, asked.release, backendOf(asked, facts)))) ?? null;
}

function answerQuestion(question, asked, facts) {
  const here = situation(asked, facts, null);
  let [notes, place, fastest, shown, release, before] = [here.notes, here.words, [], [], here.release, ""];
  if (question.shows === "speed") {
    const [told, rows, steps] = speedRows(asked, here, facts);
    [notes, place, shown, fastest] = [[...notes.filter((note) => note.startsWith("For your case")), ...told], "", rows, steps];
  } else if (question.shows === "fusion") {
    [notes, shown, release, before] = fusionRows(here.backend, release);
    place = "";
  } else if (question.shows === "needs") {
    const there = release ? here : situation({ ...asked, release: NEWEST }, facts, null);
    [place, shown] = [there.words, there.place ? needRows(there.place, facts) : []];
  }
  const layer = ["groups", "dtype", "layout"].filter((name) => (facts[name] ?? "1") !== "1").map((name) => ` --${name} ${facts[name]}`).join("");
  const command = filled(question.command, { need: "infer", ...facts, release: release || NEWEST, backend: here.backend, before, layer });
  return { known: [], question: question.id, what: question.says ?? "", notes, place, run: "", host_class: "",
    do: [...fastest.map((words) => ({ words, basis: "measured" })), ...question.do.map((words) => ({ words, basis: "program" })), ...question.reported.map((words) => ({ words, basis: "reported" }))],
    why: question.why, shown, otherwise: [], where: [], evidence: question.links, near: [], more: `tf-groupconv ${command}`, facts };
}

function speedRows(asked, here, facts) {
  const timed = DATA.explain.timings.filter((one) => one.backend === here.backend);
  if (!timed.length) return [[`No times were taken on ${BACKENDS[here.backend]}: no record of ours says what is faster there.`], [], []];
  const wanted = here.release || NEWEST;
  const name = nearest(wanted, timed.map((one) => one.release)).releases.at(-1);
  const hosts = [...new Set(timed.filter((one) => one.release === name).map((one) => one.host_class))].sort();
  const host = hosts.includes(asked.host_class) ? asked.host_class : hosts.at(-1);
  const there = timed.filter((one) => one.release === name && one.host_class === host && one.batch === 1);
  let profiles = [...new Set(there.map((one) => one.profile))].sort().reverse();
  if (profiles.includes(asked.profile)) profiles = [asked.profile];
  const groups = Number(facts.groups || 0);
  const layers = Object.fromEntries(there.map((one) => [one.layer, one.groups]));
  const far = (layer) => Math.abs(layers[layer] - groups);
  let layer = "resnext50-56";
  if (groups > 1) [layer] = Object.keys(layers).sort((a, b) => far(a) - far(b) || (a < b ? -1 : 1));
  else if ("depthwise" in facts) layer = "mobilenet-14";
  const other = name.slice(0, name.lastIndexOf(".")) !== wanted.split(".").slice(0, 2).join(".");
  const steps = [];
  const rows = [`Milliseconds a call at ${layer} (${layers[layer] ?? 0} groups, 1 image), ${name} on ${host}:`];
  for (const profile of profiles) {
    for (const one of there.filter((each) => each.profile === profile && each.layer === layer)) {
      const times = TIMED.filter((variant) => variant in one.milliseconds).map((variant) => `${variant} ${one.milliseconds[variant]}`);
      rows.push(`  ${profile}, ${one.direction}: ${times.join(", ")}`);
      if (one.direction === (facts.need === "train" ? "train" : "forward")) steps.push(...fastestOf(one.milliseconds, `${profile}, ${one.direction}`));
    }
  }
  return [other ? [`No times were taken of ${wanted}; these are of ${name}.`] : [], rows.flatMap((row) => folded(row)), steps];
}

function fastestOf(milliseconds, where) {
  const timed = TIMED.filter((one) => one in milliseconds && one !== "dense");
  const [fastest, slowest] = [best(timed, (one) => -milliseconds[one]), best(timed, (one) => milliseconds[one])];
  return fastest === slowest ? [] : [`Write it as ${fastest} (${where}): ${milliseconds[fastest]} ms a call where ${slowest} takes ${milliseconds[slowest]}.`];
}

function fusionRows(backend, release) {
  const places = DATA.explain.places.filter((one) => one.backend === backend && Object.keys(one.fusion).length && !one.host_class.endsWith("-emulated"));
  if (!places.length) return [[`No record shows what is fused on ${BACKENDS[backend]}.`], [], release, ""];
  const recorded = inOrder(places.map((one) => one.release));
  const name = nearest(release || NEWEST, recorded).releases.at(-1);
  const before = recorded[Math.max(0, recorded.indexOf(name) - 1)];
  const rows = ["Bias and ReLU of a grouped Conv2D (4 groups, 3x3, float32):"];
  for (const one of inOrder([before, name])) {
    const hosts = [...new Set(places.filter((place) => place.release === one).map((place) => place.host_class))].sort();
    const host = best(hosts, (each) => places.filter((place) => place.host_class === each).length);
    for (const place of places) {
      if (place.release !== one || place.host_class !== host || !["default", "onednn-on", "onednn-off"].includes(place.profile)) continue;
      const said = ["nn-conv2d", "keras-groups"]
        .flatMap((approach) => Object.entries(place.fusion).filter(([key]) => key.split(" ")[0] === approach))
        .map(([key, epilogue]) => `${kernelOf(key)} ${FUSED[epilogue]}`);
      rows.push(`  ${one} ${place.profile} (${place.planned ? "planned" : "executed"}): ${said.join(", ")}`);
    }
  }
  return [[], rows.flatMap((row) => folded(row)), name, before];
}

function kernelOf(key) {
  const [approach, geometry] = key.split(" ");
  if (geometry.endsWith("-var")) return `${approach} with a variable kernel`;
  return geometry.endsWith("-const") ? `${approach} with a constant kernel` : approach;
}

function needRows(place, facts) {
  const ofRank = `keras-groups-${facts.rank}d`;
  const rows = ["  float32, NHWC      eagerly  in a graph  under XLA  trains  fused"];
  for (const approach of (ofRank in place.needs ? [ofRank] : ASKED_OF).filter((one) => one in place.needs)) {
    const [eager, graph, jit, train, fused] = [...place.needs[approach]].map((letter) => ANSWERS[letter]);
    rows.push(`  ${approach.padEnd(18)} ${eager.padEnd(8)} ${graph.padEnd(11)} ${jit.padEnd(10)} ${train.padEnd(7)} ${fused}`);
  }
  return rows;
}

function folded(row, width = 80) {
  const lines = [];
  let rest = row;
  while (rest.length > width) {
    const at = rest.lastIndexOf(", ", width - 2);
    if (at <= 0) break;
    lines.push(rest.slice(0, at + 1));
    rest = `      ${rest.slice(at + 2)}`;
  }
  return [...lines, rest];
}

/* ---- the answer ---- */

/** What a text means and what to do; `asked` has release, backend, host_class, switches_on and profile, "" for unsaid. */
function explainText(text, asked) {
  const whole = new Searched(text);
  let meant = DATA.explain.errors.filter((error) => whole.first(error.patterns));
  let facts = read(whole, meant.length ? meant[0].patterns : []);
  let cut = false;
  if (!meant.length) {
    const short = cutShort(whole.text);
    if (short) [meant, cut] = [[short], true];
  }
  if (!meant.length) {
    const question = findQuestion(whole.text, asked, facts);
    if (question?.error) {
      meant = DATA.explain.errors.filter((error) => error.id === question.error);
      facts = { ...facts, question: "yes" };
    } else if (question) return answerQuestion(question, asked, facts);
  }
  return meant.length ? ofError(meant, asked, facts, cut) : unknownText(whole.text, facts);
}

const wordsIn = (text) => new Set(text.toLowerCase().match(/[a-z_]{3,}/g) ?? []);

function unknownText(text, facts) {
  const told = wordsIn(text.slice(-20000));
  const share = (example) => {
    const of = [...wordsIn(example)];
    return of.length ? of.filter((word) => told.has(word)).length / of.length : 0;
  };
  const shares = new Map(DATA.explain.errors.map((error) => [error, Math.max(...error.examples.map(share))]));
  const near = DATA.explain.errors.filter((error) => shares.get(error) >= 0.5).sort((a, b) => shares.get(b) - shares.get(a)).slice(0, 3);
  const runs = DATA.explain.places.filter((place) => place.observations && !place.same_as).length;
  return { known: [], question: "", what: `Not seen: no observation in ${runs} runs has this text, nor has a public report known here.`, notes: [],
    place: "", run: "", host_class: "", do: [], why: [], shown: [], otherwise: [], where: [], evidence: [],
    near: near.map((error) => `${error.name} (${error.id}): ${error.examples[0]}`), more: "--all; the page errors.html lists every text that is known.", facts };
}

function cutShort(text) {
  const given = text.toLowerCase().replace(/\.\.\.$/, "").trimEnd();
  for (const error of DATA.explain.errors) {
    for (const example of error.examples) {
      const full = searched(example).toLowerCase();
      if (given.length >= CUT && full.includes(given)) return error;
      for (let size = Math.min(given.length, full.length); size >= CUT; size -= 1) if (given.endsWith(full.slice(0, size))) return error;
    }
  }
  return null;
}

function ofError(meant, asked, facts, cut) {
  const [error] = meant;
  const here = situation(asked, facts, error);
  const place = here.place;
  const known = typeof place?.onednn === "boolean" ? { ...facts, onednn: place.onednn ? "on" : "off" } : facts;
  const reading = error.readings.find((one) => one.when.every((each) => holds(each, known, here.release, asked.backend || here.backend)));
  const told = { ...error, ...filledOnly({ name: reading?.name }), measured: reading?.measured ?? true, without: reading?.without ?? [], links: [...(reading?.links ?? []), ...error.links] };
  for (const key of ["meaning", "mend", "reported", "otherwise"]) if (reading && reading[key] !== null) told[key] = reading[key];
  const steps = told.mend.map((words) => ({ words: filled(words, facts), basis: "program" }));
  const why = [filled(told.meaning, facts)];
  const fromRecords = told.measured && error.where.some((where) => !where.misuse);
  const notes = [...(fromRecords ? here.notes : here.ofTheText)];
  if (cut) notes.push("The text is cut short: this is the known text that it is a part of.");
  if (!error.seen) notes.push("No record of ours shows this text; what follows comes from public reports.");
  let [where, cell] = [null, ""];
  if (fromRecords) {
    let source = error;
    if (place && !here.raised) {
      const [toldNot, other] = notRaised(error, place);
      notes.push(toldNot);
      source = other;
    }
    where = place ? bestWhere(source, place, facts) : null;
    if (where) cell = `${place.run}/${where.cell}`;
    if (facts.single && error.backends.join() === "cpu" && !isTransposed(facts)) steps.push(...depthwiseStep(here));
    if (where) {
      steps.push(...measured(where, place, facts, told), ...onOthers(source, where, place, facts, told));
      if (switchCures(where, place)) why.push(PROCESSOR_DECIDES);
    } else if (!steps.length) steps.push(...inMost(error, facts, told, here.release ? "elsewhere" : "measured"));
  }
  steps.push(...told.reported.map((words) => ({ words: filled(words, facts), basis: "reported" })));
  return { known: meant.map((one) => one.id), question: "", what: sentenceOf(filled(told.name, facts)), notes, place: fromRecords ? here.words : here.named,
    run: place && fromRecords ? place.run : "", host_class: place && fromRecords ? place.host_class : "", do: steps, why, shown: [],
    otherwise: told.otherwise.map((words) => filled(words, facts)), where: [...(fromRecords ? here.doubts : []), ...whereElse(error, where?.approach ?? "")],
    evidence: [...(cell ? [cell] : []), ...told.links], near: [], more: `--all has other causes, code and evidence (${error.id}).`, facts };
}

function sentenceOf(text) {
  const [first] = text.split(" ");
  const start = first !== first.toLowerCase() || first.includes("=") ? text : `${text[0].toUpperCase()}${text.slice(1)}`;
  return `${start.replace(/\.+$/, "")}.`;
}

function notRaised(error, place) {
  const seen = error.looked[`${place.run} on ${place.host_class}`];
  if (!seen) return ["No record of this release and setting has a cell that could show this text.", error];
  const most = best(Object.keys(seen.others), (id) => seen.others[id]);
  const total = Object.values(seen.others).reduce((sum, count) => sum + count, 0);
  if (most && 2 * total >= seen.cells) {
    const other = DATA.explain.errors.find((one) => one.id === most);
    const [example] = other.examples;
    const words = example.length <= 90 ? example : `${example.slice(0, 87).trimEnd()}...`;
    return [`In our records of it the same programs are refused in other words: "${words}" (${most}). What follows was measured for that refusal.`, other];
  }
  const which = seen.passed === seen.cells ? "all of them pass" : "none of them says this";
  return [`In our records of it ${seen.cells} cells were run that raise this text elsewhere: ${which}.`, error];
}

const isWhole = (way) => way.passed === way.of && !way.modes.length;

function switchCures(where, place) {
  if (place.backend !== "cpu" || place.onednn !== false || isBefore(minor(place.release), SWITCHES_ITSELF)) return false;
  return where.ways.some((way) => way.kind === "profile" && isWhole(way) && settingOfProfile(way.name)?.onednn === true);
}

/** What has more to set than the switch of oneDNN comes after what is compiled. */
const KINDS = ["profile", "mode", "option", "approach", "epilogue", "release"];
const kindOf = (way) => way.kind === "profile" && settingOfProfile(way.name)?.options.length ? "option" : way.kind;
const isWasteful = (way) => way.kind === "approach" && Boolean(DATA.explain.approaches[way.name]?.wasteful);
const worthOf = (way) => [!isWhole(way), way.trains === "no" || way.trains === "some", isWasteful(way), KINDS.indexOf(kindOf(way))];
const plainnessOf = (way) => [isWasteful(way), way.name !== DATA.explain.split, DATA.explain.approaches[way.name]?.place ?? 1000];
const byKeys = (keys) => (a, b) => {
  const [these, those] = [keys(a), keys(b)];
  return these.map((key, at) => key - those[at]).find(Boolean) ?? 0;
};

/** Options that were not run on the person's processor, and help the same programs on another one that has the same
 * set. What does not train is left to those who measured it. One of oneDNN's own, such as an ISA, does something else on each processor. */
function onOthers(error, where, place, facts, told) {
  const [mode, alike] = [facts.mode ?? "", (one) => [one.backend, one.profile, one.approach, one.check, ...one.modes].join()];
  const here = DATA.explain.places.filter((one) => one.release === place.release && one.backend === place.backend && one.host_class === place.host_class);
  const run = new Set(here.map((one) => one.profile));
  const steps = [];
  for (const other of error.where) {
    const at = other.releases.indexOf(place.release);
    if (alike(other) !== alike(where) || at < 0 || !other.variants.includes(where.variants[0]) || other.host_class.endsWith("-emulated")) continue;
    for (const way of other.ways) {
      if (way.trains === "no" || way.trains === "some" || !fits(way, mode, told)) continue;
      const setting = way.kind === "profile" && !run.has(way.name) ? settingOfProfile(way.name) : null;
      const isOwn = setting && Object.keys(setting.environment).some((name) => name.startsWith("ONEDNN_"));
      if (!setting?.options.length || isOwn) continue;
      run.add(way.name);
      steps.push({ words: `${wayWords(way, place.release, mode)}${limitsOf(way, mode)} (measured on ${other.host_class}).`, basis: "elsewhere",
        cell: `${other.runs[at].split("+")[0]}+${way.name}/${way.cell}`, way });
    }
  }
  return steps;
}

/** In which modes alone a way was measured, that it fuses nothing, and whether it trains. */
function limitsOf(way, mode) {
  const only = isWhole(way) || way.modes.includes(mode) ? "" : ` (only ${way.modes.join(" and ")})`;
  return `${only}${way.fusion === "separate" ? "; nothing is fused" : ""}${TRAINS[way.trains] ?? ""}`;
}

function fits(way, mode, told) {
  if (told.without.includes(`${way.kind}:${way.name}`) || (way.kind === "mode" && way.name === mode)) return false;
  return isWhole(way) || (mode ? way.modes.includes(mode) : way.modes.length > 0);
}

function measured(where, place, facts, told) {
  const mode = facts.mode ?? "";
  const ways = where.ways.filter((way) => fits(way, mode, told));
  const [plainest] = ways.filter((way) => way.kind === "approach").sort(byKeys(plainnessOf));
  return ways.sort(byKeys(worthOf)).filter((way) => way.kind !== "approach" || way === plainest).map((way) => {
    const run = way.kind === "profile" ? `${place.run.split("+")[0]}+${way.name}` : way.run ?? place.run;
    return { words: `${wayWords(way, place.release, mode)}${limitsOf(way, mode)}.`, basis: "measured", cell: `${run}/${way.cell}`, way };
  });
}

function wayWords(way, release, mode = "") {
  if (way.kind === "profile") return settingWords(way.name, release);
  if (way.kind === "mode") return modeWords(way.name, release);
  const summary = DATA.explain.approaches[way.name]?.summary;
  if (way.kind === "approach") {
    const saved = mode === "savedmodel" || mode === "tflite";
    if (way.name.includes("split")) return `${saved ? "Save a model that is split" : "Split"} by hand (${way.name}): ${summary}`;
    return `${saved ? "Save a model that is written" : "Write it"} as ${way.name}: ${summary}`;
  }
  if (way.kind === "epilogue") return "Write the bias as y + b, not by tf.nn.bias_add or in the layer";
  const setting = settingOfProfile((way.run ?? "").split("+")[1] ?? "");
  return `Take TensorFlow ${way.name}${setting?.setting ? ` with ${setting.setting}` : ""}`;
}

function modeWords(mode, release) {
  const at = release ? minor(release) : [2, 5];
  if (mode === "eager") return "Call it eagerly, outside of any tf.function and of predict";
  if (mode === "graph") return isBefore(at, [2, 0]) ? "Run it in a session" : "Put it into a tf.function";
  if (isBefore(at, [2, 0])) return "Compile it with XLA: tf.xla.experimental.compile";
  return `Compile it with XLA: tf.function(${isBefore(at, [2, 5]) ? "experimental_compile" : "jit_compile"}=True)`;
}

function depthwiseStep(here) {
  const { place } = here;
  let seen = DATA.explain.places.filter((one) => one.backend === "cpu" && "depthwise" in one.needs);
  if (place) seen = (place.needs.depthwise ?? "uu")[1] === "y" ? [place] : [];
  const works = new Set(seen.filter((one) => one.needs.depthwise[1] === "y").map((one) => one.release));
  if (!works.size) return [];
  const told = place ? "" : ` (works in ${works.size} of ${recordedReleases("cpu").length} releases recorded)`;
  const trains = place && place.needs.depthwise[3] === "y" ? "; trains too" : "";
  const cell = place ? `${place.run}/depthwise/graph/forward/${DATA.explain.approaches.depthwise.base}/bias_relu/f32/nhwc` : "";
  return [{ words: `One channel a group is a depthwise convolution: DepthwiseConv2D or tf.nn.depthwise_conv2d${told}${trains}.`, basis: "measured", cell }];
}

function inMost(error, facts, told, basis) {
  const backend = error.backends[0] ?? "cpu";
  const found = new Map();
  for (const place of DATA.explain.places) {
    if (place.backend !== backend || !place.observations || place.planned || settingOfProfile(place.profile)?.options.length) continue;
    for (const way of bestWhere(error, place, facts)?.ways ?? []) {
      if (way.kind === "release" || !fits(way, facts.mode ?? "", told)) continue;
      const key = `${way.kind}:${way.name}`;
      if (!found.has(key)) found.set(key, { way, held: [] });
      found.get(key).held.push(place.release);
    }
  }
  const recorded = recordedReleases(backend);
  const list = [...found.values()];
  const [plainest] = list.map(({ way }) => way).filter((way) => way.kind === "approach").sort(byKeys(plainnessOf));
  const keys = ({ way, held }) => [way.trains === "no" || way.trains === "some", -new Set(held).size, ...worthOf(way)];
  return list.sort(byKeys(keys)).filter(({ way }) => way.kind !== "approach" || way === plainest).map(({ way, held }) => ({
    words: `${wayWords(way, "")}${limitsOf(way, facts.mode ?? "")} (measured in ${inRanges(held, recorded)}).`, basis, way }));
}

function whereElse(error, approach) {
  const bySetting = new Map();
  for (const where of error.where) {
    if (where.misuse || (approach && approach !== where.approach) || settingOfProfile(where.profile)?.options.length) continue;
    const key = `${where.backend} ${where.profile}`;
    bySetting.set(key, [...(bySetting.get(key) ?? []), ...where.releases]);
  }
  const told = [...bySetting].map(([key, releases]) => {
    const [backend, profile] = key.split(" ");
    const words = { "onednn-on": "with oneDNN on", "onednn-off": "with oneDNN off" }[profile] ?? "with nothing set";
    return `${BACKENDS[backend]} ${words}: ${inRanges(releases, recordedReleases(backend))}`;
  });
  return told.length ? [`It comes on ${told.join("; ")}.`] : [];
}
