"""The keeper under kazoo, zkCli and the four-letter words; each test runs against a real ZooKeeper too."""

import re
import signal
import socket
import struct
import threading
import time

import kazoo.client
import kazoo.exceptions
import kazoo.recipe.watchers
import kazoo.security
import pytest

from conftest import AGAINST, BIN, HERE, Ottla, Peer, Server, four_letters, free_port, java, wait_for


@pytest.fixture(scope="module", params=["embedded", "alone"])
def keeper(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("keeper")
    if AGAINST == "kafka":
        server = Peer(directory / "zk", "zk-start", "tickTime=500", port=free_port())
        address = server.bootstrap
    elif request.param == "embedded":
        server = Ottla(directory, **{"keeper.tickTime": 500})
        address = server.keeper
    else:
        port = free_port()
        config = directory / "zoo.cfg"
        config.write_text(
            f"tickTime=500\ndataDir={directory}/data\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
            "4lw.commands.whitelist=*\nadmin.enableServer=false\n"
        )
        server = Server([BIN, "keeper", config], directory / "keeper.log", [port])
        address = f"127.0.0.1:{port}"
    server.start()
    yield address
    server.stop()


@pytest.fixture
def zk(keeper):
    client = kazoo.client.KazooClient(hosts=keeper, timeout=4)
    client.start(15)
    yield client
    client.stop()
    client.close()


@pytest.fixture
def root(zk):
    path = f"/test-{time.monotonic_ns()}"
    zk.create(path, b"")
    yield path
    zk.delete(path, recursive=True)


def test_nodes_of_all_kinds(zk, root):
    path, stat = zk.create(f"{root}/a", b"1", include_data=True)
    assert path == f"{root}/a" and stat.version == 0 and stat.czxid == stat.mzxid == stat.pzxid
    assert zk.create(f"{root}/s-", b"", sequence=True) == f"{root}/s-0000000001"
    assert zk.create(f"{root}/s-", b"", sequence=True) == f"{root}/s-0000000002"
    zk.create(f"{root}/e", b"", ephemeral=True)
    assert zk.get(f"{root}/e")[1].ephemeralOwner == zk.client_id[0]
    with pytest.raises(kazoo.exceptions.NoChildrenForEphemeralsError):
        zk.create(f"{root}/e/child", b"")
    stat = zk.set(f"{root}/a", b"22")
    assert (stat.version, stat.dataLength) == (1, 2)
    with pytest.raises(kazoo.exceptions.BadVersionError):
        zk.set(f"{root}/a", b"3", version=0)
    with pytest.raises(kazoo.exceptions.NodeExistsError):
        zk.create(f"{root}/a", b"")
    with pytest.raises(kazoo.exceptions.NoNodeError):
        zk.get(f"{root}/none")
    with pytest.raises(kazoo.exceptions.NotEmptyError):
        zk.delete(root)
    children, stat = zk.get_children(root, include_data=True)
    assert sorted(children) == ["a", "e", "s-0000000001", "s-0000000002"]
    assert stat.numChildren == 4 and stat.cversion == 4


def test_ephemerals_go_with_their_session(zk, root, keeper):
    other = kazoo.client.KazooClient(hosts=keeper, timeout=4)
    other.start(15)
    other.create(f"{root}/mine", b"", ephemeral=True)
    gone = threading.Event()
    assert zk.exists(f"{root}/mine", watch=lambda event: gone.set())
    other.stop()
    other.close()
    assert gone.wait(10)
    assert not zk.exists(f"{root}/mine")


def test_a_dead_client_expires(zk, root, keeper):
    other = kazoo.client.KazooClient(hosts=keeper, timeout=2)
    other.start(15)
    other.create(f"{root}/dead", b"", ephemeral=True)
    session = other.client_id
    # The socket dies without a closeSession.
    other._connection._socket.shutdown(socket.SHUT_RDWR)
    other.handler.spawn(other._connection.stop)
    other._connection.retry_sleeper.interrupt = lambda: True
    try:
        wait_for(lambda: not zk.exists(f"{root}/dead") or other.client_id != session, 15, "expiry or a new session")
    finally:
        other.stop()
        other.close()


@pytest.mark.skipif(AGAINST == "kafka", reason="a real one ends sessions whose pings wait unread")
def test_a_server_that_stood_still_ends_no_session_whose_pings_wait(tmp_path):
    port = free_port()
    config = tmp_path / "zoo.cfg"
    config.write_text(f"tickTime=200\ndataDir={tmp_path}/data\nclientPort={port}\nadmin.enableServer=false\n")
    server = Server([BIN, "keeper", config], tmp_path / "keeper.log", [port]).start()
    try:
        # A client that never gives up a connection, other than kazoo.
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            def frame():
                (length,) = struct.unpack(">i", client.recv(4, socket.MSG_WAITALL))
                return client.recv(length, socket.MSG_WAITALL)

            def send(body):
                client.sendall(struct.pack(">i", len(body)) + body)

            send(struct.pack(">iqiqi16s?", 0, 0, 1_000, 0, 16, b"", False))
            assert struct.unpack_from(">i", frame(), 4) == (1_000,)
            server.process.send_signal(signal.SIGSTOP)
            for _ in range(10):
                time.sleep(0.3)
                send(struct.pack(">ii", -2, 11))
            server.process.send_signal(signal.SIGCONT)
            for _ in range(10):
                assert struct.unpack_from(">i", frame()) == (-2,)
            # exists: the answer has no error, as the session is there.
            path = b"/zookeeper"
            send(struct.pack(f">iii{len(path)}s?", 7, 3, len(path), path, False))
            assert struct.unpack_from(">iqi", frame())[::2] == (7, 0)
    finally:
        server.process.send_signal(signal.SIGCONT)
        server.stop()


def test_session_is_taken_up_again(zk, root, keeper):
    a = kazoo.client.KazooClient(hosts=keeper, timeout=8)
    a.start(15)
    a.create(f"{root}/kept", b"", ephemeral=True)
    session, password = a.client_id
    a._connection._socket.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: a.connected, 10, "the reconnect")
    wait_for(lambda: a.retry(a.exists, root), 10, "an answer on the new connection")
    assert a.client_id[0] == session
    assert zk.exists(f"{root}/kept")
    a.stop()
    a.close()


def test_watches(zk, root):
    events = []
    zk.create(f"{root}/w", b"")
    zk.get(f"{root}/w", watch=lambda e: events.append(("data", e.type)))
    zk.get_children(root, watch=lambda e: events.append(("child", e.type)))
    zk.exists(f"{root}/later", watch=lambda e: events.append(("exists", e.type)))
    zk.set(f"{root}/w", b"1")
    zk.set(f"{root}/w", b"2")
    zk.create(f"{root}/later", b"")
    wait_for(lambda: len(events) >= 3, 5, "three events")
    assert sorted(events) == [("child", "CHILD"), ("data", "CHANGED"), ("exists", "CREATED")]


def test_transactions(zk, root):
    t = zk.transaction()
    t.create(f"{root}/x", b"1")
    t.create(f"{root}/x/y", b"2")
    t.check(f"{root}/x", 0)
    t.set_data(f"{root}/x", b"3")
    results = t.commit()
    assert results[:2] == [f"{root}/x", f"{root}/x/y"] and results[3].version == 1
    t = zk.transaction()
    t.create(f"{root}/z", b"")
    t.delete(f"{root}/none")
    t.create(f"{root}/zz", b"")
    kinds = [type(r).__name__ for r in t.commit()]
    assert kinds == ["RolledBackError", "NoNodeError", "RuntimeInconsistency"]
    assert not zk.exists(f"{root}/z")


def test_acls(zk, root, keeper):
    acl = kazoo.security.make_digest_acl("user", "secret", all=True)
    zk.create(f"{root}/locked", b"hidden", acl=[acl])
    with pytest.raises(kazoo.exceptions.NoAuthError):
        zk.get(f"{root}/locked")
    friend = kazoo.client.KazooClient(hosts=keeper, auth_data=[("digest", "user:secret")])
    friend.start(15)
    assert friend.get(f"{root}/locked")[0] == b"hidden"
    acls, stat = friend.get_acls(f"{root}/locked")
    assert acls == [acl]
    friend.set_acls(f"{root}/locked", kazoo.security.OPEN_ACL_UNSAFE)
    assert zk.get(f"{root}/locked")[0] == b"hidden"
    zk.create(f"{root}/ip", b"", acl=[kazoo.security.make_acl("ip", "10.0.0.0/8", all=True)])
    with pytest.raises(kazoo.exceptions.NoAuthError):
        zk.get_children(f"{root}/ip")
    zk.delete(f"{root}/ip")
    with pytest.raises(kazoo.exceptions.InvalidACLError):
        zk.create(f"{root}/bad", b"", acl=[kazoo.security.make_acl("nonsense", "x", all=True)])
    friend.stop()
    friend.close()


def test_recipes(zk, root):
    lock = zk.Lock(f"{root}/lock", "me")
    with lock:
        assert lock.contenders() == ["me"]
    counter = zk.Counter(f"{root}/counter")
    counter += 5
    assert counter.value == 5
    queue = zk.Queue(f"{root}/queue")
    queue.put(b"one")
    assert queue.get() == b"one"
    seen = []
    kazoo.recipe.watchers.ChildrenWatch(zk, root, lambda children: seen.append(sorted(children)))
    zk.create(f"{root}/new", b"")
    wait_for(lambda: seen and "new" in seen[-1], 5, "the children watch")
    barrier = zk.Barrier(f"{root}/barrier")
    barrier.create()
    barrier.remove()
    assert barrier.wait(2)
    election = zk.Election(f"{root}/election", "me")
    won = threading.Event()
    election.run(won.set)
    assert won.is_set()


def test_big_and_empty_data(zk, root):
    zk.create(f"{root}/big", b"x" * 900_000)
    assert len(zk.get(f"{root}/big")[0]) == 900_000
    zk.create(f"{root}/empty", b"")
    assert zk.get(f"{root}/empty")[0] == b""
    names = [f"child-{i:04}" for i in range(2000)]
    for chunk in range(0, 2000, 100):
        t = zk.transaction()
        for name in names[chunk:chunk + 100]:
            t.create(f"{root}/{name}", b"")
        t.commit()
    assert sorted(c for c in zk.get_children(root) if c.startswith("child-")) == names


def test_four_letter_words(zk, keeper):
    port = int(keeper.split(":")[1])
    assert four_letters(port, "ruok") == "imok"
    srvr = four_letters(port, "srvr")
    assert re.search(r"^Zookeeper version: ", srvr) and "Mode: standalone" in srvr and re.search(r"Node count: \d+", srvr)
    mntr = dict(line.split("\t") for line in four_letters(port, "mntr").splitlines() if "\t" in line)
    assert mntr["zk_server_state"] == "standalone" and int(mntr["zk_znode_count"]) > 4 and int(mntr["zk_num_alive_connections"]) >= 1
    assert "Clients:" in four_letters(port, "stat")
    assert f"sid=0x{zk.client_id[0]:x}" in four_letters(port, "cons")
    assert "clientPort=" in four_letters(port, "conf")
    assert "zookeeper.version" in four_letters(port, "envi")
    assert four_letters(port, "isro") == "rw"
    for word in ("wchs", "wchc", "wchp", "dirs", "dump", "crst", "srst", "gtmk", "hash"):
        four_letters(port, word)


def test_java_client(keeper):
    done = java("zookeeper-3.9.5", HERE / "java" / "KeeperSuite.java", keeper, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") >= 12


def test_zkcli_of_java(keeper):
    script = "create /fromcli hello\nget /fromcli\nstat /fromcli\ncreate -e /fromcli/e x\nls -R /fromcli\nset /fromcli world\nget -s /fromcli\n" \
        "create -s /fromcli/n- 1\ncreate -c /fromcli/c\naddauth digest a:b\nwhoami\ngetEphemerals\ngetAllChildrenNumber /fromcli\ndeleteall /fromcli\nls /\nquit\n"
    done = java("zookeeper-3.9.5", "org.apache.zookeeper.ZooKeeperMain", "-server", keeper, input=script)
    text = done.stdout + done.stderr
    for expected in ("Created /fromcli", "hello", "/fromcli/e", "world", "dataVersion = 1", "Created /fromcli/n-0000000001", "digest: a"):
        assert expected in text, text
    assert "Exception" not in text, text


def test_garbage_does_no_harm(zk, keeper):
    host, port = keeper.split(":")
    for garbage in (b"", b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\x7f\xff\xff\xff" + b"x" * 100, b"\x00\x00\x00\x05abcde", b"\x00" * 64):
        with socket.create_connection((host, int(port)), timeout=5) as s:
            s.sendall(garbage)
            s.shutdown(socket.SHUT_WR)
            s.settimeout(5)
            try:
                while s.recv(4096):
                    pass
            except (ConnectionResetError, TimeoutError):
                pass
    assert zk.exists("/zookeeper")
