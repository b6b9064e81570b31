"""When a run was made. Of two records the newer stands, so that a false date could stand for ever."""

from __future__ import annotations

import datetime

from matrix.base.errors import BadRecord

# No TensorFlow is older.
FIRST = datetime.datetime(2015, 11, 9, tzinfo=datetime.UTC)
# A clock may be wrong by so much.
AHEAD = datetime.timedelta(days=1)


def check(moment: str) -> None:
    """Raise BadRecord where the text names no moment, or one that cannot be when a record was made."""
    try:
        made = datetime.datetime.fromisoformat(moment)
    except ValueError as fault:
        raise BadRecord(f"it started at no time: {fault}") from None
    now = datetime.datetime.now(datetime.UTC)
    if made > now + AHEAD:
        raise BadRecord(
            f"it started on {moment[:10]}, and this machine's clock says {now:%Y-%m-%d}: one of them is wrong"
        )
    if made < FIRST:
        raise BadRecord(f"it started on {moment[:10]}, before there was a TensorFlow")
