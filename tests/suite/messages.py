"""TensorFlow's error texts without what changes from run to run, so that the same error reads the same everywhere."""

import re
from typing import Dict, Match

LIMIT = 300

# a line that begins like one of these, and all that follows, tells where and not what
TAILS = (
    "The op is created at: ",
    "Arguments received by ",
    "Call arguments received",
    "Function call stack:",
    "Original stack trace for ",
    "Errors may have originated from",
    "Caused by op ",
    "Stack trace for op ",
)
TAIL = re.compile(r"\n[ \t]*(?:" + "|".join(TAILS) + ").*", re.DOTALL)
# lines of a traceback: the file, the source line below it, and TensorFlow's frames around them
FRAMES = re.compile(
    r"^(in (user|converted) code:|[ \t]+relative to .*:|Graph execution error:|Detected at node .*|Node: .*|"
    r"Traceback \(most recent call last\):)$\n?|"
    r"^[ \t]+(File \".*|\S+:\d+ \S+([ \t]+\*{1,2})?)\n([ \t]+\S.*\n)?",
    re.MULTILINE,
)
DROPPED = (
    re.compile(r"\x1b\[[0-9;]*m"),
    # a node as 1.x writes it ends after its inputs; one of its attributes may end in brackets as well
    re.compile(r"\[\[((\{\{)?node|Node:) .*?\]\]([ \t]*\([^()\n]*\)\]\])?", re.DOTALL),
    re.compile(r"\{\{(function_)?node .*?\}\}"),
    re.compile(r"\[\[\s*\]\]"),  # what is left of [[{{node }}]]
    re.compile(r"\(defined at [^()\n]*\) ?"),
    re.compile(r"<stack traces unavailable>"),
    re.compile(r"\[Op:[^\]]*\]( name: ?\S*)?"),
    re.compile(r"Exception encountered when calling [^\n]*\n"),
    re.compile(r"\d+ root error\(s\) found\."),
    # a line of TensorFlow's log, as the converter of 1.x passes it on: when, and where in the source
    re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: (?=[A-Z] )"),
)
REPLACED = (
    (re.compile(r"0x[0-9a-f]{6,}"), "<address>"),
    (re.compile(r"(?<![\w<])(?:/[\w.+@-]+){2,}"), "<path>"),
    # functions are numbered through a process, nodes through a graph
    (re.compile(r"\b(__(?:inference|forward|backward)_[\w<>]+?|cluster)(?:_\d+)+\b(?:\[[^\]]*\])?"), r"\1"),
    (re.compile(r"(?<=')([A-Za-z_][\w/.]*?)_\d+(?=')"), r"\1"),
)
# the attributes of an operation without a kernel, which TensorFlow lists in any order
ATTRIBUTE = r"\w+=(?:\[[^\]]*\]|\"[^\"]*\"|[^,\[\]\"]+)"
ATTRIBUTES = re.compile(r"(?<=with these attrs: \[){0}(?:, {0})*(?=\])".format(ATTRIBUTE))


def describe(error: BaseException) -> Dict[str, str]:
    """An observation's `error`."""
    return {"type": type(error).__name__, "message": normalize(str(error))}


def normalize(text: str) -> str:
    text = TAIL.sub("", text)
    text = FRAMES.sub("", text)
    for pattern in DROPPED:
        text = pattern.sub("", text)
    for pattern, replacement in REPLACED:
        text = pattern.sub(replacement, text)
    text = ATTRIBUTES.sub(_sorted, text)
    return re.sub(r"\s+", " ", text).strip()[:LIMIT].rstrip()


def _sorted(attributes: Match[str]) -> str:
    return ", ".join(sorted(re.findall(ATTRIBUTE, attributes.group(0))))
