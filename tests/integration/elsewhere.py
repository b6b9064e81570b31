"""Runs suites in the image of its first argument on the Engine that the environment names, and says what came of it."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mini import chunks

from matrix.base.ids import parse_target
from matrix.provision import images
from matrix.provision.engines import docker
from matrix.provision.engines.protocol import Environment, Limits, Program

target = parse_target("tf2.8.4-py310-cpu")
environment = Environment(target=target, where=sys.argv[1], recipe_sha256="", lock_sha256="")


def start(suite):
    return docker.start(environment, Program(suite=Path(suite)), [], {}, Limits())


looks = start(sys.argv[2])
seen = json.loads(b"".join(data for stream, data in chunks(looks) if stream == "out"))
hangs = start(sys.argv[3])
while hangs.read(1) is None:
    pass
hangs.kill()
told = {
    "at": images.connect().api.base_url,
    "local": images.is_local(),
    "interfaces": seen["interfaces"],
    "ended": [looks.wait().status, hangs.wait().status],
}
images.leave()
sys.stdout.write(json.dumps(told))
