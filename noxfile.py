"""The sessions are the manual: `nox -l` lists them, `nox -s SESSION -- --help` explains one.

They only dispatch: what follows `--` goes to `python -m matrix VERB`, or to pytest. Examples:

    nox -s matrix -- --release 2.15 --plan
    nox -s speed -- --release 2.15 --depth quick
    nox -s plan -- --shards 20, then on each machine: nox -s matrix -- --shard 3/20
    nox -s verify -- SHA256SUMS --repository OWNER/NAME
"""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["matrix"]

LOCKS = "matrix/data/requirements"
AUDITOR = "pip-audit==2.10.1"


def _install(session: nox.Session, name: str) -> None:
    session.install("--quiet", "--require-hashes", "-r", f"{LOCKS}/{name}.txt")


def _verb(session: nox.Session, *arguments: str) -> None:
    _install(session, "run")
    session.run("python", "-m", "matrix", *arguments, *session.posargs)


@nox.session
def matrix(session: nox.Session) -> None:
    """Make the runs that are due, record them, and refresh the support table."""
    _verb(session, "run")


@nox.session
def speed(session: nox.Session) -> None:
    """Time the approaches, one run after the other; nothing else should run on the machine meanwhile."""
    _verb(session, "speed")


@nox.session
def plan(session: nox.Session) -> None:
    """Divide the runs into shards that take equally long; each machine makes one with `run --shard I/N`."""
    _verb(session, "plan")


@nox.session
def merge(session: nox.Session) -> None:
    """Put the records of shards together, and judge them."""
    _verb(session, "merge")


@nox.session
def keep(session: nox.Session) -> None:
    """Keep this month's table, so that `diff` can compare it with a later one."""
    _verb(session, "keep")


@nox.session
def seal(session: nox.Session) -> None:
    """Write SHA256SUMS, the list of all published files, to be attested."""
    _verb(session, "seal")


@nox.session
def verify(session: nox.Session) -> None:
    """Check published files against FILE, their SHA256SUMS, and who made that list."""
    _verb(session, "verify")


@nox.session
def report(session: nox.Session) -> None:
    """Judge the records again, and write SUPPORT.md, the other reports and the README's table."""
    _verb(session, "report")


@nox.session
def site(session: nox.Session) -> None:
    """Write the pages from the records: static files, for any web server or to be opened from disk."""
    _verb(session, "site")


@nox.session
def doctor(session: nox.Session) -> None:
    """List what this machine has and lacks for the matrix, and how to get what is missing."""
    _verb(session, "doctor")


@nox.session
def update(session: nox.Session) -> None:
    """Ask the package index for new releases, and lock the packages of every target again."""
    _verb(session, "update")


@nox.session
def bases(session: nox.Session) -> None:
    """Make base images from Debian's archive, for a Docker Engine that reaches no registry."""
    _verb(session, "bases")


@nox.session
def ask(session: nox.Session) -> None:
    """Ask the records, with any verb that answers: `-- explain "TEXT"`, `-- advise --release 2.8 --need train`."""
    _verb(session)


@nox.session
def benchmark(session: nox.Session) -> None:
    """Time the project itself: `-- ready`, `-- cold`, `-- docker`, `-- probe`, `-- site` or `-- page`.

    What the harness costs beside bare pytest (ready), nox and pip by hand (cold), in Docker (docker); how far the probe
    gets in its minute (probe); how long the site takes to build (site) and its first page to answer (page).
    """
    _install(session, "lint")
    session.run("python", "tests/benchmark/harness.py", *session.posargs, env={"PYTHONPATH": ".:tests"})


@nox.session
def clean(session: nox.Session) -> None:
    """Remove environments, images and working files; records and reports stay."""
    _verb(session, "clean")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the project's own tests, on real TensorFlow environments; say loudly what cannot be tested here."""
    _install(session, "tests")
    workers = ("-n", "logical", "--maxprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
    session.run("python", "-m", "pytest", *workers, *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known vulnerabilities in the orchestrator's own requirements; fail where advisories cannot be had."""
    session.install("--quiet", AUDITOR)
    session.log("where no advisory can be had for a package, this fails: run it where pypi.org or api.osv.dev answers")
    for name in ("run", "tests", "lint"):
        options = ("--strict", "--require-hashes", "--disable-pip", "--progress-spinner=off")
        session.run("pip-audit", *options, "-r", f"{LOCKS}/{name}.txt", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed every reader mutations of real inputs: `-- --inputs 1000000 --seed 1`."""
    _install(session, "tests")
    session.run("python", "-m", "fuzz", *session.posargs, env={"PYTHONPATH": ".:tests"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code, its types and the order of its packages, the workflows, and the issue forms."""
    _install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("zizmor", "--offline", "--persona=auditor", ".github/workflows")
    workflows = map(str, sorted(Path(".github/workflows").glob("*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    forms = [".github/ISSUE_TEMPLATE/record.yml", ".github/ISSUE_TEMPLATE/wrong-cell.yml"]
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *forms)


@nox.session
def package(session: nox.Session) -> None:
    """Build the package `tf-groupconv` into dist/, with the records and the suite inside."""
    session.run_install("uv", "build", "--quiet", "--out-dir=dist", *session.posargs, external=True)


@nox.session
def requirements(session: nox.Session) -> None:
    """Lock the orchestrator's own requirements again, as of today."""
    project = ("--extra=run", "pyproject.toml")
    locks = {
        "run": project,
        "tests": (*project, "--group=tests"),
        "lint": (*project, "--group=lint"),
        "nox": ("--group=nox",),
    }
    for name, of in locks.items():
        session.run_install(
            "uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--generate-hashes",
            "--no-header", "--no-emit-index-url", "--upgrade", *of, f"--output-file={LOCKS}/{name}.txt", external=True,
        )  # fmt: skip
