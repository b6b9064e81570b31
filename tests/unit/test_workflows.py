"""The workflows: what they may do, and that each of their commands works. GitHub itself is not here: zizmor and the
schema (`nox -s lint`) check the rest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import yaml
from unit.fabricated import observe

from matrix.base import ids, paths
from matrix.plan import shards
from matrix.record import records, speed_records
from matrix.record.records import Record
from matrix.suite import catalog as suite

WORKFLOWS = sorted((paths.ROOT / ".github" / "workflows").glob("*.yml"))
# How a session is started everywhere, once nox is installed by its hashes.
NOX = "nox -s "
BOOTSTRAP = ".ci/nox"
# What the only other command of a job that writes does: so that what is no longer published is removed.
REMOVE = {"rm -r reports", "rm -r matrix/data"}
# What the tests want of a runner, as root; docs/ci.md tells what the image has of it. They run as root too.
AS_ROOT = 'sudo env "PATH=$PATH" '
PREPARING = {"sudo .ci/engine", "sudo .ci/browser", f"{AS_ROOT}uv python install 3.8 3.9 3.10 3.11 3.12 3.13 3.14"}
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$|uses: \$/\.github/workflows/\w+\.yml$")
FROM_OUTSIDE = {"pull_request", "pull_request_target", "workflow_run", "issue_comment", "issues", "fork"}
# The only jobs with write permissions.
MAY_WRITE = {
    ("matrix", "attest"): {"id-token", "attestations"},
    ("matrix", "deploy"): {"pages", "id-token"},
    ("matrix", "propose"): {"contents", "pull-requests"},
    ("nightly", "tell"): {"issues"},
    ("release", "publish"): {"id-token"},
    ("update", "propose"): {"contents", "pull-requests"},
}


@dataclass(frozen=True, kw_only=True)
class Workflow:
    file: Path
    document: dict

    @property
    def name(self) -> str:
        return self.document["name"]

    @property
    def triggers(self) -> dict:
        # YAML 1.1 reads the key `on` as true.
        return self.document[True]

    @property
    def jobs(self) -> dict[str, dict]:
        return self.document["jobs"]


ALL = [Workflow(file=file, document=yaml.safe_load(file.read_text())) for file in WORKFLOWS]
each = pytest.mark.parametrize("workflow", ALL, ids=lambda workflow: workflow.name)


def steps(workflow: Workflow) -> Iterator[tuple[str, dict]]:
    for name, job in workflow.jobs.items():
        for step in job.get("steps", []):
            yield name, step


def test_the_workflows_are_those_that_are_documented():
    assert [workflow.name for workflow in ALL] == ["ci", "matrix", "nightly", "release", "shards", "update"]
    assert all(workflow.file.stem == workflow.name for workflow in ALL)


@each
def test_a_workflow_may_do_nothing_and_a_job_only_what_it_must(workflow):
    assert workflow.document["permissions"] == {}
    for name, job in workflow.jobs.items():
        writes = {what for what, how in job["permissions"].items() if how == "write"}
        assert writes == MAY_WRITE.get((workflow.name, name), set())
        # What runs TensorFlow, or builds packages, runs where nothing can be written.
        assert not writes or {step["run"] for step in job["steps"] if "run" in step} <= REMOVE


@each
def test_actions_are_pinned_by_hash_with_their_version(workflow):
    lines = [line.strip().removeprefix("- ") for line in workflow.file.read_text().splitlines() if "uses:" in line]
    assert [line for line in lines if not PINNED.match(line)] == []


def test_an_action_has_the_same_version_everywhere():
    found = {match for file in WORKFLOWS for match in re.findall(r"uses: ([\w/-]+)@(\w+)", file.read_text())}
    assert len({action for action, _ in found}) == len(found) > 5


@each
def test_checkouts_leave_no_credentials(workflow):
    for _, step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each
def test_no_expression_is_pasted_into_a_script(workflow):
    for _, step in steps(workflow):
        assert "${{" not in step.get("run", "") and "${{" not in step.get("with", {}).get("script", "")


@each
def test_our_own_runners_are_for_protected_branches_and_never_for_forks(workflow):
    ours = "self-hosted" in workflow.file.read_text() or "inputs.runner" in workflow.file.read_text()
    if ours:
        assert not FROM_OUTSIDE & set(workflow.triggers)
        assert workflow.name in {"matrix", "shards"}
    else:
        assert {job["runs-on"] for job in workflow.jobs.values()} == {"ubuntu-24.04"}


def test_each_kind_of_machine_has_a_job_with_a_runner_that_is_one():
    matrix = next(workflow for workflow in ALL if workflow.name == "matrix")
    shards_of = {name: job for name, job in matrix.jobs.items() if job.get("uses") == "$/.github/workflows/shards.yml"}
    asked = {job["if"].partition(".shards")[2]: job["with"] for job in shards_of.values()}
    labels = {kind: json.loads(given["runner"])[-1] for kind, given in asked.items()}
    assert labels == {
        ".cpu": "ubuntu-24.04",
        "['cpu-aarch64']": "ubuntu-24.04-arm",
        ".cuda": "cuda",
        ".rocm": "rocm",
    }
    assert set(shards_of) <= set(matrix.jobs["collect"]["needs"])
    assert len({given["shards"] for given in asked.values()}) == len(asked) == len(get_args(ids.Kind))


def test_what_ci_leaves_out_is_named_and_there_and_told():
    """Only tests that want a CPython which uv does not fetch."""
    ci = next(workflow for workflow in ALL if workflow.name == "ci")
    (command,) = (step["run"] for _, step in steps(ci) if "--deselect" in step.get("run", ""))
    told = (paths.ROOT / "docs" / "ci.md").read_text()
    left_out = re.findall(r"--deselect (\S+)", command)
    assert len(left_out) == 2
    for name in left_out:
        file, _, test = name.partition("::")
        assert f"`{name}`" in told and f"def {test}" in (paths.ROOT / file).read_text()


def test_nothing_of_the_matrix_starts_without_the_plan_which_wants_a_protected_branch():
    matrix = next(workflow for workflow in ALL if workflow.name == "matrix")
    assert matrix.jobs["plan"]["if"] == "github.ref_protected"
    for name, job in matrix.jobs.items():
        needs = job.get("needs", [])
        assert name == "plan" or "plan" in needs or (name, needs) == ("deploy", "site")
        assert "self-hosted" not in str(job) or "!cancelled" not in job["if"]
    assert set(next(workflow for workflow in ALL if workflow.name == "shards").triggers) == {"workflow_call"}


def test_times_are_taken_only_on_runners_that_are_marked_for_it():
    """By hand and by schedule, and once a variable says that there is one; nothing else runs there."""
    for workflow in ALL:
        for name, job in workflow.jobs.items():
            timed = [step for step in job.get("steps", []) if f"{NOX}speed " in step.get("run", "")]
            marked = "speed" in str(job.get("runs-on", job.get("with", {}).get("runner", "")))
            assert bool(timed) == marked == ((workflow.name, name) == ("matrix", "speed"))
    job = next(workflow for workflow in ALL if workflow.name == "matrix").jobs["speed"]
    asked = (
        "vars.MATRIX_SPEED == 'true' && (github.event_name == 'schedule' || github.event_name == 'workflow_dispatch')"
    )
    assert job["if"] == asked and job["needs"] == "plan"


def test_nothing_is_published_that_was_not_verified():
    """A job of `matrix` that writes something which others see comes after `verify`, and only after its success."""
    matrix = next(workflow for workflow in ALL if workflow.name == "matrix")
    assert "attest" in matrix.jobs["verify"]["needs"] and "collect" in matrix.jobs["attest"]["needs"]
    for name in ("site", "propose"):
        assert "verify" in matrix.jobs[name]["needs"]
        assert "rm -r reports" in [step.get("run") for step in matrix.jobs[name]["steps"]]
        assert matrix.jobs[name]["if"] == "${{ !cancelled() && needs.verify.result == 'success' }}"
    assert matrix.jobs["deploy"]["needs"] == "site"


def test_what_is_published_is_handed_on_by_its_id_and_made_without_a_cache():
    """Any job can upload an artifact of the same name; and a file that was altered in uv's cache is installed."""
    matrix = next(workflow for workflow in ALL if workflow.name == "matrix")
    taken = {
        (workflow.name, name, step["with"].get("artifact-ids"))
        for workflow in ALL
        for name, step in steps(workflow)
        if step.get("uses", "").startswith("actions/download-artifact@")
    }
    by_id = "${{ needs.collect.outputs.published }}"
    assert taken == {
        ("matrix", "collect", None),
        ("matrix", "collect", "${{ needs.plan.outputs.file }}"),
        *(("matrix", name, by_id) for name in ("attest", "verify", "site", "propose")),
        ("nightly", "tell", "${{ needs.observe.outputs.nightly }}"),
        ("release", "publish", "${{ needs.build.outputs.dist }}"),
        ("update", "propose", "${{ needs.update.outputs.data }}"),
    }
    assert all("collect" in matrix.jobs[name]["needs"] for _, name, wanted in taken if wanted == by_id)
    made = [step for workflow in ALL if workflow.name != "ci" for _, step in steps(workflow)]
    caches = [step["with"]["enable-cache"] for step in made if step.get("uses", "").startswith("astral-sh/setup-uv@")]
    assert caches and not any(caches)
    assert matrix.jobs["deploy"]["if"].endswith("github.ref == 'refs/heads/main' }}")


def test_nox_is_installed_by_its_hashes_before_it_is_used():
    for workflow in ALL:
        for name, job in workflow.jobs.items():
            ran = [step["run"] for step in job.get("steps", []) if "run" in step]
            uses = [number for number, command in enumerate(ran) if NOX in command]
            assert not uses or ran.index(BOOTSTRAP) < uses[0], (workflow.name, name)
    assert "uv pip install --quiet --require-hashes" in (paths.ROOT / BOOTSTRAP).read_text()


def test_forks_reach_no_workflow_but_ci():
    assert [workflow.name for workflow in ALL if FROM_OUTSIDE & set(workflow.triggers)] == ["ci"]


# ---- every command

EXPRESSIONS = {
    "${{ inputs.releases || 'all' }}": "2.8 2.9",
    "${{ inputs.releases }}": "2.8 2.9",
    "${{ inputs.backends || vars.MATRIX_BACKENDS || 'cpu' }}": "cpu",
    "${{ inputs.backends }}": "cpu",
    "${{ inputs.machines || vars.MATRIX_MACHINES || 'x86_64' }}": "x86_64",
    "${{ inputs.machines }}": "x86_64",
    "${{ inputs.shards || '20' }}": "2",
    "${{ github.repository }}": "example/tf-groupconv-matrix",
    "${{ github.token }}": "no-token",
    "${{ matrix.backend }}": "cpu",
    "${{ matrix.number }}/${{ matrix.of }}": "1/2",
}
# A verb that would take hours or ask the index only plans or shows its help.
NOT_FOR_REAL = {"run": ["--plan"], "speed": ["--plan"], "update": ["--help"]}
# What a session prints that was told to plan only.
PLANNED = {"matrix": "^[0-9]+ runs due, [0-9]+ current", "speed": "^due: [0-9]+, current: [0-9]+"}
FAKE_NOX = f"""#!{sys.executable}
import pathlib, runpy, subprocess, sys, types
assert sys.argv[1] == "-s", sys.argv
name, *rest = sys.argv[2:]
assert not rest or rest[0] == "--", sys.argv
sessions = {{}}


def session(function=None, name=None):
    if function is None:
        return lambda function: session(function, name)
    sessions[name or function.__name__] = function
    return function


class Session:
    posargs = rest[1:]

    def install(self, *arguments):
        assert pathlib.Path(arguments[-1]).is_file(), arguments

    def run(self, *command, **options):
        if command[:3] == ("python", "-m", "matrix"):
            more = {NOT_FOR_REAL!r}.get(command[3], [])
            done = subprocess.run([sys.executable, *command[1:], *more])
            sys.exit(done.returncode)

    run_install = run


sys.modules["nox"] = types.SimpleNamespace(session=session, options=types.SimpleNamespace(), Session=Session)
runpy.run_path("noxfile.py")
sessions[name](Session())
"""


FAKE_GH = """#!/bin/sh
# A fake: it finds an attestation of whatever it is asked about.
[ "$GH_TOKEN" = no-token ] && echo '[{"verificationResult": {}}]'
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """The project with few records, where commands may write; and a `nox` that starts sessions without environments."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("matrix", "dockerfiles", "docs", "tests/suite"):
        shutil.copytree(paths.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("noxfile.py", "README.md"):
        shutil.copy(paths.ROOT / name, folder / name)
    for file in [*records.files(paths.REPORTS), *speed_records.SPEED.files(paths.REPORTS)]:
        if file.name.startswith(("tf2.8.4-py310-cpu", "tf2.9.3-py310-cpu")):
            target = folder / "reports" / file.relative_to(paths.REPORTS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    (folder / "bin").mkdir()
    (folder / "bin" / "nox").write_text(FAKE_NOX)
    (folder / "bin" / "gh").write_text(FAKE_GH)
    for program in (folder / "bin").iterdir():
        program.chmod(0o755)
    return folder


def commands() -> list[tuple[str, str, dict[str, str]]]:
    """(workflow, command, environment) of every step that has one."""
    return [
        (workflow.name, step["run"], {**workflow.jobs[job].get("env", {}), **step.get("env", {})})
        for workflow in ALL
        for job, step in steps(workflow)
        if "run" in step and step["run"] not in {BOOTSTRAP, *REMOVE, *PREPARING}
    ]


def execute(checkout: Path, command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As GitHub's runner would, with an example for each expression."""
    command = command.removeprefix(AS_ROOT).removeprefix("CI=true ")
    assert command.startswith(NOX) and "\n" not in command
    own = {name: EXPRESSIONS[value] if "${{" in value else value for name, value in environment.items()}
    outputs = {"GITHUB_OUTPUT": str(checkout / "outputs"), "PYTHONPATH": str(checkout)}
    path = f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", command], cwd=checkout, env={**os.environ, **outputs, **own, "PATH": path},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def before(checkout: Path, workflow: str, command: str) -> None:
    """What earlier jobs and steps leave: artifacts, and the table of the nightly build."""
    if "-s merge" in command:
        (checkout / "planned").mkdir()
        shutil.copy(checkout / "plan.json", checkout / "planned" / "plan.json")
        plan = shards.read(checkout / "plan.json")
        for record in list(records.read_all(checkout / "reports")):
            if record.header.run in plan.every()[0].runs:
                # what another suite observed is not complete for the present one: let every cell of today pass
                today = tuple(observe(tuple(cell)) for cell in suite.cells()) if record.observations else ()
                header = msgspec.structs.replace(
                    record.header, suite_sha256=plan.suite_sha256["executed"], observations=len(today), depth="full"
                )
                made = Record(header=header, observations=today)
                records.write(checkout / "collected" / "shard-1-of-2-attempt-1", made)
        shutil.rmtree(checkout / "reports" / "runs")
    elif "-s verify" in command:
        (checkout / "published").mkdir()
        # As an artifact has it, without hidden files.
        shutil.copytree(checkout / "reports", checkout / "published" / "reports", ignore=shutil.ignore_patterns(".*"))
        for name in ("README.md", "SHA256SUMS"):
            shutil.copy(checkout / name, checkout / "published" / name)
    elif workflow == "nightly" and "-s ask -- diff" in command:
        shutil.copytree(checkout / "reports", checkout / "nightly", dirs_exist_ok=True)


def after(checkout: Path, workflow: str, command: str, done: subprocess.CompletedProcess[str]) -> None:
    session = command.removeprefix(f"{AS_ROOT}CI=true ").removeprefix(NOX).split()[0]
    if session == "doctor":
        # Whether this machine is ready is not the question.
        assert done.returncode in {0, 5} and "memory: " in done.stdout
        return
    assert done.returncode == 0, done.stderr
    if session == "plan":
        plan = (checkout / "plan.json").read_text()
        assert (checkout / "outputs").read_text() == f"plan={plan}"
        assert len(json.loads(plan)["shards"]["cpu"]) == 2
    elif session in PLANNED:
        assert re.search(PLANNED[session], done.stdout, re.MULTILINE)
    elif session == "merge":
        statuses = {header.status for header in records.headers(checkout / "reports")}
        assert "complete" in statuses and "shard 2/2 brought nothing" in done.stdout
    elif session == "keep":
        assert len(list((checkout / "reports" / "history").iterdir())) == 1
    elif session == "seal":
        assert " README.md\n" in (checkout / "SHA256SUMS").read_text()
    elif session == "verify":
        told = "attested 1 times by .github/workflows/matrix.yml of example/tf-groupconv-matrix"
        assert told in done.stdout.replace("\n", " ")
    elif session == "site":
        assert (checkout / "site" / "index.html").is_file()
    elif session == "ask":
        assert (checkout / "nightly" / "changes.md").read_text() == ""
    else:
        assert session in {"lint", "tests", "update", "requirements", "package"}, f"say here how {command!r} is tested"


def test_every_command_is_a_session_that_does_what_the_workflow_wants(checkout):
    """In the order of the jobs, each finding what the one before left."""
    order = ["ci", "matrix", "shards", "nightly", "update", "release"]
    ordered = sorted(commands(), key=lambda one: order.index(one[0]))
    assert len(ordered) > 10
    for workflow, command, environment in ordered:
        before(checkout, workflow, command)
        after(checkout, workflow, command, execute(checkout, command, environment))


def test_the_script_that_tells_of_the_nightly_build_is_one(tmp_path):
    """Parsed where there is a JavaScript engine; there is nobody here whom it could tell."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node to parse it with")
    nightly = next(workflow for workflow in ALL if workflow.name == "nightly")
    (script,) = (step["with"]["script"] for _, step in steps(nightly) if "script" in step.get("with", {}))
    file = tmp_path / "script.js"
    file.write_text(f"async function script(github, context) {{\n{script}\n}}\n")
    subprocess.run([node, "--check", str(file)], check=True)
