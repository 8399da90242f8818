"""The Java clients of 4.3.1: one program with a named check per capability."""

import pytest

from conftest import HERE, java

CHECKS = """cluster topics topic-errors partitions codecs null-and-headers idempotence auto-create too-large offsets-by-time
delete-records out-of-range group-shares group-resumes group-cooperative group-static group-admin configs producers-and-dirs
log-append-time many-partitions consumer-and-read-committed""".split()


@pytest.fixture(scope="session")
def suite(broker):
    done = java("kafka-4.3.1", HERE / "java" / "ClientSuite.java", broker.bootstrap, check=False, timeout=400)
    return done.stdout + done.stderr


@pytest.mark.parametrize("check", CHECKS)
def test_java(suite, check):
    assert f"\nok {check} " in "\n" + suite, suite[-6000:]
