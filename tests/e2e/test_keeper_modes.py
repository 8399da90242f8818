"""Keepers that are cut off and serve reads (`readonlymode.enabled`), and sessions of one server (`localSessionsEnabled`), as ZooKeeper's
clients see them; ensembles of ours, and of ours with Apache ZooKeeper 3.9.5."""

import contextlib
import json
import re
import subprocess
import time
import urllib.request

import kazoo.client
import kazoo.exceptions
import kazoo.handlers.threading
import pytest
from kazoo.protocol.states import KeeperState

from conftest import BIN, HERE, PEERS_CACHE, four_letters, free_port, java, only_ottla, run, wait_for
from test_ensemble import OURS, REAL, Ensemble, refused, retried  # noqa: F401 (a fixture)

pytestmark = only_ottla


def state(client, wanted, seconds=30):
    wait_for(lambda: client.client_state == wanted, seconds, f"a client that is {wanted}")


def cut_off(e, seconds=30):
    """Only server 1 is left of three."""
    for sid in (2, 3):
        e[sid].kill()
    wait_for(lambda: four_letters(e[1].port, "isro") == "ro", seconds, "a read-only server")


@pytest.mark.parametrize("kinds", [(OURS, OURS, OURS), (OURS, REAL, REAL)], ids=["ours", "two-real"])
def test_reads_without_a_leader(tmp_path, kinds):
    with Ensemble(tmp_path, readonlymode_enabled="true") as e:
        admin = free_port()
        with e[1].config.open("a") as f:
            f.write(f"admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort={admin}\n")
        e.start(*kinds)
        with e.client() as client:
            client.create("/n", b"old")
        # Server 1 may not have it yet.
        with e.client(hosts=f"127.0.0.1:{e[1].port}") as client:
            client.sync("/n")
        assert four_letters(e[1].port, "isro") == "rw"
        cut_off(e)
        one = f"127.0.0.1:{e[1].port}"
        with e.client(one, timeout=6, read_only=True) as client, e.client(timeout=6, read_only=True) as anywhere:
            state(client, KeeperState.CONNECTED_RO)
            state(anywhere, KeeperState.CONNECTED_RO)
            assert client.get("/n")[0] == b"old" and "n" in anywhere.get_children("/")
            for change in (
                lambda: client.set("/n", b"new"), lambda: client.create("/m"), lambda: client.create("/m", ephemeral=True),
                lambda: client.delete("/n"), lambda: client.sync("/n"),
            ):
                with pytest.raises(kazoo.exceptions.NotReadOnlyCallError):
                    change()
            srvr = four_letters(e[1].port, "srvr")
            assert "READ-ONLY mode; serving only read-only clients\n" in srvr and "Mode: read-only\n" in srvr
            mntr = four_letters(e[1].port, "mntr")
            assert "zk_server_state\tread-only\n" in mntr and "zk_local_sessions\t2\n" in mntr

            def ask(command):
                with urllib.request.urlopen(f"http://127.0.0.1:{admin}/commands/{command}", timeout=10) as answer:
                    return json.load(answer)

            assert ask("is_read_only")["read_only"] is True
            stats = ask("server_stats")
            assert stats["read_only"] is True and stats["server_stats"]["server_state"] == "read-only"
            # Whoever is not content is closed.
            with pytest.raises(kazoo.handlers.threading.KazooTimeoutError):
                kazoo.client.KazooClient(hosts=one, timeout=6).start(2)
            # Their sessions are those of this server, and end with its being cut off.
            for sid in (2, 3):
                e[sid].start(kinds[sid - 1])
            e.leader(60)
            for c in (client, anywhere):
                state(c, KeeperState.CONNECTED, 60)
            retried(client, client.set, "/n", b"new")
            assert four_letters(e[1].port, "isro") == "rw" and ask("is_read_only")["read_only"] is False
        log = e[1].log.read_text()
        assert "no leader was found: serving reads" in log, log[-3000:]


def test_tools_on_a_server_that_is_cut_off(tmp_path):
    with Ensemble(tmp_path, readonlymode_enabled="true") as e:
        e.start()
        with e.client() as client:
            client.create("/n", b"old")
            client.sync("/n")
        with e.client(hosts=f"127.0.0.1:{e[1].port}") as client:
            client.sync("/n")
        cut_off(e)
        one = f"127.0.0.1:{e[1].port}"
        done = run(BIN, "zk", "-s", one, "-r", "get", "/n")
        assert done.stdout.strip() == "old", done
        done = run(BIN, "zk", "-s", one, "-r", "create", "/m", "x", check=False)
        assert done.returncode != 0 and "Not a read-only call: /m" in done.stdout + done.stderr, done
        done = run(BIN, "zk", "-s", one, "--timeout", "2000", "get", "/n", check=False)
        assert done.returncode != 0, done
        main = "org.apache.zookeeper.ZooKeeperMain"
        done = java("zookeeper-3.9.5", main, "-server", one, "-r", input="get /n\ncreate /m x\nquit\n", check=False)
        text = done.stdout + done.stderr
        assert "old" in text and "Not a read-only call" in text, text


def test_zookeepers_client_on_a_server_that_is_cut_off(tmp_path):
    with Ensemble(tmp_path, readonlymode_enabled="true") as e:
        e.start()
        with e.client(hosts=f"127.0.0.1:{e[1].port}") as client:
            client.create("/n", b"old")
        cut_off(e)
        path = f"{PEERS_CACHE}/conf:{PEERS_CACHE}/zookeeper-3.9.5/*"
        command = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", path, HERE / "java" / "ModesSuite.java", e.hosts, "/n", "/m"]
        with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as suite:
            try:
                lines = []
                while "waiting" not in lines:
                    line = suite.stdout.readline()
                    assert line, suite.stderr.read()[-3000:]
                    lines.append(line.strip())
                assert lines == ["read old", "children true", "refused NOTREADONLY", "waiting"]
                for sid in (2, 3):
                    e[sid].start()
                rest, errors = suite.communicate(timeout=100)
                assert rest.splitlines() == ["another session true", "created true true"], rest + errors[-3000:]
            finally:
                suite.kill()


def zxid(member):
    return int(re.search(r"^Zxid: (\S+)", four_letters(member.port, "srvr"), re.M).group(1), 16)


def sessions(member):
    """How many local ones a server has, and how many of all servers."""
    mntr = four_letters(member.port, "mntr")
    return tuple(int(re.search(rf"^zk_{kind}_sessions\t(\d+)", mntr, re.M).group(1)) for kind in ("local", "global"))


KINDS = [(OURS, OURS, OURS), (OURS, REAL, REAL), (REAL, OURS, OURS), (OURS, OURS, REAL)]


@pytest.mark.parametrize("kinds", KINDS, ids=["ours", "one-of-ours", "two-of-ours", "led-by-real"])
def test_local_sessions(tmp_path, kinds):
    with Ensemble(tmp_path, localSessionsEnabled="true", localSessionsUpgradingEnabled="true") as e, contextlib.ExitStack() as stack:
        e.start(*kinds)
        hosts = {sid: f"127.0.0.1:{m.port}" for sid, m in e.members.items()}
        with e.client(hosts=hosts[3]) as client:
            client.create("/root")
        wait_for(lambda: len({zxid(m) for m in e.members.values()}) == 1, 10, "the same everywhere")
        before = {sid: zxid(m) for sid, m in e.members.items()}
        clients = {sid: stack.enter_context(e.client(hosts=address)) for sid, address in hosts.items()}
        time.sleep(1)
        assert {sid: zxid(m) for sid, m in e.members.items()} == before, "sessions come without a transaction"
        for sid, client in clients.items():
            assert client.client_id[0] >> 56 == sid
            assert client.create(f"/root/{sid}", b"1") == f"/root/{sid}"
            client.set(f"/root/{sid}", b"2")
            client.sync("/root")
            assert client.get(f"/root/{sid}")[0] == b"2"
            assert sessions(e[sid]) == (1, 0)
            # Nobody else takes it up.
            stranger = kazoo.client.KazooClient(hosts=hosts[sid % 3 + 1], timeout=6, client_id=client.client_id)
            stranger.start(15)
            assert stranger.client_id[0] != client.client_id[0], "its own session has expired"
            stranger.stop()
            stranger.close()
        assert zxid(e.leader()) == max(before.values()) + 6
        for sid, client in clients.items():
            # The session is known to all before its ephemeral node is.
            if sid != 2:
                t = client.transaction()
                t.create(f"/root/{sid}/p")
                t.create(f"/root/{sid}/e", ephemeral=True)
                assert t.commit() == [f"/root/{sid}/p", f"/root/{sid}/e"]
            client.create(f"/root/e{sid}", ephemeral=True)
            assert sessions(e[sid])[0] == 0
            for other in clients.values():
                other.sync("/root")
                assert other.get(f"/root/e{sid}")[1].ephemeralOwner == client.client_id[0]
        assert sessions(e[1]) == (0, 3)
        clients[1].stop()
        for sid in (2, 3):
            clients[sid].sync("/root")
            assert clients[sid].exists("/root/e1") is None
            assert clients[sid].exists("/root/e2") is not None
        fresh = stack.enter_context(e.client(hosts=hosts[1]))
        assert sessions(e[1]) == (1, 2)
        fresh.stop()
        wait_for(lambda: sessions(e[1]) == (0, 2), 5, "its end")
        e.all_equal()


@pytest.mark.parametrize("kinds", KINDS[:3], ids=["ours", "one-of-ours", "two-of-ours"])
def test_local_sessions_that_stay_so(tmp_path, kinds):
    with Ensemble(tmp_path, localSessionsEnabled="true") as e, contextlib.ExitStack() as stack:
        e.start(*kinds)
        for sid, member in e.members.items():
            client = stack.enter_context(e.client(hosts=f"127.0.0.1:{member.port}"))
            with pytest.raises(kazoo.exceptions.EphemeralOnLocalSessionError):
                client.create(f"/e{sid}", ephemeral=True)
            t = client.transaction()
            t.create(f"/p{sid}")
            t.create(f"/e{sid}", ephemeral=True)
            results = t.commit()
            assert isinstance(results[0], kazoo.exceptions.RolledBackError), results
            if kinds[sid - 1] == OURS:
                assert isinstance(results[1], kazoo.exceptions.EphemeralOnLocalSessionError), results
            else:
                assert isinstance(results[1], Exception), results
            assert client.exists(f"/p{sid}") is None and client.create(f"/p{sid}") == f"/p{sid}"
            assert sessions(member) == (1, 0)
        e.all_equal()


def test_a_local_session_ends_with_its_leader_and_another_does_not(tmp_path):
    with Ensemble(tmp_path, tickTime=200, localSessionsEnabled="true", localSessionsUpgradingEnabled="true") as e:
        e.start()
        with e.client(hosts=f"127.0.0.1:{e[1].port}") as here, e.client() as more:
            more.create("/e", ephemeral=True)
            session, known = here.client_id[0], more.client_id[0]
            e.leader().kill()
            wait_for(lambda: e.leader().sid == 2, 30, "another leader")
            assert retried(more, more.get, "/e")[1].ephemeralOwner == known and not more.lost
            retried(here, here.exists, "/")
            assert here.lost and here.client_id[0] != session


def test_bad_values(refused):  # noqa: F811
    for setting in ("readonlymode.enabled", "localSessionsEnabled", "localSessionsUpgradingEnabled"):
        assert f"{setting}=perhaps: must be true or false" in refused(f"{setting}=perhaps\n")
