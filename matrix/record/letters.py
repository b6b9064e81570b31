"""One letter for each outcome, and for each way an epilogue can be run, so that a row of cells is a short text."""

from __future__ import annotations

from matrix.record.records import Epilogue, Observation, Outcome

OUTCOMES: dict[Outcome, str] = {
    "pass": "p",
    "wrong": "x",
    "error": "e",
    "crash": "c",
    "timeout": "t",
    "oom": "m",
    "absent": "a",
    "skipped": "s",
}
# The letters of the check `fusion` where it passed: whether the epilogue was fused.
EPILOGUES: dict[Epilogue, str] = {"fused": "F", "partly": "H", "separate": "S", "none": "N"}
UNOBSERVED = "-"
WORDS: dict[str, str] = {
    **{letter: word for word, letter in OUTCOMES.items()},
    **{letter: word for word, letter in EPILOGUES.items()},
    UNOBSERVED: "not observed",
}


def letter(observation: Observation | None) -> str:
    if observation is None:
        return UNOBSERVED
    if observation.fusion and observation.outcome == "pass":
        return EPILOGUES[observation.fusion.epilogue]
    return OUTCOMES[observation.outcome]
