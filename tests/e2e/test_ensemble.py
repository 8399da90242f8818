"""Keepers that form an ensemble: ours, and ours together with Apache ZooKeeper 3.9.5."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import kazoo.client
import kazoo.exceptions
import kazoo.recipe.watchers
import pytest
from kazoo.protocol.states import KazooState

from conftest import BIN, PEERS, Ottla, Peer, Server, four_letters, free_port, java, only_ottla, run, wait_for

pytestmark = only_ottla
OURS, REAL = "ours", "real"


class Member(Server):
    """One server of an ensemble; its next start can be of either kind on the same directory."""

    def __init__(self, directory, sid, settings):
        self.directory, self.sid, self.kind = pathlib.Path(directory), sid, OURS
        self.port = free_port()
        self.peer_port = free_port()
        self.settings = settings
        super().__init__([], self.directory / "server.log", [self.port])
        (self.directory / "data").mkdir(parents=True)
        (self.directory / "data" / "myid").write_text(f"{sid}\n")
        self.config = self.directory / "zoo.cfg"

    def line(self, role=""):
        return f"server.{self.sid}=127.0.0.1:{self.peer_port}:{self.peer_port + 1}{role}"

    def configure(self, lines):
        settings = {
            "tickTime": 500, "initLimit": 20, "syncLimit": 10, "dataDir": self.directory / "data", "clientPort": self.port,
            "clientPortAddress": "127.0.0.1", "admin.enableServer": "false", "4lw.commands.whitelist": "*",
            "preAllocSize": 1024, **self.settings,
        }
        self.config.write_text("".join(f"{k}={v}\n" for k, v in settings.items()) + "\n".join(lines) + "\n")

    def start(self, kind=None, seconds=60):
        self.kind = kind or self.kind
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        self.command = [BIN, "keeper", str(self.config)] if self.kind == OURS else [PEERS, "java", "zookeeper-3.9.5", main, self.config]
        env = {**os.environ, "JAVA_OPTS": "-Xmx256m -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
        out = self.log.open("ab")
        self.process = subprocess.Popen(self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env)
        return self

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def mode(self):
        found = re.search(r"^Mode: (\w+)", four_letters(self.port, "srvr"), re.M) if self.is_running() else None
        return found and found.group(1)

    def wait_serving(self, seconds=60):
        wait_for(lambda: self.mode() or self._alive(), seconds, f"server {self.sid} ({self.kind}) serving")
        return self

    def _alive(self):
        assert self.is_running(), f"server {self.sid} ended:\n{self.log.read_text()[-3000:]}"

    def snapshots(self):
        return sorted(p.name for p in self.directory.glob("data/version-2/snapshot.*"))

    def dump(self, of="/"):
        """Every node below `of` as this server has it: path, data, stat."""
        client = kazoo.client.KazooClient(hosts=f"127.0.0.1:{self.port}", timeout=20)
        client.start(30)
        try:
            client.sync("/")
            nodes, todo = {}, [of]
            while todo:
                path = todo.pop()
                if path == "/zookeeper/config":
                    continue
                data, stat = client.get(path)
                # What a kazoo session of this very function changes is the sessions' zxid, not a node.
                nodes[path] = (data, tuple(stat))
                todo += [f"{path.rstrip('/')}/{child}" for child in client.get_children(path)]
            return nodes
        finally:
            client.stop()
            client.close()


class Ensemble:
    def __init__(self, directory, voters=3, observers=0, **settings):
        self.members = {
            sid: Member(directory / str(sid), sid, {k.replace("_", "."): v for k, v in settings.items()})
            for sid in range(1, voters + observers + 1)
        }
        lines = [m.line(":observer" if sid > voters else "") for sid, m in self.members.items()]
        for member in self.members.values():
            member.configure(lines)

    def __getitem__(self, sid):
        return self.members[sid]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members.values():
            if member.is_running():
                member.process.send_signal(signal.SIGCONT)
                member.process.kill()
                member.process.wait(20)
        for member in self.members.values():
            log = member.log.read_text() if member.log.exists() else ""
            assert "panicked" not in log, log[-3000:]

    def start(self, *kinds):
        """Starts all, of these kinds (ours when none are given), and waits until they serve. Server 3 leads: without it
        there is no quorum at first, however long a JVM takes."""
        kinds = dict(zip(self.members, kinds or [OURS] * len(self.members)))
        first = [sid for sid in (3, 1) if sid in kinds]
        for group in (first, [sid for sid in kinds if sid not in first]):
            for sid in group:
                self[sid].start(kinds[sid])
            for sid in group:
                self[sid].wait_serving()
        return self

    def leader(self, seconds=30):
        def found():
            leaders = [m for m in self.members.values() if m.mode() == "leader"]
            return leaders[0] if len(leaders) == 1 else None

        return wait_for(found, seconds, "one leader")

    def followers(self):
        leader = self.leader()
        return [m for m in self.members.values() if m is not leader and m.is_running()]

    @property
    def hosts(self):
        return ",".join(f"127.0.0.1:{m.port}" for m in self.members.values())

    @contextlib.contextmanager
    def client(self, hosts=None, timeout=20, **kwargs):
        client = kazoo.client.KazooClient(hosts=hosts or self.hosts, timeout=timeout, **kwargs)
        client.lost = []
        client.add_listener(lambda state: client.lost.append(state) if state == KazooState.LOST else None)
        client.start(30)
        try:
            yield client
        finally:
            client.stop()
            client.close()

    def all_equal(self):
        """All that run have the same nodes, byte for byte."""
        running = [m for m in self.members.values() if m.is_running()]
        dumps = [m.dump() for m in running]
        for member, dump in zip(running[1:], dumps[1:]):
            differing = {p for p in dumps[0].keys() | dump.keys() if dumps[0].get(p) != dump.get(p)}
            assert not differing, f"servers {running[0].sid} and {member.sid} differ in {sorted(differing)[:10]}"
        return dumps[0]


def retried(client, function, *args, seconds=30, **kwargs):
    """An operation that may meet an election, again until it is answered."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return function(*args, **kwargs)
        except (kazoo.exceptions.ConnectionLoss, kazoo.exceptions.OperationTimeoutError, kazoo.exceptions.SessionExpiredError,
                kazoo.exceptions.ConnectionClosedError):
            assert time.monotonic() < deadline, "no answer for too long"
            time.sleep(0.02)


def put(client, path, data=b""):
    """Sets or makes a node, whatever of an earlier try has come through."""
    def once():
        try:
            client.set(path, data)
        except kazoo.exceptions.NoNodeError:
            with contextlib.suppress(kazoo.exceptions.NodeExistsError):
                client.create(path, data)

    retried(client, once)


def one_of_each(client, root):
    """Nodes of all kinds, watched; gives the ephemeral one."""
    client.create(root, b"0")
    assert client.create(f"{root}/s-", b"", sequence=True) == f"{root}/s-0000000000"
    assert client.create(f"{root}/s-", b"", sequence=True) == f"{root}/s-0000000001"
    client.create(f"{root}/e", b"mine", ephemeral=True)
    t = client.transaction()
    t.create(f"{root}/t", b"1")
    t.set_data(f"{root}/t", b"2")
    assert not any(isinstance(r, Exception) for r in t.commit())
    with pytest.raises(kazoo.exceptions.NodeExistsError):
        client.create(f"{root}/t", b"")
    return f"{root}/e"


def test_three_of_ours_and_the_leaders_death(tmp_path):
    with Ensemble(tmp_path, tickTime=200) as e:
        e.start()
        leader = e.leader()
        assert leader.sid == 3
        assert sorted(m.mode() for m in e.members.values()) == ["follower", "follower", "leader"]
        with e.client(hosts=f"127.0.0.1:{e[1].port}") as a, e.client(hosts=f"127.0.0.1:{e[2].port}") as b:
            mine = one_of_each(a, "/a")
            b.sync("/a")
            assert b.get(mine)[1].ephemeralOwner == a.client_id[0]
            seen = []
            b.get("/a", watch=lambda event: seen.append(event.type))
            a.set("/a", b"1")
            wait_for(lambda: seen == ["CHANGED"], 5, "the watch on another server")
            leader.kill()
            began = time.monotonic()
            put(a, "/a/after", b"x")
            print(f"leader killed to first acknowledged write: {(time.monotonic() - began) * 1000:.0f} ms")
            assert time.monotonic() - began < 20
            assert e.leader().sid == 2
            retried(b, b.sync, "/a")
            assert retried(b, b.exists, mine) and not a.lost and not b.lost
            leader.start().wait_serving()
            assert leader.mode() == "follower"
        wait_for(lambda: mine not in e.all_equal(), 10, "the end of an ephemeral node")
        log = leader.log.read_text()
        assert "LEADING" in log and "FOLLOWING server 2" in log


def test_zkcli_on_each_of_ours(tmp_path):
    with Ensemble(tmp_path) as e:
        e.start()
        for sid, member in e.members.items():
            script = f"create /n{sid} hello\nget /n{sid}\ncreate -e /n{sid}/e x\ncreate -s /n{sid}/s- 1\nls -w /n{sid}\nset /n{sid} world\nsync /\nget -s /n{sid}\nquit\n"
            done = java("zookeeper-3.9.5", "org.apache.zookeeper.ZooKeeperMain", "-server", f"127.0.0.1:{member.port}", input=script)
            text = done.stdout + done.stderr
            for expected in (f"Created /n{sid}", "hello", f"Created /n{sid}/s-0000000001", "world", "dataVersion = 1"):
                assert expected in text, text
            assert "Exception" not in text, text
        assert {"/n1", "/n2", "/n3"} <= set(e.all_equal())


@pytest.mark.parametrize("kinds", [(REAL, REAL, OURS), (OURS, OURS, REAL)], ids=["two-real", "two-ours"])
def test_a_mixed_ensemble_led_by_either(tmp_path, kinds):
    with Ensemble(tmp_path) as e:
        e.start(*kinds)
        first = e.leader()
        assert first.sid == 3
        with e.client() as client, e.client(hosts=f"127.0.0.1:{e[1].port},127.0.0.1:{e[2].port}") as other:
            mine = one_of_each(other, "/a")
            for sid, member in e.members.items():
                with e.client(hosts=f"127.0.0.1:{member.port}") as direct:
                    one_of_each(direct, f"/through-{sid}")
            e.all_equal()
            first.kill()
            put(client, "/while-it-is-away")
            assert e.leader().sid == 2
            retried(other, other.set, "/a", b"still")
            assert retried(client, client.exists, mine) and not client.lost and not other.lost
            first.start().wait_serving()
            assert first.mode() == "follower"
            put(client, "/after")
            nodes = e.all_equal()
            assert nodes["/a"][0] == b"still" and mine in nodes


def away_and_back(e, away, count, how):
    with e.client() as client:
        client.create("/n", b"")
        assert "/n" in away.dump()
        away.stop() if away.kind == OURS else away.kill()
        snapshots = away.snapshots()
    # Another session, as that one may have been the lost server's.
    with e.client(hosts=f"127.0.0.1:{e[2].port},127.0.0.1:{e[3].port}") as client:
        for made in [client.create_async(f"/n/{i:05}", b"x" * 100) for i in range(count)]:
            made.get(30)
        client.delete("/n/00000")
        away.start().wait_serving()
        put(client, "/n/last")
    if e[3].kind == OURS:
        assert re.search(rf"synchronising learner 1 \(at 0x[1-9a-f].*: {how}", e[3].log.read_text()), e[3].log.read_text()
    if away.kind == OURS:
        assert (away.snapshots() != snapshots) == (how == "Snap")
    nodes = e.all_equal()
    assert len([p for p in nodes if p.startswith("/n/")]) == count


@pytest.mark.parametrize("kinds", [(OURS, OURS, OURS), (REAL, OURS, OURS), (OURS, REAL, REAL)], ids=["ours", "real-away", "ours-away"])
def test_catching_up_by_a_difference(tmp_path, kinds):
    with Ensemble(tmp_path) as e:
        away_and_back(e.start(*kinds), e[1], 20, "Diff")


@pytest.mark.parametrize("kinds", [(OURS, OURS, OURS), (REAL, OURS, OURS)], ids=["ours", "real-away"])
def test_catching_up_by_a_difference_from_the_log_files(tmp_path, kinds):
    with Ensemble(tmp_path, commitLogCount=500, snapshotSizeFactor=0) as e:
        away_and_back(e.start(*kinds), e[1], 700, "Diff")


@pytest.mark.parametrize("kinds", [(OURS, OURS, OURS), (REAL, OURS, OURS), (OURS, REAL, REAL)], ids=["ours", "real-away", "ours-away"])
def test_catching_up_by_a_snapshot(tmp_path, kinds):
    # More transactions than are kept (ZooKeeper keeps 500 at least).
    with Ensemble(tmp_path, commitLogCount=500, snapshotSizeFactor=-1) as e:
        away_and_back(e.start(*kinds), e[1], 520, "Snap")


@pytest.mark.parametrize("kinds", [(OURS, OURS, OURS), (REAL, REAL, OURS), (OURS, OURS, REAL)], ids=["ours", "ours-truncates", "real-truncates"])
@pytest.mark.parametrize("later", [False, True], ids=["same-epoch", "next-epoch"])
def test_what_nobody_else_has_goes(tmp_path, kinds, later):
    with Ensemble(tmp_path, tickTime=2000) as e:
        e.start(*kinds)
        leader = e.leader()
        assert leader.sid == 3
        with e.client() as client:
            client.create("/before", b"")
        with e.client(hosts=f"127.0.0.1:{leader.port}") as direct:
            for member in e.followers():
                member.kill()
            direct.create_async("/alone", b"")
            time.sleep(0.3)
            leader.kill()
        assert any(b"/alone" in log.read_bytes() for log in leader.directory.glob("data/version-2/log.*")), "the write reached the log"
        snapshots = leader.snapshots()
        e[1].start()
        e[2].start().wait_serving()
        e[1].wait_serving()
        if later:
            # Across two epochs nothing can be truncated.
            with e.client(hosts=f"127.0.0.1:{e[1].port},127.0.0.1:{e[2].port}") as client:
                put(client, "/later")
        leader.start().wait_serving()
        how = "Snap" if later else "Trunc"
        if e[2].kind == OURS:
            assert re.search(rf"synchronising learner 3 \(at 0x[1-9a-f].*: {how}", e[2].log.read_text()), e[2].log.read_text()
        if leader.kind == OURS:
            assert (leader.snapshots() != snapshots) == later
        with e.client() as client:
            put(client, "/after")
        nodes = e.all_equal()
        assert "/alone" not in nodes and {"/before", "/after"} <= set(nodes) and ("/later" in nodes) == later


def test_a_follower_that_hangs(tmp_path):
    with Ensemble(tmp_path, tickTime=200, syncLimit=5) as e:
        e.start()
        with e.client(hosts=f"127.0.0.1:{e[2].port},127.0.0.1:{e[3].port}") as client:
            client.create("/n", b"")
            hanging = e[1]
            hanging.process.send_signal(signal.SIGSTOP)
            for i in range(40):
                # More than the kernel keeps for a reader that does not read.
                client.create(f"/n/{i}", b"x" * 900_000)
            wait_for(lambda: "zk_synced_followers\t1" in four_letters(e[3].port, "mntr"), 20, "the leader's giving it up")
            assert not client.lost
            hanging.process.send_signal(signal.SIGCONT)
            hanging.wait_serving()
        assert len(e.all_equal()) > 40


def read_after_write(writer, reader, count):
    """How often one client did not see what another one had just written; a get of each, at once."""
    stale = 0
    for i in range(count):
        writer.set("/n", str(i).encode())
        stale += int(reader.get("/n")[0]) < i
    return stale


@pytest.mark.parametrize("kinds", [(OURS, OURS, OURS, OURS), (OURS, OURS, REAL, OURS)], ids=["ours", "led-by-real"])
def test_linearizable_reads(tmp_path, kinds):
    with Ensemble(tmp_path, observers=1, ottla_linearizableReads="true") as e:
        e.start(*kinds)
        with contextlib.ExitStack() as stack:
            clients = {sid: stack.enter_context(e.client(hosts=f"127.0.0.1:{m.port}")) for sid, m in e.members.items()}
            clients[1].create("/n", b"0")
            ours = [sid for sid in (1, 2, 3, 4) if e[sid].kind == OURS]
            assert not sum(read_after_write(clients[i], clients[j], 40) for i in (1, 2, 3) for j in ours if i != j)
            # Many at once, and in order with a session's own changes.
            client = clients[1]
            asked = []
            for i in range(200):
                asked += [client.set_async("/n", f"m{i}".encode()), client.get_async("/n"), client.exists_async("/none")]
            for i in range(200):
                assert asked[3 * i + 1].get(20)[0] == f"m{i}".encode() and asked[3 * i + 2].get(20) is None


def test_a_leader_that_was_replaced_answers_no_linearizable_read(tmp_path):
    with Ensemble(tmp_path, tickTime=200, syncLimit=5, ottla_linearizableReads="true") as e:
        e.start()
        stale = e.leader()
        with e.client(hosts=f"127.0.0.1:{stale.port}", timeout=60) as client:
            client.create("/n", b"before")
            stale.process.send_signal(signal.SIGSTOP)
            others = [m for m in e.members.values() if m is not stale]
            with e.client(hosts=",".join(f"127.0.0.1:{m.port}" for m in others)) as other:
                retried(other, other.set, "/n", b"after")
                asked = client.get_async("/n")
                # It has to be in the stopped server's socket.
                time.sleep(0.3)
                stale.process.send_signal(signal.SIGCONT)
                try:
                    assert asked.get(20)[0] == b"after"
                except (kazoo.exceptions.ConnectionLoss, kazoo.exceptions.SessionExpiredError):
                    pass
        stale.wait_serving()


def test_observers(tmp_path):
    with Ensemble(tmp_path, observers=2) as e:
        e.start(OURS, OURS, OURS, OURS, REAL)
        assert [e[4].mode(), e[5].mode()] == ["observer", "observer"]
        for sid in (4, 5):
            with e.client(hosts=f"127.0.0.1:{e[sid].port}") as client:
                one_of_each(client, f"/by-{sid}")
        # Observers are no part of a quorum.
        e[1].kill()
        e[2].kill()
        wait_for(lambda: e[3].mode() is None and e[4].mode() is None, 20, "the end of service without a quorum")
        e[1].start().wait_serving()
        e[4].wait_serving()
        e[5].wait_serving()
        e[2].start().wait_serving()
        assert {"/by-4", "/by-5"} <= set(e.all_equal())


def test_a_session_moves(tmp_path):
    with Ensemble(tmp_path) as e:
        e.start()
        with e.client(randomize_hosts=False) as client, e.client(hosts=f"127.0.0.1:{e[3].port}") as other:
            client.create("/mine", b"", ephemeral=True)
            session = client.client_id[0]
            seen = []
            kazoo.recipe.watchers.DataWatch(client, "/mine", lambda data, _stat: seen.append(data))
            for sid in (1, 2):
                assert f"0x{session:x}" in four_letters(e[sid].port, "cons")
                e[sid].stop()
                wait_for(lambda: f"0x{session:x}" in four_letters(e[sid % 3 + 1].port, "cons") or client.connected, 20, "the move")
                retried(client, client.exists, "/mine")
                e[sid].start().wait_serving()
            assert client.client_id[0] == session and not client.lost
            other.set("/mine", b"1")
            wait_for(lambda: seen[-1] == b"1", 10, "the watch that moved along")


def test_rolling_replacement(tmp_path):
    with Ensemble(tmp_path) as e:
        e.start(REAL, REAL, REAL)
        with e.client(timeout=30) as client:
            client.create("/mine", b"", ephemeral=True)
            session, written = client.client_id[0], 0
            for kind in (OURS, REAL):
                for sid, member in e.members.items():
                    member.stop()
                    put(client, f"/{kind}-{sid}-away")
                    member.start(kind).wait_serving()
                    put(client, f"/{kind}-{sid}-back")
                    written += 2
            assert client.client_id[0] == session and not client.lost
            nodes = e.all_equal()
            assert "/mine" in nodes and len([p for p in nodes if p.endswith(("-away", "-back"))]) == written


def test_the_walk_through(tmp_path):
    ports = [(free_port(), free_port()) for _ in range(3)]
    links = tmp_path / "bin"
    links.mkdir()
    for name in ("zkServer.sh", "zkCli.sh"):
        (links / name).symlink_to(BIN)
    servers = "".join(f"server.{i}=127.0.0.1:{peer}:{peer + 1}\n" for i, (_, peer) in enumerate(ports, 1))
    homes = []
    for i, (port, _) in enumerate(ports, 1):
        home = tmp_path / str(i)
        (home / "data").mkdir(parents=True)
        (home / "data" / "myid").write_text(f"{i}\n")
        (home / "zoo.cfg").write_text(
            f"tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={home}/data\ndataLogDir={home}/logs\nclientPort={port}\n{servers}admin.enableServer=false\n"
        )
        homes.append(home)

    def zk_server(action, home, check=True):
        return run(links / "zkServer.sh", action, home / "zoo.cfg", env={"ZOO_LOG_DIR": str(home)}, check=check)

    try:
        for home in homes:
            assert "STARTED" in zk_server("start", home).stdout
            assert (home / "data" / "zookeeper_server.pid").exists()
        wait_for(lambda: zk_server("status", homes[0], check=False).returncode == 0, 20, "a quorum")
        wait_for(lambda: all(four_letters(p, "srvr").count("Mode:") for p, _ in ports), 20, "all of them")
        modes = [zk_server("status", home).stdout for home in homes]
        assert [("leader" in m) for m in modes] == [False, False, True], modes
        script = "create /walk through\nget /walk\nquit\n"
        done = run(links / "zkCli.sh", "-server", f"127.0.0.1:{ports[1][0]}", input=script)
        assert "through" in done.stdout, done.stdout + done.stderr
        assert "already running" in zk_server("start", homes[0], check=False).stderr
    finally:
        stopped = [zk_server("stop", home, check=False) for home in homes]
    assert all("STOPPED" in s.stdout for s in stopped), stopped
    assert zk_server("status", homes[0], check=False).returncode == 1


def test_three_brokers_whose_keepers_are_an_ensemble(tmp_path, starting):
    ports = {i: (free_port(), free_port()) for i in (1, 2, 3)}
    settings = {f"keeper.server.{i}": f"127.0.0.1:{peer}:{peer + 1};127.0.0.1:{client}" for i, (client, peer) in ports.items()}
    brokers = []
    for i, (client, _) in ports.items():
        broker = Ottla(tmp_path / str(i), **settings, **{"broker.id": i, "keeper.tickTime": 500, "keeper.clientPort": client})
        broker.keeper_port, broker.ports = client, [broker.port]
        brokers.append(broker)
    # One alone has no quorum and waits.
    out = brokers[0].log.open("ab")
    brokers[0].process = subprocess.Popen(brokers[0].command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    time.sleep(1)
    assert brokers[0].process.poll() is None
    brokers[0].process.kill()
    brokers[0].process.wait(20)
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(starting, brokers))

    def registered():
        client = kazoo.client.KazooClient(hosts=",".join(f"127.0.0.1:{c}" for c, _ in ports.values()))
        client.start(20)
        try:
            return sorted(client.get_children("/brokers/ids"))
        finally:
            client.stop()
            client.close()

    wait_for(lambda: registered() == ["1", "2", "3"], 20, "three registered brokers")
    # The leading keeper is the third's; the others' brokers go on.
    brokers[2].kill()
    wait_for(lambda: "3" not in registered(), 40, "the end of the dead broker's session")
    assert registered() == ["1", "2"]
    brokers[2].start(40)
    wait_for(lambda: registered() == ["1", "2", "3"], 20, "the third one back")


def test_apache_kafka_while_its_keepers_die_in_turn(tmp_path):
    with Ensemble(tmp_path / "keepers") as e:
        e.start()
        kafka = Peer(tmp_path / "kafka", "kafka-zk-start", 1, e.hosts, port=free_port())
        try:
            kafka.start()
            for sid, member in e.members.items():
                member.kill()
                made = run(BIN, "topics", "--bootstrap-server", kafka.bootstrap, "--create", "--topic", f"without-{sid}", timeout=60)
                assert f"Created topic without-{sid}" in made.stdout, made.stdout + made.stderr
                member.start().wait_serving()
            listed = run(BIN, "topics", "--bootstrap-server", kafka.bootstrap, "--list").stdout.split()
            assert {"without-1", "without-2", "without-3"} <= set(listed)
        finally:
            kafka.stop()
        assert {f"/brokers/topics/without-{sid}" for sid in e.members} <= set(e.all_equal())


@pytest.fixture
def refused(tmp_path):
    """Starts a keeper that must refuse, with one line that says why."""
    def start(settings, myid=None):
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        (data / "myid").unlink(missing_ok=True)
        if myid is not None:
            (data / "myid").write_text(myid)
        config = tmp_path / "zoo.cfg"
        config.write_text(f"dataDir={data}\nclientPort={free_port()}\nadmin.enableServer=false\nelectionPortBindRetry=1\n{settings}")
        done = run(BIN, "keeper", config, check=False, timeout=20)
        assert done.returncode == 1, done.stdout + done.stderr
        lines = [line for line in (done.stdout + done.stderr).splitlines() if " WARN " not in line and " INFO " not in line]
        assert len(lines) == 1, lines
        return lines[0]
    return start


def test_configurations_that_cannot_be(refused):
    servers = "".join(f"server.{i}=127.0.0.1:{free_port()}:{free_port()}\n" for i in (1, 2, 3))
    limits = "initLimit=10\nsyncLimit=5\n"
    assert "syncLimit is not set" in refused("initLimit=10\n" + servers, "1")
    assert "myid is missing" in refused(limits + servers)
    assert 'holds "one"' in refused(limits + servers, "one")
    assert "no server.4" in refused(limits + servers, "4\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        mine = f"server.1=127.0.0.1:{port}:{free_port()}\nserver.2=127.0.0.1:{free_port()}:{free_port()}\n"
        assert f"127.0.0.1:{port} is in use" in refused(limits + mine, "1")


def test_garbage_on_the_ports_between_servers(tmp_path):
    with Ensemble(tmp_path, tickTime=200) as e:
        e.start()
        held = []
        # Whoever does not say who it is is sent away (syncLimit on the election port).
        shy = socket.create_connection(("127.0.0.1", e[1].peer_port + 1), timeout=20)
        shy.sendall(b"\xff")
        initial = (-65536 & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")
        garbage = [
            b"", b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, os.urandom(5000), b"\x00" * 64, b"\x7f" * 64,
            # A server that nobody knows, one with our own id, one cut off.
            initial + (99).to_bytes(8, "big") + (14).to_bytes(4, "big") + b"127.0.0.1:1234",
            initial + (3).to_bytes(8, "big") + (14).to_bytes(4, "big") + b"127.0.0.1:1234",
            initial + (1).to_bytes(8, "big") + b"\x00",
            # FOLLOWERINFO of 20 bytes that lies about its length; a proposal of a gigabyte.
            (11).to_bytes(4, "big") + bytes(8) + (20).to_bytes(4, "big") + bytes(3),
            (2).to_bytes(4, "big") + bytes(8) + (1 << 30).to_bytes(4, "big") + b"x" * 1000,
        ]
        for member in e.members.values():
            for port in (member.peer_port, member.peer_port + 1):
                for bytes_ in garbage:
                    s = socket.create_connection(("127.0.0.1", port), timeout=5)
                    with contextlib.suppress(OSError):
                        s.sendall(bytes_)
                    held.append(s)
        with e.client() as client:
            put(client, "/works")
            for s in held:
                s.close()
            put(client, "/works", b"still")
            assert not client.lost
        assert e.leader().sid == 3
        assert shy.recv(1) == b""
        shy.close()
        assert e.all_equal()["/works"][0] == b"still"
