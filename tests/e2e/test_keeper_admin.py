"""What an operator sees of a keeper: admin server, mntr, Prometheus, audit log, limits. What a real 3.9.5 answers is in
data/zookeeper-3.9.5-admin.json; E2E_AGAINST=kafka asks the real one again."""

import http.client
import json
import re
import socket
import struct
import time
import urllib.request

import kazoo.client
import kazoo.exceptions
import kazoo.security
import pytest

from conftest import AGAINST, BIN, HERE, Ottla, Peer, Server, four_letters, free_port, listens, wait_for

REAL = json.loads((HERE / "data" / "zookeeper-3.9.5-admin.json").read_text())
ours_only = pytest.mark.skipif(AGAINST == "kafka", reason="what is not in the real one, or not to be seen from outside")


class Keeper:
    """A keeper with its admin server, and a client of it."""

    def __init__(self, directory, **settings):
        self.directory, self.port, self.admin = directory, free_port(), free_port()
        settings = {"admin.enableServer": "true", "admin.serverPort": self.admin, "admin.serverAddress": "127.0.0.1"} | settings
        if AGAINST == "kafka":
            self.server = Peer(directory / "zk", "zk-start", *(f"{k}={v}" for k, v in settings.items()), port=self.port)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            config = directory / "zoo.cfg"
            settings |= {"tickTime": 2000, "dataDir": directory / "data", "clientPort": self.port,
                         "clientPortAddress": "127.0.0.1", "4lw.commands.whitelist": "*"}
            config.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
            self.server = Server([BIN, "keeper", config], directory / "keeper.log", [self.port, self.admin])
        self.clients = []

    def start(self):
        self.server.start()
        wait_for(lambda: listens(self.admin), 20, "the admin server")
        return self

    def stop(self):
        for client in self.clients:
            client.stop()
            client.close()
        self.server.stop()

    def client(self):
        client = kazoo.client.KazooClient(hosts=f"127.0.0.1:{self.port}", timeout=8)
        self.clients.append(client)
        client.start(15)
        return client

    def ask(self, url, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=20)
        connection.request(method, url, body=body, headers=headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content, {name.lower(): value for name, value in answer.getheaders()}

    def command(self, name):
        status, body, _ = self.ask(f"/commands/{name}")
        assert status == 200, body
        return json.loads(body)


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    keeper = Keeper(tmp_path_factory.mktemp("admin"), extendedTypesEnabled="true").start()
    yield keeper
    keeper.stop()


@pytest.fixture
def starting_keeper(tmp_path):
    started = []

    def start(**settings):
        keeper = Keeper(tmp_path / str(len(started)), **settings)
        started.append(keeper)
        return keeper.start()

    yield start
    for keeper in started:
        keeper.stop()


def shape(value):
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_commands_have_the_keys_and_types_of_a_real_one(keeper):
    zk = keeper.client()
    zk.create("/app", b"hello")
    zk.create("/app/e", b"", ephemeral=True)
    zk.exists("/nothing", watch=lambda event: None)
    assert keeper.ask("/commands")[1].decode() == REAL["list"]
    for name, real in REAL["commands"].items():
        if name in ("snapshot", "restore"):
            continue
        status, body, headers = keeper.ask(f"/commands/{name}")
        assert (status, headers["content-type"]) == (real["status"], "application/json"), name
        ours = json.loads(body)
        if AGAINST == "kafka" or name == "monitor":
            ours = {k: v for k, v in ours.items() if k in real["shape"]}
        got = shape(ours)
        for key in ("expiry_time_to_session_ids", "session_id_to_ephemeral_paths", "session_id_to_watched_paths"):
            if key in got:
                got[key] = {"N": kind for kind in got[key].values()}
        assert got == real["shape"], name
    assert keeper.command("watches_by_path")["path_to_session_ids"] == {"/nothing": [zk.client_id[0]]}
    assert keeper.command("dump")["session_id_to_ephemeral_paths"] == {str(zk.client_id[0]): ["/app/e"]}
    zk.delete("/app", recursive=True)


def test_statuses_are_those_of_a_real_one(keeper):
    seen = []
    for method, url, headers, status in REAL["statuses"]:
        got, body, _ = keeper.ask(url, method, headers)
        # Snapshots are limited: 429 is as good as 200 for the second one.
        if got != status and not ("snapshot" in url and {got, status} == {200, 429}):
            seen.append((method, url, headers, status, got, body[:200]))
    assert not seen


def test_mntr_tells_every_name_in_order(keeper):
    names = [line.split("\t")[0] for line in four_letters(keeper.port, "mntr").splitlines() if line]
    names = [name for name in names if "per_namespace" not in name]
    assert sorted(names) == sorted(REAL["mntr"])
    if AGAINST == "ottla":
        assert names == REAL["mntr"]


def test_values_are_real(keeper):
    zk = keeper.client()
    keeper.command("stat_reset")
    zk.create("/values", b"x" * 500)
    for _ in range(5):
        zk.set("/values", b"y" * 500)
        zk.get("/values", watch=lambda event: None)
    zk.delete("/values")
    told = dict(line.split("\t") for line in four_letters(keeper.port, "mntr").splitlines() if line)
    for name, least in [
        ("zk_cnt_updatelatency", 7), ("zk_cnt_readlatency", 5), ("zk_cnt_fsynctime", 1), ("zk_cnt_propagation_latency", 7),
        ("zk_cnt_sync_processor_batch_size", 1), ("zk_cnt_node_deleted_watch_count", 1),
        ("zk_max_client_response_size", 500), ("zk_packets_received", 12), ("zk_bytes_received_count", 3000),
        ("zk_cnt_values_write_per_namespace", 7), ("zk_sum_values_read_per_namespace", 5 * (7 + 500 + 68)),
        ("zk_watch_bytes", 1), ("zk_open_file_descriptor_count", 5), ("zk_max_file_descriptor_count", 100),
    ]:
        assert float(told[name]) >= least, (name, told[name])
    assert four_letters(keeper.port, "srst") == REAL["words"]["srst"]
    told = dict(line.split("\t") for line in four_letters(keeper.port, "mntr").splitlines() if line)
    assert told["zk_cnt_updatelatency"] == "0" and told["zk_max_client_response_size"] == "-1"


def test_the_other_words(keeper):
    for word, text in REAL["words"].items():
        assert four_letters(keeper.port, word) == text, word
    with socket.create_connection(("127.0.0.1", keeper.port), timeout=5) as s:
        s.sendall(b"stmk" + struct.pack(">q", 5))
        assert s.recv(100) == b"5"
    assert four_letters(keeper.port, "gtmk") == "5"
    assert keeper.command("set_trace_mask?traceMask=306")["tracemask"] == 306
    for word in ("nope", "lead", "RUOK"):
        assert four_letters(keeper.port, word) == ""
    dump = four_letters(keeper.port, "dump")
    assert re.search(r"^Connections Sets \(\d+\)/\(\d+\):$", dump, re.M), dump


def test_the_whitelist(tmp_path):
    if AGAINST == "kafka":
        pytest.skip("the script that starts a real one allows every word")
    keeper = Keeper(tmp_path)
    text_of = lambda: (tmp_path / "zoo.cfg").read_text()
    (tmp_path / "zoo.cfg").write_text(text_of().replace("whitelist=*", "whitelist=ruok, isro"))
    keeper.start()
    try:
        assert (four_letters(keeper.port, "ruok"), four_letters(keeper.port, "isro")) == ("imok", "rw")
        assert four_letters(keeper.port, "stat") == "stat is not executed because it is not in the whitelist.\n"
        # zkServer.sh asks it.
        assert "Mode: standalone" in four_letters(keeper.port, "srvr")
    finally:
        keeper.stop()


def test_a_snapshot_is_taken_sent_and_restored(starting_keeper):
    keeper = starting_keeper(**{"admin.rateLimiterIntervalInMS": 1})
    who = {"Authorization": "digest root:secret"}
    zk = keeper.client()
    zk.create("/kept", b"as it was")
    zk.create("/gone", b"")
    zk.delete("/gone")
    status, snapshot, headers = keeper.ask("/commands/snapshot", headers=who)
    assert status == 200 and snapshot[:4] == b"ZKSN"
    assert headers["snapshot_size"] == str(len(snapshot)) == headers["content-length"]
    assert keeper.command("last_snapshot")["zxid"] == headers["last_zxid"].removeprefix("0x")
    zk.set("/kept", b"changed")
    zk.create("/later", b"")
    status, body, _ = keeper.ask("/commands/restore", "POST", who, snapshot)
    assert status == 200, body
    other = keeper.client()
    assert other.get("/kept")[0] == b"as it was" and not other.exists("/later")
    other.create("/after", b"1")
    for wrong in (b"", b"garbage", snapshot[:-10]):
        time.sleep(0.01)  # one restore per millisecond
        status, body, _ = keeper.ask("/commands/restore", "POST", who, wrong)
        assert (status, json.loads(body)) == (500, {"command": "restore", "error": None})
    assert other.get("/after")[0] == b"1"
    if AGAINST == "ottla":
        # It is durable, and what was logged before does not come back.
        zk.stop()
        keeper.server.kill()
        keeper.server.start()
        wait_for(lambda: other.connected, 15, "the reconnect")
        assert other.retry(other.get, "/kept")[0] == b"as it was"
        assert other.get("/after")[0] == b"1" and not other.exists("/later")


def test_only_who_owns_the_root_gets_a_snapshot(starting_keeper):
    keeper = starting_keeper(**{"admin.rateLimiterIntervalInMS": 1})
    zk = keeper.client()
    zk.set_acls("/", [kazoo.security.make_digest_acl("root", "pw", all=True)])
    ask = lambda who: keeper.ask("/commands/snapshot?streaming=false", headers={"Authorization": who})[0]
    assert (ask("digest x:y"), ask("ip"), ask("digest root:pw")) == (403, 403, 200)


@ours_only
def test_snapshots_can_be_off(starting_keeper):
    keeper = starting_keeper(**{"admin.snapshot.enabled": "false", "admin.restore.enabled": "false", "admin.commandURL": "/zk"})
    who = {"Authorization": "ip"}
    assert keeper.ask("/zk/snapshot", headers=who)[0] == 503
    assert keeper.ask("/zk/restore", "POST", who, b"x")[0] == 503
    assert keeper.ask("/commands")[0] == 404


@ours_only
def test_prometheus(starting_keeper):
    port = free_port()
    keeper = starting_keeper(**{
        "metricsProvider.className": "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
        "metricsProvider.httpPort": port, "metricsProvider.httpHost": "127.0.0.1",
    })
    zk = keeper.client()
    zk.create("/p", b"")
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    names = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    summaries = {name[7:] for name in REAL["mntr"] if name.startswith("zk_avg_") and name != "zk_avg_latency"}
    single = {name[3:] for name in REAL["mntr"] if not re.match(r"zk_(avg|min|max|cnt|sum|p\d+)_", name)}
    assert summaries | (single - {"version", "server_state"}) <= names
    assert re.search(r"^updatelatency_count [1-9]", text, re.M) and 'readlatency{quantile="0.99"}' in text


def test_the_audit_log(starting_keeper):
    keeper = starting_keeper(**{"audit.enable": "true"})
    if AGAINST == "kafka":
        pytest.skip("the real one's log is not set up to show it here")
    zk = keeper.client()
    zk.add_auth("digest", "u:p")
    zk.create("/a", b"")
    zk.create("/a/s-", b"", sequence=True)
    zk.create("/a/e", b"", ephemeral=True)
    zk.set("/a", b"1")
    zk.set_acls("/a", [kazoo.security.make_digest_acl("u", "p", all=True)])
    for change in (lambda: zk.set("/none", b""), lambda: zk.delete("/a")):
        with pytest.raises(kazoo.exceptions.KazooException):
            change()
    t = zk.transaction()
    t.create("/m", b"")
    t.set_data("/a", b"2")
    t.commit()
    t = zk.transaction()
    t.create("/n", b"")
    t.delete("/none")
    t.commit()
    session = f"0x{zk.client_id[0]:x}"
    zk.stop()
    keeper.server.stop()
    lines = [line.split(" INFO ")[-1].split(" ERROR ")[-1].strip() for line in keeper.server.log.read_text().splitlines() if "operation=" in line]
    who = f"session={session}\tuser=127.0.0.1,u\tip=127.0.0.1\t"
    # As a real 3.9.5 wrote them for the same changes.
    expected = [
        who + "operation=create\tznode=/a\tznode_type=persistent\tresult=success",
        who + "operation=create\tznode=/a/s-0000000000\tznode_type=persistent_sequential\tresult=success",
        who + "operation=create\tznode=/a/e\tznode_type=ephemeral\tresult=success",
        who + "operation=setData\tznode=/a\tresult=success",
        who + "operation=setAcl\tznode=/a\tacl=digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=:cdrwa\tresult=success",
        who + "operation=setData\tznode=/none\tresult=failure",
        who + "operation=delete\tznode=/a\tresult=failure",
        who + "operation=create\tznode=/m\tznode_type=persistent\tresult=success",
        who + "operation=setData\tznode=/a\tresult=success",
        who + "operation=multiOperation\tresult=failure",
    ]
    assert lines[1:11] == expected
    assert re.fullmatch(r"user=\S+\toperation=serverStart\tresult=success", lines[0])
    gone = f"session={session}\tuser=\\S+\toperation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode=/a/e\tresult=success"
    assert re.fullmatch(gone, lines[11])
    assert re.fullmatch(r"user=\S+\toperation=serverStop\tresult=invoked", lines[12])


@ours_only
def test_large_requests_are_limited(starting_keeper):
    keeper = starting_keeper(largeRequestThreshold=10_000, largeRequestMaxBytes=50_000)
    zk = keeper.client()
    zk.create("/small", b"x" * 9_000)
    zk.create("/large", b"x" * 40_000)
    with pytest.raises(kazoo.exceptions.ConnectionLoss):
        zk.create("/too-large", b"x" * 60_000)
    told = dict(line.split("\t") for line in four_letters(keeper.port, "mntr").splitlines() if line)
    assert told["zk_large_requests_rejected"] == "1"


@ours_only
def test_requests_are_throttled_and_all_answered(starting_keeper):
    keeper = starting_keeper(requestThrottleLimit=1)
    clients = [keeper.client() for _ in range(4)]
    clients[0].create("/t", b"")
    pending = [client.create_async("/t/n-", b"", sequence=True) for _ in range(50) for client in clients]
    assert len({p.get(30) for p in pending}) == 200


@ours_only
def test_a_taken_admin_port_is_a_warning(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        keeper = Keeper(tmp_path, **{"admin.serverPort": taken.getsockname()[1]})
        keeper.server.ports = [keeper.port]
        keeper.server.start()
        try:
            assert four_letters(keeper.port, "ruok") == "imok"
            assert "no admin server" in (tmp_path / "keeper.log").read_text()
        finally:
            keeper.server.stop()


@ours_only
def test_an_embedded_keeper_has_it_when_asked(starting, tmp_path):
    port = free_port()
    starting(Ottla(tmp_path, **{"keeper.admin.serverPort": port, "keeper.admin.serverAddress": "127.0.0.1"}))
    answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/commands/ruok", timeout=10).read()
    assert json.loads(answer) == {"command": "ruok", "error": None}


@pytest.fixture
def ensemble(tmp_path):
    """Two servers that vote and an observer, all ours; gives their client and admin ports by number."""
    ports = {n: (free_port(), free_port(), free_port(), free_port()) for n in (1, 2, 3)}
    servers = []
    for n, (client, admin, _, _) in ports.items():
        directory = tmp_path / str(n)
        (directory / "data").mkdir(parents=True)
        (directory / "data" / "myid").write_text(f"{n}\n")
        lines = [f"server.{m}=127.0.0.1:{p[2]}:{p[3]}:{'observer' if m == 3 else 'participant'}" for m, p in ports.items()]
        lines += ["tickTime=1000", "initLimit=10", "syncLimit=5", f"dataDir={directory}/data", f"clientPort={client}",
                  "clientPortAddress=127.0.0.1", f"admin.serverPort={admin}", "admin.serverAddress=127.0.0.1", "4lw.commands.whitelist=*"]
        lines += ["peerType=observer"] if n == 3 else []
        (directory / "zoo.cfg").write_text("\n".join(lines) + "\n")
        servers.append(Server([BIN, "keeper", directory / "zoo.cfg"], directory / "log", [client, admin]).start())
    yield {n: p[:2] for n, p in ports.items()}
    for server in servers:
        server.stop()


@ours_only
def test_each_role_tells_what_it_tells_in_a_real_ensemble(ensemble):
    def roles():
        told = {}
        for n, (client, _) in ensemble.items():
            lines = dict(line.split("\t", 1) for line in four_letters(client, "mntr").splitlines() if "\t" in line)
            told[lines.get("zk_server_state")] = (n, lines)
        ready = set(told) == {"leader", "follower", "observer"} and told["leader"][1]["zk_synced_observers"] == "1"
        return told if ready and told["leader"][1]["zk_synced_followers"] == "1" else None

    told = wait_for(roles, 30, "a leader, a follower and an observer")
    for role, (n, lines) in told.items():
        assert sorted(lines) == sorted(REAL["mntr"] + REAL[f"mntr_of_a_{role}"]), role
        client, admin = ensemble[n]
        ask = lambda name: json.loads(urllib.request.urlopen(f"http://127.0.0.1:{admin}/commands/{name}", timeout=10).read())
        leader = told["leader"][0]
        assert ask("leader") == {"is_leader": n == leader, "leader_id": leader, "leader_ip": "127.0.0.1", "command": "leader", "error": None}
        state = ask("zabstate")
        assert (state["myid"], state["voting"], state["zabstate"]) == (n, role != "observer", "broadcast")
        assert state["client_address"] == f"127.0.0.1:{client}"
        assert sorted(ask("voting_view")["current_config"]) == ["1", "2"]
        assert ("proposal_stats" in ask("server_stats")) == (role == "leader")
        assert ("Proposal sizes" in four_letters(client, "srvr")) == (role == "leader")
        conf = four_letters(client, "conf")
        assert f"peerType={int(role == 'observer')}\nmembership: \nserver.1=" in conf and "electionAlg=3" in conf
        dump = four_letters(client, "dump")
        assert dump.startswith("SessionTracker dump:\n" + ("Session Sets" if role == "leader" else "Global Sessions(0):\n"))
    observers = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{ensemble[leader][1]}/commands/observers", timeout=10).read())
    assert observers["synced_observers"] == 1 and observers["observers"][0]["sid"] == 3


def test_bad_requests_do_no_harm(keeper):
    for bytes_ in (b"\0" * 100, b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n", b"POST /commands/ruok HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                   b"GET /commands/%zz HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /commands/ruok HTTP/1.1\r\n" + b"x: y\r\n" * 10_000 + b"\r\n"):
        with socket.create_connection(("127.0.0.1", keeper.admin), timeout=5) as s:
            try:
                s.sendall(bytes_)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    assert keeper.command("ruok") == {"command": "ruok", "error": None}
