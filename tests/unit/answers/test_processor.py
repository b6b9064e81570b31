"""Names as people know them, and what /proc/cpuinfo says of real processors."""

from __future__ import annotations

import pytest
from archspec.cpu import TARGETS

from matrix.answers import processor
from matrix.answers.processor import Processor
from matrix.base.errors import BadUsage

EPYC = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC
flags\t\t: fpu sse4_1 sse4_2 avx avx2 fma f16c
"""
GRAVITON3 = """processor\t: 0
Features\t: fp asimd sve bf16 i8mm
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""


@pytest.mark.parametrize(
    ("name", "host_class", "switches_on"),
    [
        ("zen3", "x86-avx2-amd", False),
        ("Zen4", "x86-avx512bf16-amd", True),
        ("icelake", "x86-avx512vnni", True),
        ("icelake-server", "x86-avx512vnni", True),
        ("skylake-avx512", "x86-avx512", False),
        ("haswell", "x86-avx2", False),
        ("sapphirerapids", "x86-amx", True),
        ("m7a", "x86-avx512bf16-amd", True),
        ("graviton2", "arm-neoverse-n1", False),
        ("graviton3", "arm-neoverse-v1", None),
        ("m1", "arm-m1", False),
    ],
)
def test_a_processor_is_known_by_its_name(name, host_class, switches_on):
    found = Processor.named(name)
    assert (found.host_class, found.switches_onednn_on) == (host_class, switches_on)


def test_every_name_of_the_file_is_of_a_processor_that_archspec_knows():
    assert set(processor.names().values()) <= TARGETS.keys()


@pytest.mark.parametrize(
    ("text", "host_class"),
    [
        (EPYC, "x86-avx2-amd"),
        (GRAVITON3, "arm-neoverse-v1"),
        ("avx2,fma", "x86-avx2"),
        ("flags\t\t: avx2 avx512f avx512bw avx512_vnni", "x86-avx512vnni"),
    ],
)
def test_a_processor_is_known_by_what_cpuinfo_says(text, host_class):
    assert Processor.with_flags(text).host_class == host_class


@pytest.mark.parametrize(("wrong", "near"), [("zne3", "zen3"), ("ice-lak", "icelake")])
def test_a_name_that_is_not_known_is_told_the_nearest(wrong, near):
    with pytest.raises(BadUsage) as raised:
        Processor.named(wrong)
    assert near in raised.value.cure


def test_a_flag_that_is_not_known_is_told_the_nearest():
    with pytest.raises(BadUsage) as raised:
        Processor.with_flags("avx2,avx512vnni")
    assert "avx512_vnni" in raised.value.cure


def test_words_that_are_no_flags_are_refused():
    with pytest.raises(BadUsage):
        Processor.with_flags("a fast one")
