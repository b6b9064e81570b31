"""Starts the suite of its second argument in the image of its first, and says which container: to be killed."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from matrix.base.ids import parse_target
from matrix.provision.engines import docker
from matrix.provision.engines.protocol import Environment, Limits, Program

target = parse_target("tf2.8.4-py310-cpu")
environment = Environment(target=target, where=sys.argv[1], recipe_sha256="", lock_sha256="")
process = docker.start(environment, Program(suite=Path(sys.argv[2])), [], {}, Limits())
sys.stdout.write(f"{process._container.id}\n")
sys.stdout.flush()
time.sleep(3600)
