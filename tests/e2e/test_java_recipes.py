"""What Java programs build on the clients: Curator's recipes over the keeper, Kafka Streams over the broker."""

import pytest

from conftest import HERE, Ottla, Peer, free_port, java

CURATOR = """leader-latch leader-selector mutex read-write-lock-and-semaphore counters caches queue-and-barriers
transactions-and-protection ttl-and-groups session-loss""".split()
STREAMS = """word-count internal-topics second-instance-shares fail-over state-is-restored repartition-is-deleted
application-reset""".split()


@pytest.fixture(scope="module", params=["ottla", "real"])
def curator(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("curator")
    # Nodes with a time to live are off unless this is set, in ZooKeeper too.
    if request.param == "ottla":
        server = Ottla(directory, **{"keeper.tickTime": 500, "keeper.extendedTypesEnabled": "true"})
    else:
        server = Peer(directory / "zk", "zk-start", "tickTime=500", "extendedTypesEnabled=true", port=free_port())
    server.start()
    address = server.keeper if request.param == "ottla" else server.bootstrap
    done = java("curator-5.9.0", HERE / "java" / "CuratorSuite.java", address, check=False)
    server.stop()
    return done.stdout + done.stderr


@pytest.mark.parametrize("check", CURATOR)
def test_curator(curator, check):
    assert f"\nok {check} " in "\n" + curator, curator[-6000:]


@pytest.fixture(scope="module")
def streams(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    done = java("kafka-4.3.1", HERE / "java" / "StreamsSuite.java", broker.bootstrap, folder, check=False, timeout=300)
    return done.stdout + done.stderr


@pytest.mark.parametrize("check", STREAMS)
def test_streams(streams, check):
    assert f"\nok {check} " in "\n" + streams, streams[-6000:]
