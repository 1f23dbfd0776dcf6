#!/usr/bin/env python3
"""Runs the Iceberg project's REST Compatibility Kit against one server and says what each skipped test was skipped for.

    rck.py sqlite|postgres|reference --report FILE.xml [--test CLASS#METHOD]...

`reference` is the Iceberg project's own server: it shows that the harness is right. The kit is run as its README says, with
every capability that can be switched on switched on. Three of its capabilities are switched off in its code: nested namespaces,
slashes in names and unique table locations; BeyondCatalogTests.java, compiled here, runs those tests, too.
"""
import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import servers  # noqa: E402

SUITE = "org.apache.iceberg.rest.RESTCompatibilityKitSuite"
BEYOND = "org.apache.iceberg.rest.BeyondCatalogTests"
BEYOND_TESTS = ["testListNestedNamespaces", "testDropNamespaceWithNestedNamespace", "testNamespaceWithSlash", "testTableNameWithSlash", "createTableInUniqueLocation"]

# Why the kit skips a test whatever the server can do. A test that is skipped and not named here fails the run.
BY_THE_KIT = {
    "testListNestedNamespaces": "the kit leaves nested namespaces off in code; run as BeyondCatalogTests",
    "testDropNamespaceWithNestedNamespace": "the kit leaves nested namespaces off in code; run as BeyondCatalogTests",
    "testNamespaceWithSlash": "the kit switches slashes in names off in code (its own server refuses them); run as BeyondCatalogTests",
    "testTableNameWithSlash": "the kit switches slashes in names off in code (its own server refuses them); run as BeyondCatalogTests",
    "createTableInUniqueLocation": "@Disabled in the kit (its own server cannot be configured per test); run as BeyondCatalogTests",
    "createAndDropEmptyNamespace": "the kit leaves the empty namespace off in code: the REST protocol has no path for it",
    "listNamespacesWithEmptyNamespace": "the kit leaves the empty namespace off in code: the REST protocol has no path for it",
    "listTablesInEmptyNamespace": "the kit leaves the empty namespace off in code: the REST protocol has no path for it",
    "namespacePropertiesOnEmptyNamespace": "the kit leaves the empty namespace off in code: the REST protocol has no path for it",
    "listViewsInEmptyNamespace": "the kit leaves the empty namespace off in code: the REST protocol has no path for it",
}
CAN = {
    "requires-namespace-create": "true",
    "supports-serverside-retry": "true",
    "overrides-requested-location": "false",
    "supports-names-with-dot": "true",
    "supports-variant": "true",
}
# What the reference server's JDBC catalog cannot do. None: the kit's default, which differs between tables and views.
CANNOT = {"reference": {"supports-names-with-dot": "false", "requires-namespace-create": None}}
CANNOT_TESTS = {
    "reference": {
        "testNamespaceWithDot": "its JDBC catalog has no names with dots",
        "testTableNameWithDot": "its JDBC catalog has no names with dots",
        "tableCreationWithoutNamespace": "its JDBC catalog makes namespaces by itself",
    }
}


def class_path(classes):
    jars = sorted(os.path.join(servers.RCK_JARS, name) for name in os.listdir(servers.RCK_JARS) if name.endswith(".jar"))
    return ":".join([classes, *jars])


def compile_beyond(classes):
    done = subprocess.run([servers.java() + "c", "-nowarn", "-d", classes, "-cp", class_path(classes), os.path.join(HERE, "BeyondCatalogTests.java")])
    if done.returncode != 0:
        sys.exit("BeyondCatalogTests.java does not compile against the kit")


def launch(server, capabilities, classes, reports, selectors):
    """Runs the kit; its report lands in `reports`. The exit code of the console launcher says only whether a test failed."""
    settings = {"local": "false", "uri": server.uri, **capabilities}
    if server.warehouse:
        settings["warehouse"] = server.warehouse
    settings = {key: value for key, value in settings.items() if value is not None}
    # As the kit's own build does it: each with the prefix and without.
    properties = [f"-D{prefix}{key}={value}" for key, value in settings.items() for prefix in ("rck.", "")]
    command = [servers.java(), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *properties, "-cp", class_path(classes),
               "org.junit.platform.console.ConsoleLauncher", "execute", "--disable-banner", "--disable-ansi-colors", "--details=tree",
               f"--reports-dir={reports}", *selectors]
    return subprocess.run(command, cwd=reports).returncode


def cases(reports):
    found = []
    for name in sorted(os.listdir(reports)):
        if name.endswith(".xml"):
            found += xml.parse(os.path.join(reports, name)).getroot().iter("testcase")
    return found


def say_skips(name, tests):
    """Prints skipped tests with their causes; returns those that have none."""
    known = {**BY_THE_KIT, **CANNOT_TESTS.get(name, {})}
    unknown = []
    for case in tests:
        if case.find("skipped") is None:
            continue
        method = case.get("name").split("(")[0]
        cause = known.get(method)
        if cause is None:
            unknown.append(case)
            cause = "NO CAUSE IS KNOWN"
        print(f"skipped: {case.get('classname').rsplit('.', 1)[-1]}.{method}: {cause}")
    return unknown


def run(name, make_server, report, chosen):
    """`make_server` gives a fresh server each time: the kit starts from an empty catalog."""
    capabilities = {**CAN, **CANNOT.get(name, {})}
    rounds = [("kit", ["-c", SUITE])]
    if chosen:
        rounds = [("chosen", [word for test in chosen for word in ("-m", f"org.apache.iceberg.rest.{test}")])]
    elif name != "reference":
        rounds += [(test, ["-m", f"{BEYOND}#{test}"]) for test in BEYOND_TESTS]
    with tempfile.TemporaryDirectory() as scratch:
        runs = []
        classes = os.path.join(scratch, "classes")
        os.mkdir(classes)
        compile_beyond(classes)
        for title, select in rounds:
            reports = os.path.join(scratch, title)
            os.mkdir(reports)
            with make_server(title) as server:
                launch(server, capabilities, classes, reports, select)
            runs += cases(reports)
        unknown = say_skips(name, runs)
        for case in unknown:
            xml.SubElement(case, "failure", {"message": "skipped, and tests/rck/rck.py knows no cause"})
        root = xml.Element("testsuite", {"name": f"rck {name}"})
        root.extend(runs)
        xml.ElementTree(root).write(report, encoding="unicode")
    failed = [c for c in runs if c.find("failure") is not None or c.find("error") is not None]
    skipped = [c for c in runs if c.find("skipped") is not None]
    for case in failed:
        print(f"FAILED: {case.get('classname').rsplit('.', 1)[-1]}.{case.get('name')}")
    print(f"{name}: {len(runs) - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not runs else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=["sqlite", "postgres", "reference"])
    parser.add_argument("--report", required=True)
    parser.add_argument("--test", action="append", default=[], help="RESTCompatibilityKitCatalogTests#testCreateNamespace")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if options.server == "reference":
            def make_server(title):
                return servers.ReferenceServer(os.path.join(folder, title))
        else:
            cluster = stack.enter_context(servers.PostgresCluster()) if options.server == "postgres" else None

            def make_server(title):
                return servers.FirnServer(os.path.join(folder, title, "lake"), catalog=cluster and cluster.database(title))
        return run(options.server, make_server, options.report, options.test)


if __name__ == "__main__":
    sys.exit(main())
