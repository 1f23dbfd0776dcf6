"""Counts tests in a runner's own report: prints "PASSED FAILED".

    tally.py meson FILE.json    Meson's test log: one JSON object per line, one line per program
    tally.py junit FILE.xml     a JUnit report, as pytest writes it

A program that speaks TAP counts with its single tests; one that fails without a failed test (it
crashed, it timed out) counts as one more failure. Skipped tests count as neither.
"""

import json
import re
import sys
import xml.etree.ElementTree as xml

TAP_RESULT = re.compile(r"^(not )?ok\b(.*)$", re.MULTILINE)
GOOD = {"OK", "EXPECTEDFAIL"}
NEITHER = {"SKIP"}


def tally_program(program):
    passed = failed = 0
    for is_bad, text in TAP_RESULT.findall(program.get("stdout") or ""):
        if re.search(r"#\s*skip", text, re.IGNORECASE):
            continue
        if is_bad:
            failed += 1
        else:
            passed += 1
    if program["result"] in NEITHER:
        return 0, 0
    if program["result"] not in GOOD and failed == 0:
        failed = 1
    if passed + failed == 0:
        passed = 1
    return passed, failed


def tally_meson(path):
    with open(path, encoding="utf-8") as log:
        results = [tally_program(json.loads(line)) for line in log if line.strip()]
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
    print(*{"meson": tally_meson, "junit": tally_junit}[kind](report))
