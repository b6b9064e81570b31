"""What a person sets or writes to follow an answer: a variable, a line of Python, another mode, approach or release.

matrix/site/static/explain.js has the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from matrix.answers.answer_data import Settings, Workaround
from matrix.base.ids import SWITCHES_ITSELF, minor
from matrix.catalog.approaches import APPROACHES

if TYPE_CHECKING:
    from matrix.catalog.releases import Profile

EXPORTED = ("savedmodel", "tflite")


def for_profile(name: str, release: str, profiles: Mapping[str, Settings | Profile]) -> str:
    """Say what to do to have a profile's setting on that release; on any, where none is given."""
    profile = profiles.get(name)
    if profile is None or not profile.setting:
        return f"Take the profile {name}"
    if profile.python:
        shell = profile.setting.removesuffix(profile.python).removesuffix(" and ")
        call = f"call {profile.python} before the first function"
        return f"Set {shell} before Python starts, and {call}" if shell else f"C{call[1:]}"
    if profile.onednn is False and release and minor(release) < SWITCHES_ITSELF:
        return f"Unset TF_ENABLE_ONEDNN_OPTS (or {profile.setting}) before Python starts"
    return f"Set {profile.setting} before Python starts"


def for_mode(mode: str, release: str) -> str:
    """Say what to write for a mode on that release; as today writes it where no release is given."""
    version = minor(release) if release else (2, 5)
    if mode == "eager":
        return "Call it eagerly, outside of any tf.function and of predict"
    if mode == "graph":
        return "Put it into a tf.function" if version >= (2, 0) else "Run it in a session"
    if version < (2, 0):
        return "Compile it with XLA: tf.xla.experimental.compile"
    return f"Compile it with XLA: tf.function({'jit_compile' if version >= (2, 5) else 'experimental_compile'}=True)"


def for_workaround(way: Workaround, release: str, profiles: Mapping[str, Settings | Profile], mode: str = "") -> str:
    """`mode`: the person's, where it is known; what was exported must be exported anew."""
    if way.kind == "profile":
        return for_profile(way.name, release, profiles)
    if way.kind == "mode":
        return for_mode(way.name, release)
    if way.kind == "approach":
        saved = "Save a model that is " if mode in EXPORTED else ""
        verb = ("written" if saved else "Write it") + f" as {way.name}"
        if "split" in way.name:
            verb = ("split" if saved else "Split") + f" by hand ({way.name})"
        return f"{saved}{verb}: {APPROACHES[way.name].summary}"
    if way.kind == "epilogue":
        return "Write the bias as y + b, not by tf.nn.bias_add or in the layer"
    # A later release may need a setting too: by default it may do something else on another processor.
    profile = profiles.get((way.run or "").partition("+")[2])
    return f"Take TensorFlow {way.name}" + (f" with {profile.setting}" if profile and profile.setting else "")
