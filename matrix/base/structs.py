"""The one base of all data that is read from files, from targets, or handed to a person as JSON."""

from __future__ import annotations

import msgspec


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Refuses keys that it does not know, and leaves out keys that have no value."""
