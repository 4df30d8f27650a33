"""What a check found, case by case, for people (Markdown) and for machines (JUnit XML)."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

from benchmark.errors import Problem


@dataclass(frozen=True)
class Case:
    """One thing that was checked."""

    group: str
    """What it belongs to: a track, or ``files``."""
    name: str
    """What was checked, e.g. ``vqvae, strict, lve_mm``."""
    problems: tuple[Problem, ...] = ()
    """What is wrong; empty where all is well."""


def failed(cases: Sequence[Case]) -> list[Case]:
    """Those that found something."""
    return [case for case in cases if case.problems]


def junit(cases: Sequence[Case], seconds: float) -> str:
    """All cases as a JUnit report, one suite a group."""
    groups = dict.fromkeys(case.group for case in cases)
    root = Xml.Element("testsuites", _counts("mmbench check", cases) | {"time": f"{seconds:.3f}"})
    for group in groups:
        own = [case for case in cases if case.group == group]
        suite = Xml.SubElement(root, "testsuite", _counts(group, own))
        for case in own:
            entry = Xml.SubElement(suite, "testcase", {"classname": _printable(group), "name": _printable(case.name)})
            if case.problems:
                failure = Xml.SubElement(entry, "failure", {"message": _printable(str(case.problems[0]))})
                failure.text = _printable("\n".join(map(str, case.problems)))
    Xml.indent(root, " ")
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(cases: Sequence[Case], seconds: float) -> str:
    """A summary for a pull request: what failed, with expected and got, and how much was checked."""
    bad = failed(cases)
    head = f"{len(bad)} of {len(cases)} checks failed" if bad else f"all {len(cases)} checks hold"
    lines = ["# mmbench check", "", f"{head}, {seconds:.0f} s.", "", "| group | checks | failed |", "|---|---:|---:|"]
    for group in dict.fromkeys(case.group for case in cases):
        own = [case for case in cases if case.group == group]
        lines.append(f"| {_cell(group)} | {len(own)} | {len(failed(own))} |")
    if bad:
        lines += ["", "| where | what | expected | got | to mend |", "|---|---|---|---|---|"]
        lines += [
            "| " + " | ".join(map(_cell, (one.where, one.what, one.expected, one.got, one.mend))) + " |"
            for case in bad
            for one in case.problems
        ]
    return "\n".join(lines) + "\n"


def _counts(name: str, cases: Sequence[Case]) -> dict[str, str]:
    return {"name": _printable(name), "tests": str(len(cases)), "failures": str(len(failed(cases)))}


def _printable(text: str) -> str:
    """Text without the control characters that XML cannot hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def _cell(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return " ".join(_printable(escaped).split())
