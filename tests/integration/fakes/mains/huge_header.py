"""Fake suite: describes its environment in a line of exactly 64 KiB, the most that a stream takes. Line 1 of the record
holds the same packages and the facts of the run besides, so that it is longer on any machine.
"""

import json
import os

from suite.fake_stream import whole

MOST = 64 * 1024
opening, environment, rest = whole().split(b"\n", 2)
said = json.loads(environment.decode())
said["packages"] = {format(number, "03d") * 50: "1" * 174 for number in range(198)}


def line():
    """As dense as a record is written: with spaces this line would be longer than what line 1 repeats of it."""
    return json.dumps(said, separators=(",", ":")).encode()


said["packages"]["last"] = "1" * (MOST - len(line()) - len(',"last":""'))
assert len(line()) == MOST
os.write(1, b"\n".join((opening, line(), rest)))
