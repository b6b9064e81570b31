"""Checks what a record from elsewhere claims. That it has the form of a record, the reader has seen."""

from __future__ import annotations

from matrix.catalog.releases import Catalog
from matrix.catalog.suite_hash import suite_sha256
from matrix.plan.planned_run import cells_of
from matrix.record import host
from matrix.record.records import Header, Record


def contradiction(record: Record, catalog: Catalog) -> str | None:
    """Say why the record is not believed; None where nothing speaks against it."""
    header = record.header
    if not host.is_of_its_class(header.host):
        return f"the host class {header.host.host_class} is not that of the flags, the vendor and the GPU that it names"
    profile = next((profile for profile in catalog.profiles if profile.name == header.profile), None)
    if header.same_as and profile and profile.variables:
        return f"only a profile that sets nothing can be the same as another, and {profile.name} sets something"
    if header.status != "complete" or not is_of_today(header):
        return None
    if profile is None:
        return f"there is no profile {header.profile}"
    wanted = set(cells_of(profile, planned=header.how == "planned", depth="full" if header.is_full else "core"))
    seen = {observation.cell for observation in record.observations}
    if seen == wanted:
        return None
    has = f"{len(seen & wanted)} of the {len(wanted)} cells, and {len(seen - wanted)} others"
    return f"it calls itself complete, and has {has}"


def is_of_today(header: Header) -> bool:
    """Say whether the present suite made the record, so that its cells are known."""
    return header.suite_sha256 == suite_sha256(how=header.how)
