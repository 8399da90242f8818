"""Garbage from the network, wrong settings, foreign directories: a clear line each, and the server goes on."""

import os
import random
import socket
import struct

import confluent_kafka.admin
import pytest

from conftest import BIN, Ottla, free_port, only_ottla, ottla, run, wait_for

pytestmark = only_ottla


def exchange(port, data, seconds=5):
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
        s.sendall(data)
        out = b""
        try:
            while chunk := s.recv(65536):
                out += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return out


def frame(api, version, body=b"", correlation=7, client=b"bad"):
    payload = struct.pack(">hhih", api, version, correlation, len(client)) + client + body
    return struct.pack(">i", len(payload)) + payload


def test_frames(broker):
    garbage = [b"\xff\xff\xff\xff", struct.pack(">i", 2_000_000_000) + b"x" * 10, struct.pack(">i", 3) + b"abc", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
               frame(999, 0), frame(3, 99), frame(0, 2, b"\x00" * 30), frame(1, 3, b"\x00" * 30), frame(3, 1, b"\x7f\xff\xff\xff"), frame(0, 9, b"\xff" * 40),
               struct.pack(">i", 0)]
    for data in garbage:
        assert exchange(broker.port, data, 3) == b"", data
    chance = random.Random(5)
    for _ in range(200):
        body = bytes(chance.randrange(256) for _ in range(chance.randrange(60)))
        exchange(broker.port, frame(chance.randrange(0, 93), chance.randrange(0, 14), body), 0.02)
    # An ApiVersions of an unknown version is answered in version 0 with UNSUPPORTED_VERSION.
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as s:
        s.sendall(frame(18, 77, b"\x00"))
        size, correlation, error = struct.unpack(">iih", s.recv(10))
        assert (correlation, error) == (7, 35) and size > 100
    assert "Produce(0)" in ottla("broker-api-versions", "--bootstrap-server", broker.bootstrap).stdout


def test_half_frames_and_many_connections(broker):
    sockets = [socket.create_connection(("127.0.0.1", broker.port), timeout=5) for _ in range(300)]
    for s in sockets:
        s.sendall(struct.pack(">i", 1_000_000) + b"abc")
    assert "Produce(0)" in ottla("broker-api-versions", "--bootstrap-server", broker.bootstrap).stdout
    for s in sockets:
        s.close()


def started(tmp_path, text, *args):
    path = tmp_path / "server.properties"
    path.write_text(text)
    return run(BIN, "start", path, *args, check=False, timeout=20)


def test_settings_are_named_with_their_line(tmp_path):
    done = started(tmp_path, f"log.dirs={tmp_path}/d\nnum.partitions=many\n")
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "num.partitions" in text and "many" in text and "server.properties line 2" in text, text
    done = run(BIN, "start", tmp_path / "nothing.properties", check=False)
    assert done.returncode != 0 and "nothing.properties" in done.stderr + done.stdout


def test_port_in_use(tmp_path, broker):
    done = started(tmp_path, f"log.dirs={tmp_path}/d\nlisteners=PLAINTEXT://127.0.0.1:{broker.port}\nkeeper.clientPort={free_port()}\nottla.metrics.listener=\n")
    text = done.stdout + done.stderr
    assert done.returncode != 0 and str(broker.port) in text and "in use" in text, text


def test_locked_directory(tmp_path, broker):
    done = started(tmp_path, f"log.dirs={broker.directory}/data\nlisteners=PLAINTEXT://127.0.0.1:{free_port()}\nkeeper.clientPort={free_port()}\nkeeper.dataDir={tmp_path}/k\nottla.metrics.listener=\n")
    text = done.stdout + done.stderr
    assert done.returncode != 0 and str(broker.directory / "data") in text and "lock" in text.lower(), text


def test_foreign_directory(tmp_path):
    server = Ottla(tmp_path / "a", **{"broker.id": 1}).start()
    server.stop()
    other = Ottla(tmp_path / "b", **{"broker.id": 1}).start()
    other.stop()
    (tmp_path / "b" / "data" / "meta.properties").write_text((tmp_path / "a" / "data" / "meta.properties").read_text())
    done = run(*other.command, check=False, timeout=20)
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "cluster" in text.lower() and "meta.properties" in text, text
    wrong_id = Ottla(tmp_path / "a", **{"broker.id": 2})
    done = run(*wrong_id.command, check=False, timeout=20)
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "broker.id" in text and str(tmp_path / "a" / "data") in text, text


def test_corrupt_batches(broker, topic):
    ottla("topics", "--bootstrap-server", broker.bootstrap, "--create", "--topic", topic)
    good = bytes.fromhex("0000000000000000" "0000003c" "ffffffff" "02") 
    name = topic.encode()
    for records in (b"", b"\x00" * 61, good + b"\x00" * 60, b"\xff" * 200):
        body = struct.pack(">hhi", -1, 1, 5000) + struct.pack(">ih", 1, len(name)) + name + struct.pack(">iii", 1, 0, len(records)) + records
        answer = exchange(broker.port, frame(0, 3, body), 2)
        error = struct.unpack(">h", answer[8 + 4 + 2 + len(name) + 4 + 4:][:2])[0] if answer else None
        assert error in (2, 42, 87, 43, 76, None), (records[:10], error)
    assert f"{topic}:0:0" in ottla("get-offsets", "--bootstrap-server", broker.bootstrap, "--topic", topic).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a small file system")
def test_full_disk(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small, check=False).returncode != 0:
        pytest.skip("cannot mount here")
    server = Ottla(tmp_path / "node", **{"log.dirs": f"{small}/full,{tmp_path}/roomy", "default.replication.factor": 1})
    try:
        server.start()
        boot = ("--bootstrap-server", server.bootstrap)
        for i in range(6):
            ottla("topics", *boot, "--create", "--topic", f"t{i}")
        full = [t.name[:-2] for t in (small / "full").glob("t?-0")]
        roomy = [t.name[:-2] for t in (tmp_path / "roomy").glob("t?-0")]
        assert full and roomy
        ottla("console-producer", *boot, "--topic", full[0], "--sync", input="before\n")
        run("kcat", "-b", server.bootstrap, "-P", "-t", full[0], "-X", "message.timeout.ms=4000", input=("x" * 60000 + "\n") * 200, check=False, timeout=60)
        wait_for(lambda: "offline" in server.log.read_text().lower(), 20, "the offline line")
        ottla("console-producer", *boot, "--topic", roomy[0], input="still here\n")
        assert ottla("console-consumer", *boot, "--topic", roomy[0], "--from-beginning", "--max-messages", 1).stdout == "still here\n"
        assert "panicked" not in server.log.read_text()
    finally:
        server.stop()
        run("umount", small, check=False)


def test_connections_leave_descriptors_to_the_logs(tmp_path):
    server = Ottla(tmp_path / "node", **{"num.partitions": 10})
    server.command = ["prlimit", "--nofile=400", *server.command]
    server.start()
    connections = []
    try:
        # A client that was there first goes on while others take all they can get, from the broker and from the keeper.
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": server.bootstrap, "log_level": 0})
        admin.create_topics([confluent_kafka.admin.NewTopic("first", 1, 1)])["first"].result(20)
        for port in (server.port, server.keeper_port):
            for _ in range(400):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(("127.0.0.1", port))
                connections.append(s)
        wait_for(lambda: "too many connections" in server.log.read_text(), 10, "the keeper to refuse some")
        admin.create_topics([confluent_kafka.admin.NewTopic("calm", 10, 1)])["calm"].result(20)
        for s in connections:
            s.close()
        run("kcat", "-b", server.bootstrap, "-P", "-t", "calm", input="one")
        assert run("kcat", "-b", server.bootstrap, "-C", "-t", "calm", "-e", "-q").stdout == "one\n"
        assert "offline" not in server.log.read_text() and "cannot accept" not in server.log.read_text()
    finally:
        for s in connections:
            s.close()
        server.stop()
