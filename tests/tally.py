"""Counts tests in a runner's own report: prints "PASSED FAILED".

    tally.py meson FILE.json    Meson's test log: one JSON object per line, one line per program
    tally.py junit FILE.xml     a JUnit report, as pytest writes it

A program that speaks TAP counts with its single tests; one that fails without a failed test (it
crashed, it timed out) counts as one more failure. Under Meson a skipped test is a failed one: here
nothing may be skipped. In pytest, where a peer may lack a feature, it counts as neither.

What Meson leaves out of its log, the diagnostics of failed TAP tests, goes to stderr.
"""

import json
import os
import re
import sys
import xml.etree.ElementTree as xml

TAP_RESULT = re.compile(r"^(not )?ok\b", re.MULTILINE)
TAP_FAILURE = re.compile(r"^not ok\b.*\n(?:#.*\n?)*", re.MULTILINE)
GOOD = {"OK", "EXPECTEDFAIL"}


def tally_program(program):
    passed = failed = 0
    for is_bad in TAP_RESULT.findall(program.get("stdout") or ""):
        if is_bad:
            failed += 1
        else:
            passed += 1
    if program["result"] not in GOOD and failed == 0:
        failed = 1
    if passed + failed == 0:
        passed = 1
    return passed, failed


def show_failures(program):
    for failure in TAP_FAILURE.findall(program.get("stdout") or ""):
        print(f"{program['name']}: {failure.rstrip()}", file=sys.stderr)


def tally_meson(path):
    with open(path, encoding="utf-8") as log:
        programs = [json.loads(line) for line in log if line.strip()]
    for program in programs:
        show_failures(program)
    results = [tally_program(program) for program in programs]
    return sum(passed for passed, _ in results), sum(failed for _, failed in results)


def tally_junit(path):
    passed = failed = 0
    for case in xml.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None:
            passed += 1
    return passed, failed


if __name__ == "__main__":
    kind, report = sys.argv[1:]
    if not os.path.exists(report):
        sys.exit(f"there is no {report}: no test was run")
    print(*{"meson": tally_meson, "junit": tally_junit}[kind](report))
