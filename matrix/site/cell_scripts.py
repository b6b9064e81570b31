"""The script of a cell's page: what makes it happen in any environment with the release."""

from __future__ import annotations

from matrix.answers.reproduction import Reproduction, script
from matrix.base.errors import BadUsage
from matrix.catalog.known_errors import failure_text
from matrix.catalog.releases import Catalog
from matrix.judge.verdicts import FAILED
from matrix.site.cell_pages import Section


def reproduction(section: Section, catalog: Catalog) -> tuple[str, bool]:
    """The program, and whether it stands alone; else it is the command of the suite that shows the same."""
    one, header = section.example, section.judgement.run.judged_by
    assert one, "the template asks only where there is an example"
    came = failure_text(one) if one.outcome in FAILED else one.outcome
    told = f"Recorded on TensorFlow {header.release}, {header.profile}, {header.host.host_class}: {came}"
    profile = next((entry for entry in catalog.profiles if entry.name == header.profile), None)
    try:
        return script(Reproduction(cell=one.cell, release=header.release, profile=profile, told=told)), True
    except BadUsage:
        return f"cd tests && python -m suite.observe {' '.join(one.cell)}", False
