"""`kill -9` at any moment: what was acknowledged is there afterwards, in order, once."""

import random
import threading
import time

import confluent_kafka
import pytest

from conftest import Ottla, only_ottla, ottla, wait_for
from test_files import consume

pytestmark = only_ottla


def test_acknowledged_records_survive(tmp_path):
    """The process dies, the page cache lives: nothing acknowledged may be missing, doubled or out of order."""
    server = Ottla(tmp_path / "node", **{"log.segment.bytes": 200_000}).start()
    acknowledged, stop = [], threading.Event()
    producer = confluent_kafka.Producer({"log_level": 0, "bootstrap.servers": server.bootstrap, "enable.idempotence": True, "linger.ms": 1,
                                         "message.timeout.ms": 60000, "reconnect.backoff.max.ms": 200})

    def keep_producing():
        n = 0
        while not stop.is_set() and n < 200_000:
            value = f"{n:08}".encode() + b"." * 100
            producer.produce("t", value, partition=0, on_delivery=lambda e, m: acknowledged.append(m.value()) if e is None else None)
            producer.poll(0)
            n += 1
            if n % 50 == 0:
                time.sleep(0.002)

    thread = threading.Thread(target=keep_producing)
    thread.start()
    chance = random.Random(1)
    try:
        for _ in range(4):
            time.sleep(0.5 + chance.random())
            server.kill()
            server.start()
        stop.set()
        thread.join(60)
        assert producer.flush(60) == 0
        assert len(acknowledged) > 500
        seen = consume(server.bootstrap, "t", len(acknowledged))
        position = {value: i for i, value in reversed(list(enumerate(seen)))}
        missing = [v[:8] for v in acknowledged if v not in position]
        assert not missing, f"{len(missing)} acknowledged records are gone, such as {missing[:3]}"
        assert len(set(seen)) == len(seen), "records are doubled in spite of idempotence"
        assert seen == sorted(seen)
    finally:
        stop.set()
        thread.join(60)
        server.stop()


def test_torn_tail_is_cut(tmp_path):
    server = Ottla(tmp_path / "node").start()
    ottla("console-producer", "--bootstrap-server", server.bootstrap, "--topic", "t", input="one\ntwo\n")
    server.kill()
    (log,) = (tmp_path / "node" / "data" / "t-0").glob("*.log")
    whole = log.read_bytes()
    log.write_bytes(whole + whole[: len(whole) - 7])
    for index in list(log.parent.glob("*.index")) + list(log.parent.glob("*.timeindex")):
        index.unlink()
    server.start()
    try:
        assert consume(server.bootstrap, "t", 2) == [b"one", b"two"]
        ottla("console-producer", "--bootstrap-server", server.bootstrap, "--topic", "t", input="three\n")
        assert consume(server.bootstrap, "t", 3) == [b"one", b"two", b"three"]
        assert log.read_bytes().startswith(whole)
    finally:
        server.stop()


def test_restart_keeps_everything(tmp_path):
    server = Ottla(tmp_path / "node", **{"num.partitions": 3}).start()
    boot = ("--bootstrap-server", server.bootstrap)
    try:
        ottla("topics", *boot, "--create", "--topic", "kept", "--partitions", 3, "--config", "retention.ms=777777")
        ottla("console-producer", *boot, "--topic", "kept", input="1\n2\n3\n")
        assert sorted(ottla("console-consumer", *boot, "--topic", "kept", "--from-beginning", "--group", "g", "--max-messages", 3).stdout.split()) == ["1", "2", "3"]
        for end in (server.stop, server.kill, server.stop):
            end()
            server.start()
            assert "retention.ms=777777" in ottla("topics", *boot, "--describe", "--topic", "kept").stdout
            rows = [line.split() for line in ottla("consumer-groups", *boot, "--describe", "--group", "g").stdout.splitlines() if "kept" in line.split()]
            assert sum(int(row[3]) for row in rows) == 3
            assert sorted(ottla("console-consumer", *boot, "--topic", "kept", "--from-beginning", "--max-messages", 3).stdout.split()) == ["1", "2", "3"]
    finally:
        server.stop()
