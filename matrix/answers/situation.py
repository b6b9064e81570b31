"""Which run answers for a person: by release, backend, processor and setting, as asked for or as the text tells.

matrix/site/static/explain.js has the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from packaging.version import Version

from matrix.answers.answer_data import Answers, ErrorAnswer, Place, Settings, Where
from matrix.answers.nearest_release import Nearest, nearest
from matrix.answers.text_facts import Facts
from matrix.base.errors import BadUsage
from matrix.base.ids import SWITCHES_ITSELF, Backend, is_emulated, minor
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES

if TYPE_CHECKING:
    from matrix.answers.processor import Processor
    from matrix.catalog.releases import Profile

BACKEND_NAMES: dict[str, str] = {"cpu": "CPU", "cuda": "CUDA", "rocm": "ROCm"}
# By how much more another setting must fit the text than the one that is on with nothing set: a dtype suffices.
RATHER = 2
DTYPE_NAMES = {
    "f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16", "mf16": "mixed_float16",
    "mbf16": "mixed_bfloat16",
}  # fmt: skip


class Asked(Strict, frozen=True, kw_only=True):
    """What a person said of their machine. `host_class` and `switches_on` are their processor's; `profile`: what they
    have set.
    """

    release: str = ""
    backend: Backend | None = None
    host_class: str = ""
    switches_on: bool | None = None
    profile: str = ""

    @classmethod
    def of(cls, release: str, backend: Backend | None, processor: Processor | None, profile: str) -> Asked:
        return cls(
            release=release,
            backend=backend,
            host_class=processor.host_class if processor else "",
            switches_on=processor.switches_onednn_on if processor else None,
            profile=profile,
        )


class Situation(Strict, frozen=True, kw_only=True):
    """The run that answers, in `words`; none where no run was executed that could. `named`: what was asked for.
    `of_the_text`: the notes that hold without any record.

    `raised`: it raises the error. `doubts`: where the same release and setting fail without groups too.
    """

    release: str
    backend: Backend
    words: str
    named: str = ""
    notes: list[str] = []
    of_the_text: list[str] = []
    place: Place | None = None
    raised: bool = False
    doubts: list[str] = []


def profile_of(setting: str, settings: Collection[Settings | Profile]) -> str:
    """Return the profile of what a person has set: its name, `TF_ENABLE_ONEDNN_OPTS=1`, or `oneDNN on`; "" for nothing.

    Raise BadUsage where no profile sets that.
    """
    wanted = setting.strip().lower().replace("'", "").replace('"', "")
    if not wanted:
        return ""
    for one in settings:
        switch = {True: "onednn on", False: "onednn off", None: ""}[one.onednn]
        variables = " ".join(f"{name}={value}" for name, value in one.environment.items()).lower()
        if wanted in {one.name, variables, switch, one.setting.lower()}:
            return one.name
    known = ", ".join(one.name for one in settings)
    raise BadUsage(f"no profile sets {setting!r}", f"give TF_ENABLE_ONEDNN_OPTS=1, 'oneDNN off', or one of {known}")


def state(place: Place, names: Mapping[str, Settings]) -> str:
    """Say in words what a run has set."""
    setting = names.get(place.profile)
    switch = {True: "oneDNN on", False: "oneDNN off", None: ""}[place.onednn] if place.backend == "cpu" else ""
    others = setting.setting if setting and setting.options else ""
    return " and ".join(filter(None, (switch, others))) or "nothing set"


def backend_of(asked: Asked, facts: Facts) -> Backend:
    """Return the backend that was asked for, or else the one that the text speaks of."""
    return asked.backend or ("cuda" if facts.get("device") == "gpu" else "cpu")


def situation(answers: Answers, asked: Asked, facts: Facts, error: ErrorAnswer | None) -> Situation:
    """Choose the run. Raise BadUsage where the release that was asked for is no version."""
    backend = backend_of(asked, facts)
    notes = []
    if error and error.backends and backend not in error.backends:
        if asked.backend:
            notes.append(
                f"Only {' and '.join(BACKEND_NAMES[one] for one in error.backends)} has the kernels that say this: "
                f"there it ran, not on {BACKEND_NAMES[backend]}."
            )
        backend = error.backends[0]
    release = asked.release or facts.get("release", "")
    if not asked.release and release:
        notes.append(f"The text is of TensorFlow {release}.")
    elif not release and "until" in facts:
        release = facts["until"]
        notes.append(
            f"By its paths the traceback is of TensorFlow {release} or somewhat older; --release makes it exact."
        )
    if not release:
        of_cpu = ", and --this-machine or --processor: on a CPU both decide" if backend == "cpu" else ""
        notes.append(f"For your case exactly, say --release, such as 2.8{of_cpu}.")
        return Situation(release="", backend=backend, words="", notes=notes, of_the_text=notes)

    named = f"TensorFlow {release}, {BACKEND_NAMES[backend]}"
    executed = [place for place in answers.places if not place.planned and place.backend == backend]
    near = nearest(release, {place.release for place in executed if place.observations} or {release})
    there = [place for place in executed if place.release == near.releases[-1]]
    if not there:
        missing = f"No run on {BACKEND_NAMES[backend]} was executed here: nothing below was measured on it."
        return Situation(
            release=release, backend=backend, words=named, named=named, notes=[*notes, missing], of_the_text=notes
        )
    hosts = sorted({place.host_class for place in there if place.observations})
    host = asked.host_class if asked.host_class in hosts else max(hosts, key=lambda one: _weight(one, executed))
    here = {place.profile: place for place in there if place.host_class == host}
    chosen, words, more = _chosen(here, asked, facts, error, answers)
    if chosen and error and (only := _dtypes(chosen, error, facts)):
        more.append(f"There only programs in {only} say this.")
    return Situation(
        release=release,
        backend=backend,
        words=f"TensorFlow {near.releases[-1]}, {BACKEND_NAMES[backend]}{words}",
        named=named,
        notes=[*notes, *_of_the_nearest(near), *more],
        of_the_text=notes,
        place=chosen,
        raised=chosen is not None and _fit(chosen, error, facts) >= 0,
        doubts=_doubts(there, chosen) if chosen else [],
    )


def _of_the_nearest(near: Nearest) -> list[str]:
    if near.fit == "between":
        older, newer = near.releases
        return [f"There is no record of {near.asked}; shown is {newer}, the next that was run after {older}."]
    return [near.note] if near.note else []


def is_transposed(facts: Facts) -> bool:
    return "backprop" in facts or "transposed" in facts


def told_of(where: Where, facts: Facts) -> bool:
    """Tell whether the programs compute what the person's does: a transposed convolution answers for another alone."""
    known = where.approach in APPROACHES and not where.misuse
    return known and (APPROACHES[where.approach].form == "transpose") == is_transposed(facts)


def fitness(where: Where, facts: Facts) -> int:
    """Tell how like the person's program the programs are that raise the error there."""
    check = "gradient" if facts.get("check") == "gradient" else "forward"
    rank = str(APPROACHES[where.approach].rank) if where.approach in APPROACHES else ""
    dtype, layout = facts.get("dtype", "f32"), facts.get("layout", "nhwc")
    return (
        16 * (facts.get("mode", "") in where.modes)
        + 8 * (where.check == check)
        + 4 * (rank == facts.get("rank", "2"))
        + 2 * any(f"/{dtype}/" in one for one in where.variants)
        + any(one.endswith(f"/{layout}") for one in where.variants)
    )


def _doubts(there: Sequence[Place], chosen: Place) -> list[str]:
    """Say on which processors the same release and setting fail without groups too."""
    failing = [
        one for one in there if one.doubtful and one.profile == chosen.profile and not is_emulated(one.host_class)
    ]
    if not failing:
        return []
    told = {one.host_class: re.split(r", | \(|: output", one.doubtful)[0] for one in failing}
    where = " and ".join(f"{host_class} ({how})" for host_class, how in told.items())
    amd = "AMD's processors, " if all(name.endswith("-amd") for name in told) else ""
    return [f"On {amd}{where}, this release and setting fail without groups as well: crashes or wrong numbers."]


def _weight(host_class: str, executed: Sequence[Place]) -> tuple[bool, int]:
    """Prefer real machines, then the host class with most runs."""
    return (not is_emulated(host_class), sum(place.host_class == host_class for place in executed))


def _fit(place: Place, error: ErrorAnswer | None, facts: Facts) -> int:
    """Tell how well a run fits a text: how like the person's program the programs are that raise it there, or -1."""
    ran = [one for one in error.where if place.run in one.runs and place.host_class == one.host_class] if error else []
    return max((fitness(one, facts) for one in ran if told_of(one, facts)), default=-1)


def _dtypes(place: Place, error: ErrorAnswer, facts: Facts) -> str:
    """Name the dtypes of the programs that say it there, where the person's is not among them."""
    ran = [one for one in error.where if place.run in one.runs and place.host_class == one.host_class]
    found = [one.split("/")[-2] for where in ran if told_of(where, facts) for one in where.variants]
    if facts.get("dtype", "f32") in found:
        return ""
    return " and ".join(dict.fromkeys(DTYPE_NAMES[one] for one in found))


def _chosen(
    here: Mapping[str, Place], asked: Asked, facts: Facts, error: ErrorAnswer | None, answers: Answers
) -> tuple[Place | None, str, list[str]]:
    """Choose among the runs of a release on a host class, by profile; say in words what it has set."""
    names = {one.name: one for one in answers.settings}
    by_run = {place.run: place for place in here.values()}
    plain = [place for place in here.values() if place.observations and not _options(place, names)]
    default = here.get("default")
    usual = by_run.get(default.same_as, default) if default and default.same_as else default
    if usual is None or (asked.host_class and asked.host_class != usual.host_class and usual.onednn is not None):
        # What TensorFlow does by itself on a processor of a class that was not run.
        on = bool(asked.switches_on) and any(minor(place.release) >= SWITCHES_ITSELF for place in plain)
        usual = next((place for place in plain if place.onednn is on), usual)
    chosen, notes = usual, []
    if asked.profile:
        set_so = here.get(asked.profile)
        chosen = by_run.get(set_so.same_as, set_so) if set_so and set_so.same_as else set_so
        if chosen is None or not chosen.observations:
            wanted = names[asked.profile].setting or "nothing set"
            notes.append(f"No run with {wanted} was recorded there; shown is what holds with nothing set.")
            chosen = usual
    elif chosen and error:
        other = max(plain, key=lambda place: _fit(place, error, facts), default=chosen)
        if _fit(other, error, facts) >= _fit(chosen, error, facts) + RATHER:
            sure = f" on {asked.host_class}" if asked.host_class else f" on {chosen.host_class}"
            only = _dtypes(chosen, error, facts)
            unless = f" unless it is in {only}" if only else ""
            notes.append(
                f"With nothing set{sure} your program does not say this{unless}: yours has {state(other, names)}, "
                "by a variable or by another processor."
            )
            chosen = other
    if chosen is None:
        return None, "", notes
    words = f", {state(chosen, names)}"
    if usual and chosen.run == usual.run and chosen.profile != "default":
        words += f", as it is with nothing set on {asked.host_class or chosen.host_class}"
        if not asked.host_class and minor(chosen.release) >= SWITCHES_ITSELF:
            words += " (on other processors it may be the other way round)"
    if asked.host_class and asked.host_class != chosen.host_class:
        words += f" (measured on {chosen.host_class})"
    return chosen, words, notes


def _options(place: Place, names: Mapping[str, Settings]) -> list[str]:
    """What a run has set besides oneDNN; a profile that the catalog does not have is an option by itself."""
    return names[place.profile].options if place.profile in names else [place.profile]


def in_ranges(releases: Sequence[str], recorded: Sequence[str]) -> str:
    """`2.5.3 to 2.8.4, 2.10.1`: releases that are neighbours in `recorded` stand together."""
    groups: list[list[str]] = []
    for release in (release for release in recorded if release in releases):
        if groups and recorded.index(release) == recorded.index(groups[-1][-1]) + 1:
            groups[-1].append(release)
        else:
            groups.append([release])
    return ", ".join(group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}" for group in groups)


def recorded_releases(answers: Answers, backend: str) -> list[str]:
    """Return the releases with executed observations on a backend, oldest first."""
    found = {
        place.release
        for place in answers.places
        if place.observations and not place.planned and place.backend == backend
    }
    return sorted(found, key=Version)
