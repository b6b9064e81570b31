"""The list of the runs that a selection names, whether they are due or not."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from matrix.base.errors import BadUsage, unknown
from matrix.base.ids import EngineName, Run, Target
from matrix.catalog.releases import Catalog
from matrix.plan.planned_run import PlannedRun
from matrix.plan.selection import Selection, select_profiles, select_releases
from matrix.provision import emulators, interpreters
from matrix.record import host


def plan_runs(catalog: Catalog, selection: Selection, engine: EngineName) -> tuple[PlannedRun, ...]:
    """List the runs, oldest release first. Raise BadUsage for a selector that names nothing, or no run at all."""
    emulator = None
    if selection.emulator:
        emulator = emulators.load().get(selection.emulator)
        if not emulator:
            raise unknown("emulator", selection.emulator, list(emulators.load()))
        if engine != "venv":
            raise BadUsage("what is emulated runs in virtual environments", "say --engine venv")
    machines = (emulator.architecture,) if emulator else selection.machines or (host.machine(),)
    profiles = select_profiles(catalog, selection.profiles)
    planned = []
    for release in select_releases(catalog, selection.releases):
        for backend, machine in itertools.product(selection.backends, machines):
            if backend not in release.wheels:
                continue
            planned += [
                PlannedRun(
                    run=Run(target=target, profile=profile.name),
                    release=release,
                    profile=profile,
                    engine=engine,
                    depth="core" if emulator else selection.depth,
                    emulator=emulator,
                )
                for target in release.targets(backend, machine)[:1]
                for profile in profiles
                if profile.holds_for(release.version, backend)
                and not (profile.needs_device and host.facts(backend).gpu is None)
            ]
    if not planned:
        raise BadUsage("no release of the catalog has these profiles on these backends", "see: tf-groupconv run --help")
    return tuple(planned)


def with_the_pythons_here(planned: Iterable[PlannedRun]) -> tuple[PlannedRun, ...]:
    """Take the target of the common CPython where this machine has that and not the newest. Machines that share shards
    must not do so: they divide the same list.
    """
    return tuple(
        replace(one, run=replace(one.run, target=_had(one))) if one.engine == "venv" and not one.emulator else one
        for one in planned
    )


def _had(planned: PlannedRun) -> Target:
    newest, *common = planned.release.targets(planned.run.target.backend, planned.run.target.architecture)
    here = (target for target in common if interpreters.find(target.python) and not interpreters.find(newest.python))
    return next(here, newest)
