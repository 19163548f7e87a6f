"""The verdict as a JUnit file, so that CI systems show each criterion; only a pass is green."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from zantara_exp.gates.decision import FAIL, MISSING, PASS
from zantara_exp.gates.verdict import Verdict

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 forbids (production 2, Char): a file with one of them cannot be read."""


def junit_xml(verdict: Verdict) -> str:
    """One test case per criterion: NO-GO is a failure, undecided or missing an error, missing and optional skipped.

    A sample that is not the declared one is a case of its own, and an error.
    """
    counts = {"failure": 0, "error": 0, "skipped": 0}
    suite = Xml.Element("testsuite", name=f"gate.{verdict.gate}")
    for decided in verdict.criteria:
        case = Xml.SubElement(suite, "testcase", classname=f"gate.{verdict.gate}", name=decided.name)
        if decided.decision == PASS:
            Xml.SubElement(case, "system-out").text = decided.reason
            continue
        optional = decided.decision == MISSING and not decided.criterion.required
        tag = "failure" if decided.decision == FAIL else "skipped" if optional else "error"
        counts[tag] += 1
        outcome = Xml.SubElement(case, tag, message=decided.reason)
        if tag != "skipped":
            outcome.set("type", decided.decision)
    if verdict.sample is not None and verdict.sample.mismatch:
        counts["error"] += 1
        case = Xml.SubElement(suite, "testcase", classname=f"gate.{verdict.gate}", name="sample_ratio")
        Xml.SubElement(case, "error", message=verdict.sample.mismatch, type="MISMATCH")
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    properties = Xml.Element("properties")
    for name in ("verdict", "gate_hash", "epoch", "as_of"):
        Xml.SubElement(properties, "property", name=name, value=str(getattr(verdict, name)))
    suite.insert(0, properties)
    root = Xml.Element("testsuites")
    root.append(suite)
    Xml.indent(root)
    for element in root.iter():
        element.text = _writable(element.text or "") or None
        element.attrib.update({name: _writable(value) for name, value in element.attrib.items()})
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _writable(text: str) -> str:
    """The text with forbidden characters written as `\\x00`, since a reason may quote broken input."""
    return _FORBIDDEN.sub(lambda found: ascii(found.group())[1:-1], text)
