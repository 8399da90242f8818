"""Our own client crate's tests that want a running server, against the real ones and against Ottla."""

import shutil

import pytest

from conftest import HERE, Ottla, Peer, free_port, only_ottla, run

pytestmark = [only_ottla, pytest.mark.skipif(not shutil.which("cargo"), reason="needs cargo")]


def client_tests(name, **env):
    root = HERE.parent.parent
    done = run("cargo", "test", "--quiet", "--locked", "--manifest-path", root / "Cargo.toml", "-p", "ottla-client", "--test", "it", "--", "--exact", name, env=env, timeout=580)
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("which", ["ottla", "real"])
def test_kafka(tmp_path, starting, which):
    server = Ottla(tmp_path / "node") if which == "ottla" else Peer(tmp_path / "kafka", "kafka-start", port=free_port())
    client_tests("kafka::real_broker", OTTLA_TEST_KAFKA=starting(server).bootstrap)


@pytest.mark.parametrize("which", ["ottla", "real"])
def test_zookeeper(tmp_path, starting, which):
    server = Ottla(tmp_path / "node") if which == "ottla" else Peer(tmp_path / "zk", "zk-start", port=free_port())
    starting(server)
    client_tests("keeper::real_server", OTTLA_TEST_ZOOKEEPER=server.keeper if which == "ottla" else server.bootstrap)


@pytest.mark.parametrize("which", ["ottla", "real"])
def test_zookeeper_mode(tmp_path, starting, which):
    if which == "ottla":
        server = starting(Ottla(tmp_path / "node"))
        servers = f"{server.bootstrap},{server.keeper}"
    else:
        zk = starting(Peer(tmp_path / "zk", "zk-start", port=free_port()))
        kafka = starting(Peer(tmp_path / "kafka", "kafka-zk-start", 1, f"{zk.bootstrap}/chroot", port=free_port()))
        servers = f"{kafka.bootstrap},{zk.bootstrap}/chroot"
    client_tests("kafka::real_broker_by_its_keeper", OTTLA_TEST_ZOOKEEPER_MODE=servers)
