"""Fake suite: opens its stream, then ends as if all were well."""

import sys

sys.stdout.write('{"format": "stream/1", "python": "3.0.0"}\n')
