"""What others wrote to test servers and clients with, against ours: suites of ZooKeeper's Java client, of Curator and of kazoo.

Only the seam is ours where such a suite starts its servers (`java/suites`, and a `java` that kazoo's finds first). Left out are
tests that look into a server within their own JVM, and what we say that we don't have: TLS and SASL."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import BIN, HERE, PEERS_CACHE, free_port, only_ottla, run

pytestmark = only_ottla
JARS = PEERS_CACHE / "client-suites"
# In this order: AuthTest takes the super user's password away, which ChrootTest needs.
CLASSES = {
    "org.apache.zookeeper.test": """ChrootTest ACLRootTest AsyncOpsTest AuthTest ClientRetryTest CreateTest DigestAuthDisabledTest
        EnforceQuotaTest GetChildren2Test MaxCnxnsTest MultiAsyncTransactionTest MultiOperationTest NullDataTest
        PersistentRecursiveWatcherTest PersistentWatcherACLTest PersistentWatcherTest SessionInvalidationTest StatTest SyncCallTest
        WatcherFuncTest""",
    "org.apache.zookeeper": "GetAllChildrenNumberTest GetEphemeralsTest RemoveWatchesCmdTest",
    "org.apache.curator.framework.imps": """TestCreate TestCreateReturningStat TestDelete TestEnsureContainers TestExistsBuilder
        TestMultiClient TestNamespaceFacade TestReadOnly TestSetData TestTransactionsNew TestTtlNodes""",
    "org.apache.curator.framework.recipes": """locks.TestInterProcessReadWriteLock locks.TestLockACLs leader.TestLeaderAcls
        nodes.TestGroupMember queue.TestDistributedDelayQueue
        atomic.TestDistributedAtomicLong barriers.TestDistributedBarrier barriers.TestDistributedDoubleBarrier
        cache.TestCuratorCache""",
}
KAZOO = "test_barrier test_client test_connection test_counter test_election test_lock test_party test_watchers".split()
# What kazoo's suite starts: the last word is the configuration, and those before it have ZooKeeper's Java properties.
JAVA_FOR_KAZOO = """#!/bin/sh
for last; do :; done
JVMFLAGS="$*" exec "$OTTLA_BIN" keeper "$last" >> "$KEEPERS_LOG" 2>&1
"""
# It makes certificates before anything else, for TLS, which is left out.
WITHOUT_CERTIFICATES = {
    "OpenSSL.py": "from unittest.mock import MagicMock\ncrypto = MagicMock()\n",
    "jks.py": "from unittest.mock import MagicMock\nKeyStore = PrivateKeyEntry = TrustedCertEntry = MagicMock()\n",
}


def names(package):
    return [f"{package}.{name}" for name in CLASSES[package].split()]


@pytest.fixture(scope="module")
def seam(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seam")
    sources = sorted((HERE / "java" / "suites").glob("*.java"))
    run("javac", "-nowarn", "-proc:none", "-cp", f"{JARS}/*", "-d", folder, *sources, timeout=120)
    return folder


@pytest.mark.parametrize("package", CLASSES)
def test_java(seam, tmp_path, package):
    log = tmp_path / "keepers.log"
    command = [
        "java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Djava.io.tmpdir={tmp_path}", f"-Dbuild.test.dir={tmp_path}",
        "-Dzookeeper.serverCnxnFactory=ottla.ProcessCnxnFactory", "-Dzookeeper.admin.enableServer=false",
        "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
        "--add-opens=java.base/java.lang=ALL-UNNAMED", "-cp", f"{seam}:{PEERS_CACHE}/conf:{JARS}/*",
        "org.junit.platform.console.ConsoleLauncher", "execute", "-E", "junit-vintage", "--disable-banner", "--disable-ansi-colors",
        "--details=testfeed", f"--reports-dir={tmp_path}", "--config=junit.jupiter.execution.timeout.default=120s",
        *(f"--select-class={name}" for name in names(package)),
    ]
    environment = {**os.environ, "OTTLA_BIN": str(BIN), "KEEPERS_LOG": str(log)}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=900, env=environment, cwd=tmp_path)
    report = tmp_path / "TEST-junit-jupiter.xml"
    assert report.exists(), done.stdout[-2000:] + done.stderr[-4000:]
    ran, failed = set(), []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        ran.add(case.get("classname"))
        problem = case.find("failure") if case.find("failure") is not None else case.find("error")
        if problem is not None:
            failed.append(f"{case.get('classname')} {case.get('name')}: {(problem.text or '')[:600]}")
    assert not failed, "\n\n".join(failed)
    assert ran == set(names(package))
    assert "panicked" not in log.read_text(errors="replace")


def test_kazoo_on_three_servers(tmp_path):
    shim, log = tmp_path / "bin" / "java", tmp_path / "keepers.log"
    shim.parent.mkdir()
    shim.write_text(JAVA_FOR_KAZOO)
    shim.chmod(0o755)
    for name, text in WITHOUT_CERTIFICATES.items():
        (tmp_path / name).write_text(text)
    environment = {
        **os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}", "OTTLA_BIN": str(BIN), "KEEPERS_LOG": str(log), "CI": "true",
        "PYTHONPATH": str(tmp_path), "ZOOKEEPER_VERSION": "3.9.5", "ZOOKEEPER_CLASSPATH": "none", "ZOOKEEPER_CLUSTER_SIZE": "3", "ZOOKEEPER_PORT_OFFSET": str(free_port()),
    }
    modules = [f"kazoo.tests.{name}" for name in KAZOO]
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", "-k", "not TestSSLClient", "--pyargs", *modules]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=900, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-8000:]
    assert "panicked" not in log.read_text(errors="replace")
