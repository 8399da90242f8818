"""The clients of Go: franz-go, sarama, kafka-go and go-zookeeper, by one program."""

import shutil

import pytest

from conftest import HERE, Ottla, Peer, free_port, run

pytestmark = pytest.mark.skipif(not shutil.which("go"), reason="needs go")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("go") / "clients"
    run("go", "-C", HERE / "go", "build", "-o", path, ".", timeout=580)
    return path


@pytest.mark.parametrize("client", ["franz", "sarama", "kafkago"])
def test_go_client(broker, topic, program, client):
    assert run(program, client, broker.bootstrap, topic, timeout=100).stdout == "ok\n"


@pytest.mark.parametrize("which", ["ottla", "real"])
def test_go_zookeeper(tmp_path, starting, program, which):
    server = starting(Ottla(tmp_path / "node") if which == "ottla" else Peer(tmp_path / "zk", "zk-start", port=free_port()))
    address = server.keeper if which == "ottla" else server.bootstrap
    assert run(program, "zk", address, "go", timeout=100).stdout == "ok\n"
