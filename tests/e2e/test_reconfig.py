"""Ensembles that change their members while they run: ours, and ours together with Apache ZooKeeper 3.9.5."""

import re
import signal
import threading

import kazoo.client
import kazoo.exceptions
import pytest

from conftest import java, only_ottla, ottla, wait_for
from test_ensemble import OURS, REAL, Member

pytestmark = only_ottla
CONFIG = "/zookeeper/config"
SETTINGS = {"reconfigEnabled": "true", "standaloneEnabled": "false", "skipACL": "yes"}


class Growing:
    """Server 1 is the whole ensemble; the files of the others name it and themselves."""

    def __init__(self, directory, count=3, **settings):
        self.members = {sid: Member(directory / str(sid), sid, {**SETTINGS, **settings}) for sid in range(1, count + 1)}
        for sid, member in self.members.items():
            member.configure([self.line(n) for n in sorted({1, sid})])
        self.clients = []

    def __getitem__(self, sid):
        return self.members[sid]

    def line(self, sid, role="participant"):
        return self[sid].line(f":{role};127.0.0.1:{self[sid].port}")

    def client(self, sid, **kwargs):
        client = kazoo.client.KazooClient(hosts=f"127.0.0.1:{self[sid].port}", timeout=20, **kwargs)
        self.clients.append(client)
        client.start(30)
        return client

    def leader(self, among):
        return wait_for(lambda: next((n for n in among if self[n].mode() == "leader"), None), 40, f"a leader of {among}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.stop()
            client.close()
        for member in self.members.values():
            if member.is_running():
                member.process.send_signal(signal.SIGCONT)
                member.process.kill()
                member.process.wait(20)
            if member.log.exists():
                assert "panicked" not in member.log.read_text()


def version(data):
    return int(re.search(r"^version=(\w+)$", data.decode(), re.M).group(1), 16)


@pytest.mark.parametrize("kinds", [(OURS, OURS, OURS), (OURS, REAL, OURS), (REAL, OURS, OURS)], ids="-".join)
def test_one_server_becomes_three_and_leaves(tmp_path, kinds):
    with Growing(tmp_path) as ensemble:
        ensemble[1].start(kinds[0]).wait_serving()
        first = ensemble.client(1)
        data, _ = first.get(CONFIG)
        assert version(data) == 1 << 32, "a first configuration gets a version"
        with pytest.raises(kazoo.exceptions.NewConfigNoQuorumError):
            first.reconfig(ensemble.line(2) + "," + ensemble.line(3), None, None)
        with pytest.raises(kazoo.exceptions.BadArgumentsError):
            first.reconfig(None, "1", None)
        with pytest.raises(kazoo.exceptions.BadVersionError):
            first.reconfig(None, "1", None, from_config=77)
        for sid in (2, 3):
            ensemble[sid].start(kinds[sid - 1])
        for sid in (2, 3):
            ensemble[sid].wait_serving()
        third = ensemble.client(3)
        heard = threading.Event()
        third.get(CONFIG, watch=lambda event: heard.set())

        answer, stat = first.reconfig(ensemble.line(2) + "," + ensemble.line(3), None, None, from_config=1 << 32)
        assert version(answer) == stat.mzxid and answer.count(b":participant;127.0.0.1:") == 3
        assert heard.wait(10), "who watches the configuration hears of it"
        third.sync("/")
        assert third.get(CONFIG)[0] == answer
        for sid in (1, 2, 3):
            member = ensemble[sid]
            named = member.directory / f"zoo.cfg.dynamic.{version(answer):x}"
            wait_for(named.exists, 10, f"{named}")
            wait_for(lambda: str(named) in member.config.read_text(), 10, "zoo.cfg refers to it")
            assert "server.1" not in member.config.read_text() and "clientPort=" not in member.config.read_text()
        first.create("/grown", b"1")

        # The leader leaves: another one goes on, and the session with it.
        first.reconfig(None, "1", None)
        leader = ensemble.leader((2, 3))
        wait_for(lambda: third.connected, 20, "the session to go on")
        third.retry(third.create, "/without-1", b"2")
        assert version(third.get(CONFIG)[0]) > version(answer)
        assert b"server.1" not in third.get(CONFIG)[0]

        # It comes back without a vote.
        ensemble[1].wait_serving()
        other = ensemble.client(leader)
        other.reconfig(ensemble.line(1, "observer"), None, None)
        wait_for(lambda: ensemble[1].mode() == "observer", 40, "server 1 to observe")
        again = ensemble.client(1)
        again.sync("/")
        assert again.get("/without-1")[0] == b"2" and again.get("/grown")[0] == b"1"

        # All restart, each with what its file says.
        for sid in (1, 2, 3):
            ensemble[sid].process.kill()
            ensemble[sid].process.wait(20)
        for sid in (1, 2, 3):
            ensemble[sid].start()
        ensemble.leader((2, 3))
        wait_for(lambda: ensemble[1].mode() == "observer", 40, "server 1 to observe again")


def test_who_may_change_the_members(tmp_path):
    with Growing(tmp_path, 1, skipACL="no") as ensemble:
        ensemble[1].start().wait_serving()
        client = ensemble.client(1)
        with pytest.raises(kazoo.exceptions.NoAuthError):
            client.reconfig(None, "9", None)
    with Growing(tmp_path / "off", 1, reconfigEnabled="false") as ensemble:
        ensemble[1].start().wait_serving()
        assert version(ensemble.client(1).get(CONFIG)[0]) == 0


def test_who_takes_the_leader_away_is_answered(tmp_path):
    with Growing(tmp_path) as ensemble:
        for sid in (1, 2, 3):
            ensemble[sid].start().wait_serving()
        client = ensemble.client(2)
        client.reconfig(ensemble.line(2) + "," + ensemble.line(3), None, None)
        # The follower leaves its leader as soon as this is committed. ZooKeeper's closes the connection without the answer.
        answer, _ = client.reconfig(None, "1", None)
        assert b"server.1" not in answer and b"server.3" in answer
        ensemble.leader((2, 3))


SHELL = """config
reconfig -add {2},{3}
addauth digest super:test
reconfig -v 77 -add {2}
reconfig -add {2},{3}
config -c
reconfig -remove 2
reconfig -file {file}
reconfig -members {1},{3}
reconfig -remove 3 -add {observer}
reconfig -remove 1,2,3
reconfig -add server.x=127.0.0.1:1:2;3
reconfig -add server.8=127.0.0.1:21:22;23,server.9=127.0.0.1:31:32;33
reconfig -members {1} -remove 1
reconfig
config
reconfig -remove 2,3
"""


def test_zkcli_and_our_shell_change_the_members(tmp_path):
    digest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
    with Growing(tmp_path, skipACL="no", **{"DigestAuthenticationProvider.superDigest": digest}) as ensemble:
        for sid in (1, 2, 3):
            ensemble[sid].start().wait_serving()
        (tmp_path / "members").write_text("# all of them\n" + "".join(ensemble.line(sid) + "\n" for sid in (1, 2, 3)))
        lines = [None, *(ensemble.line(sid) for sid in (1, 2, 3))]
        script = SHELL.format(*lines, file=tmp_path / "members", observer=ensemble.line(3, "observer"))
        at = f"127.0.0.1:{ensemble[1].port}"
        real = java("zookeeper-3.9.5", "org.apache.zookeeper.ZooKeeperMain", "-server", at, input=script, check=False)
        mine = ottla("zk", "-server", at, input=script, check=False)

        def told(done):
            text = re.sub(r"version=\w+", "version=…", done.stdout)
            clients = re.search(r"^(\w+) (127\.0\.0\.1:\d+(?:,127\.0\.0\.1:\d+)*)$", text, re.M)
            members = [line for line in text.splitlines() if line.startswith(("server.", "version=", "Committed"))]
            refused = [line[:20] for line in done.stderr.splitlines() if line.startswith(("Insuff", "vers", "Arg", "Keeper", "No q", "Can't", "reconf"))]
            return members, sorted(clients.group(2).split(",")), refused

        assert told(mine) == told(real)
        members, clients, refused = told(mine)
        assert members.count("Committed new configuration:") == 6 and len(clients) == 3 and len(refused) == 7
