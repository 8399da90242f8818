"""The files: Kafka's tool reads ours, ours reads Kafka's, and each server opens the other's directory."""

import pathlib
import time

import confluent_kafka
import kazoo.client
import pytest

from conftest import BIN, Ottla, Peer, Server, free_port, java, only_ottla, ottla, run, wait_for

pytestmark = only_ottla


def produce(bootstrap, topic, values, **settings):
    producer = confluent_kafka.Producer({"log_level": 0, "bootstrap.servers": bootstrap, "message.timeout.ms": 60000, **settings})
    failed = []
    for i, value in enumerate(values):
        producer.produce(topic, value, key=f"k{i}", on_delivery=lambda e, m: failed.append(e) if e else None)
        producer.poll(0)
    assert producer.flush(90) == 0 and not failed, failed


def consume(bootstrap, topic, count, group="reader", partition=0):
    consumer = confluent_kafka.Consumer({"log_level": 0, "bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0)])
    seen, deadline = [], time.monotonic() + 30
    while len(seen) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            seen.append(message.value())
    consumer.close()
    return seen


def until_loaded(ask):
    """A coordinator that has just been elected still reads its partition: the answer then is to ask again, in both servers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except confluent_kafka.KafkaException as e:
            if not e.args[0].retriable() and e.args[0].code() not in LOADING or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


LOADING = (
    confluent_kafka.KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    confluent_kafka.KafkaError.COORDINATOR_NOT_AVAILABLE,
    confluent_kafka.KafkaError.NOT_COORDINATOR,
)


def commit(bootstrap, topic, group, offset):
    consumer = confluent_kafka.Consumer({"log_level": 0, "bootstrap.servers": bootstrap, "group.id": group})
    offsets = [confluent_kafka.TopicPartition(topic, 0, offset)]
    until_loaded(lambda: consumer.commit(offsets=offsets, asynchronous=False))
    consumer.close()


def committed(bootstrap, topic, group):
    consumer = confluent_kafka.Consumer({"log_level": 0, "bootstrap.servers": bootstrap, "group.id": group})

    def ask():
        answer = consumer.committed([confluent_kafka.TopicPartition(topic, 0)], timeout=20)[0]
        if answer.error is not None:
            raise confluent_kafka.KafkaException(answer.error)
        return answer.offset

    offset = until_loaded(ask)
    consumer.close()
    return offset


VALUES = [f"value {i} ".encode() * 20 for i in range(3000)]


def fill(server):
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        produce(server.bootstrap, f"t-{codec}", VALUES, **{"compression.type": codec, "enable.idempotence": True, "batch.num.messages": 500})
    commit(server.bootstrap, "t-none", "committer", 1234)


def verify(server):
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        assert consume(server.bootstrap, f"t-{codec}", len(VALUES)) == VALUES, codec
    assert committed(server.bootstrap, "t-none", "committer") == 1234
    produce(server.bootstrap, "t-none", [b"one more"], **{"enable.idempotence": True})
    assert consume(server.bootstrap, "t-none", len(VALUES) + 1)[-1] == b"one more"


def test_kafkas_tool_reads_our_files(tmp_path):
    server = Ottla(tmp_path / "node", **{"log.segment.bytes": 300_000, "log.index.interval.bytes": 4096}).start()
    try:
        fill(server)
    finally:
        server.stop()
    files = sorted(p for d in (tmp_path / "node" / "data").glob("*-0") for p in d.iterdir() if p.suffix in (".log", ".index", ".timeindex", ".snapshot"))
    offsets_topic = [p for p in (tmp_path / "node" / "data").glob("__consumer_offsets-*/*.log") if p.stat().st_size]
    assert len(files) > 20 and offsets_topic
    text = java("kafka-4.3.1", "org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", ",".join(map(str, files))).stdout
    assert "isvalid: true" in text and "isvalid: false" not in text
    for complaint in ("Mismatches in", "not recovered", "Found timestamp mismatch", "out of order", "Exception", "corrupt"):
        assert complaint not in text, text[text.index(complaint) - 500:][:1500]
    text = java("kafka-4.3.1", "org.apache.kafka.tools.DumpLogSegments", "--offsets-decoder", "--files", ",".join(map(str, offsets_topic))).stdout
    assert '"group":"committer"' in text.replace(" ", "") and '"offset":1234' in text.replace(" ", "")


def test_our_dump_says_what_kafkas_says(tmp_path):
    kafka = Peer(tmp_path / "kafka", "kafka-start", "log.segment.bytes=1048576", port=free_port()).start()
    try:
        fill(kafka)
    finally:
        kafka.stop()
    for codec in ("none", "lz4"):
        directory = tmp_path / "kafka" / "data" / f"t-{codec}-0"
        for file in sorted(directory.iterdir()):
            if file.suffix not in (".log", ".index", ".timeindex", ".snapshot"):
                continue
            theirs = java("kafka-4.3.1", "org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--print-data-log", "--files", file).stdout
            ours = ottla("dump-log", "--deep-iteration", "--print-data-log", "--files", file).stdout
            assert ours.splitlines() == theirs.splitlines(), file


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_kafka_opens_our_directory(tmp_path, end):
    server = Ottla(tmp_path / "node", **{"broker.id": 1, "log.segment.bytes": 300_000}).start()
    fill(server)
    getattr(server, end)()
    # The same keeper directory under a real ZooKeeper, the same log directory under a real ZooKeeper-mode Kafka.
    zk = Peer(tmp_path / "zk", "zk-start", port=free_port())
    (tmp_path / "zk").mkdir()
    (tmp_path / "node" / "keeper").rename(tmp_path / "zk" / "data")
    zk.start()
    kafka = Peer(tmp_path / "kafka", "kafka-zk-start", 1, zk.bootstrap, "log.segment.bytes=300000", port=free_port())
    (tmp_path / "kafka").mkdir()
    (tmp_path / "node" / "data").rename(tmp_path / "kafka" / "data")
    try:
        # Kafka gives up at the registration of a killed broker; it goes when that broker's session expires.
        client = kazoo.client.KazooClient(hosts=zk.bootstrap)
        client.start(15)
        wait_for(lambda: not client.exists("/brokers/ids/1"), 40, "the end of the killed broker's session")
        client.stop()
        client.close()
        kafka.start()
        verify(kafka)
    finally:
        kafka.stop()
        zk.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_we_open_kafkas_directory(tmp_path, end):
    zk = Peer(tmp_path / "zk", "zk-start", port=free_port()).start()
    kafka = Peer(tmp_path / "kafka", "kafka-zk-start", 1, zk.bootstrap, "log.segment.bytes=300000", port=free_port())
    try:
        kafka.start()
        fill(kafka)
        getattr(kafka, end)()
    finally:
        getattr(zk, end)()
    server = Ottla(tmp_path / "node", **{"broker.id": 1, "log.segment.bytes": 300_000})
    (tmp_path / "zk" / "data").rename(tmp_path / "node" / "keeper")
    (tmp_path / "kafka" / "data").rename(tmp_path / "node" / "data")
    try:
        server.start(seconds=60)
        verify(server)
    finally:
        server.stop()


def test_on_apache_zookeeper(tmp_path):
    zk = Peer(tmp_path / "zk", "zk-start", port=free_port()).start()
    server = Ottla(tmp_path / "node", zookeeper=f"{zk.bootstrap}/chroot/kafka")
    try:
        server.start()
        fill(server)
        server.kill()
        server.start(seconds=60)
        verify(server)
    finally:
        server.stop()
        zk.stop()


def test_kafka_runs_on_our_keeper(tmp_path):
    port = free_port()
    config = tmp_path / "zoo.cfg"
    config.write_text(f"dataDir={tmp_path}/keeper\nclientPort={port}\nadmin.enableServer=false\n4lw.commands.whitelist=*\n")
    keeper = Server([BIN, "keeper", config], tmp_path / "keeper.log", [port]).start()
    kafka = Peer(tmp_path / "kafka", "kafka-zk-start", 1, f"127.0.0.1:{port}", port=free_port())
    try:
        kafka.start()
        fill(kafka)
        keeper.kill()
        keeper.start()
        verify(kafka)
    finally:
        kafka.stop()
        keeper.stop()
