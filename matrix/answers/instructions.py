"""What a person sets or writes to follow an answer: a variable, a line of Python, another approach."""

from __future__ import annotations

from packaging.version import Version

from matrix.answers.answer_data import Workaround
from matrix.base import ids
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Catalog


def for_profile(name: str, catalog: Catalog) -> str:
    """Return what to set for a profile: variables as a shell takes them, or a line of Python."""
    profile = next((one for one in catalog.profiles if one.name == name), None)
    if profile is None or not profile.setting:
        return f"the profile {name}"
    return profile.setting if profile.optimizer else f"set {profile.setting}"


def for_mode(mode: str, release: str) -> str:
    """Return what to write for a mode in that release."""
    version = Version(release)
    if mode == "jit":
        if version < Version("2.0"):
            return "compile it with XLA: tf.xla.experimental.compile"
        option = "jit_compile" if version >= Version("2.5") else "experimental_compile"
        return f"compile it with XLA: tf.function({option}=True)"
    if mode == "graph":
        return "put it into a tf.function" if version >= Version("2.0") else "run it in a session"
    return "call it eagerly, outside of any tf.function and of predict"


def for_workaround(workaround: Workaround, release: str, catalog: Catalog) -> str:
    if workaround.kind == "profile":
        return for_profile(workaround.name, catalog)
    if workaround.kind == "mode":
        return for_mode(workaround.name, release)
    if workaround.kind == "approach":
        return f"write it as {workaround.name}: {APPROACHES[workaround.name].summary}"
    # A later release may need a setting too: by default it may do something else on another processor.
    profile = ids.parse_run(workaround.run).profile if workaround.run else "default"
    under = "" if profile == "default" else f" ({for_profile(profile, catalog)})"
    return f"TensorFlow {workaround.name}{under}"
