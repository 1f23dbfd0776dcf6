"""The long tests of Kafka into tables. They use the interop tests' fixtures and packages; nothing here skips."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
REPO = os.path.dirname(TESTS)
sys.path[:0] = [HERE, TESTS, os.path.join(TESTS, "golden", "generate")]

os.environ["no_proxy"] = "127.0.0.1"
