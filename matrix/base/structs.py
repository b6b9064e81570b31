"""The base class of all data that is read from files or from targets, or given to a person as JSON."""

from __future__ import annotations

import msgspec


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Refuses unknown keys when it is read, and leaves out fields that have their default when it is written."""
