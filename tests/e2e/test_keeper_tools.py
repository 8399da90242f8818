"""The keeper's tools: the shell beside the real zkCli, the offline tools beside the real toolkits, on the files of both."""

import gzip
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import time

import kazoo.client
import pytest

from conftest import BIN, Peer, Server, four_letters, free_port, java, only_ottla, ottla, run, wait_for

pytestmark = only_ottla
ZOOKEEPER = "zookeeper-3.9.5"
TOOLKIT = "org.apache.zookeeper.server.persistence.TxnLogToolkit"


def start_keeper(kind, directory):
    """A server alone, ours or the real one."""
    settings = {"tickTime": 500, "snapCount": 40, "extendedTypesEnabled": "true", "4lw.commands.whitelist": "*"}
    if kind == "real":
        # ZooKeeper takes these from Java's properties too, but not all from the file.
        return Peer(directory / "zk", "zk-start", *(f"{k}={v}" for k, v in settings.items()), port=free_port()).start()
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "zk").mkdir()
    lines = {**settings, "dataDir": directory / "zk" / "data", "clientPort": port, "clientPortAddress": "127.0.0.1", "admin.enableServer": "false"}
    (directory / "zoo.cfg").write_text("".join(f"{k}={v}\n" for k, v in lines.items()))
    server = Server([BIN, "keeper", directory / "zoo.cfg"], directory / "keeper.log", [port])
    server.port = port
    return server.start()


def fill(port):
    """One transaction of each kind, and characters that the text forms escape."""
    zk = kazoo.client.KazooClient(hosts=f"127.0.0.1:{port}", timeout=10)
    zk.start(15)
    try:
        zk.create("/a", b"one")
        zk.create("/a/b", "zwei, drei}\n%".encode())
        zk.create("/a/s-", b"", sequence=True)
        zk.create("/odd ,}%ä", b"\xff\xfe\x00")
        zk.set("/a", b"two")
        zk.set_acls("/a/b", [kazoo.security.make_acl("world", "anyone", all=True), kazoo.security.make_acl("ip", "127.0.0.1", read=True)])
        for one, two in ((b"x", "/m/y"), (b"y", "/none/y")):
            transaction = zk.transaction()
            transaction.create("/m" if one == b"x" else "/n", one)
            transaction.create(two, b"")
            transaction.check("/a", -1)
            transaction.commit()
        zk.create("/e", b"", ephemeral=True)
        zk.delete("/odd ,}%ä")
        # Two more that the client of Python does not make.
        ottla("zk", "-server", f"127.0.0.1:{port}", "create", "-c", "/container")
        ottla("zk", "-server", f"127.0.0.1:{port}", "create", "-t", "600000", "/ttl", "x")
        # Enough for a snapshot or two.
        for i in range(100):
            zk.create(f"/a/b/n{i:03}", b"." * i)
        # One session stays open in the snapshots.
        zk.create("/e2", b"", ephemeral=True)
    finally:
        zk.stop()
        zk.close()


@pytest.fixture(scope="module", params=["ours", "real"])
def files(request, tmp_path_factory):
    """The version-2 folder of a stopped server, ours or the real one."""
    directory = tmp_path_factory.mktemp(f"files-{request.param}")
    server = start_keeper(request.param, directory)
    try:
        fill(server.port)
    finally:
        server.stop()
    return directory / "zk" / "data" / "version-2"


def logs(files):
    return sorted((f for f in files.glob("log.*")), key=lambda f: int(f.name.split(".")[1], 16))


def snapshots(files):
    return sorted((f for f in files.glob("snapshot.*")), key=lambda f: int(f.name.split(".")[1], 16))


def toolkit(main, *args, **kwargs):
    return java(ZOOKEEPER, main, *args, env={"JAVA_TOOL_OPTIONS": "-Duser.timezone=UTC -Duser.language=en -Duser.country=US"}, **kwargs)


def without_multis(text):
    """The toolkit of 3.9 writes the parts of a multi as raw bytes."""
    return re.sub(r" multi .*?(?=\n\d+/\d+/\d+, |\nEOF)", " multi …", text, flags=re.DOTALL)


def test_logs_as_the_real_toolkit_prints_them(files):
    seen = ""
    for log in logs(files):
        real, mine = toolkit(TOOLKIT, log).stdout, ottla("zk-txn-log", log).stdout
        assert without_multis(mine) == without_multis(real)
        seen += mine
    for kind in ("create /a,one,[31,s{'world,'anyone}\n],false,1", "createContainer", "createTTL", "delete '/odd %2C%7D%25ä", "setACL '/a/b,v{s{31,", "closeSession v{'/e",
                 "multi create:/m,x,[31,s{'world,'anyone}\n],false,", ";create:/m/y,", ";check:/a,", "error:", "createSession"):
        assert kind in seen, kind


def test_check_says_nothing_of_a_good_log(files):
    out = ottla("zk-txn-log", "--check", logs(files)[0]).stdout.splitlines()
    assert len(out) == 3 and out[1].startswith("EOF reached after ") and out[2].startswith("zxids 0x1 to 0x"), out


def blocks(text):
    """What the formatter says of each node and of each session; hash tables give them in any order."""
    head, _, rest = text.partition("Session Details")
    count, *nodes = head.split("----\n")
    sessions, _, tail = rest.partition("----\n")
    return count, sorted(nodes), sorted(sessions.splitlines()), tail


@pytest.mark.parametrize("flags", [[], ["-d"]], ids=["lengths", "data"])
def test_snapshots_as_the_real_toolkit_prints_them(files, flags):
    for snapshot in snapshots(files):
        real = toolkit("org.apache.zookeeper.server.SnapshotFormatter", *flags, snapshot).stdout
        assert blocks(ottla("zk-snapshot", *flags, snapshot).stdout) == blocks(real)
    assert len(snapshots(files)) >= 2


def names(tree):
    """The nodes of ncdu's JSON as paths with sizes."""
    node, children = (tree[0], tree[1:]) if isinstance(tree, list) else (tree, [])
    prefix = "" if node["name"] == "/" else "/" + node["name"]
    found = {prefix or "/": (node["asize"], node["dsize"])}
    for child in children:
        found |= {prefix + path: size for path, size in names(child).items()}
    return found


def test_json_of_a_snapshot(files):
    last = snapshots(files)[-1]
    real = json.loads(toolkit("org.apache.zookeeper.server.SnapshotFormatter", "-json", last).stdout)
    mine = json.loads(ottla("zk-snapshot", "-json", last).stdout)
    assert mine[2].keys() == real[2].keys() and names(mine[3]) == names(real[3])
    assert ottla("zk-snapshot", "-d", "-json", last, check=False).returncode == 1


def test_summary_of_a_snapshot(files):
    last = snapshots(files)[-1]
    parts = lambda text: sorted(re.findall(r"(-* /.*)\n(-* +children: \d+)\n(-* +data: \d+)", text))
    for node, depth in (("/", 0), ("/", 1), ("/a", 0)):
        real = toolkit("org.apache.zookeeper.server.SnapshotRecursiveSummary", last, node, depth).stdout
        mine = ottla("zk-snapshot-summary", last, node, depth).stdout
        assert parts(mine) == parts(real) and len(mine) == len(real) and parts(mine)
    assert "no such node" in ottla("zk-snapshot-summary", last, "/nope", check=False).stderr


def test_two_snapshots_compared(files):
    first, last = snapshots(files)[0], snapshots(files)[-1]
    stable = lambda text: [line for line in text.splitlines() if " in " not in line or "seconds" not in line]
    for flags in (["-b", 0, "-n", 0], ["-b", 50, "-n", 3], ["-b", 50, "-n", 3, "-d"]):
        arguments = ["-l", first, "-r", last, *flags]
        real = toolkit("org.apache.zookeeper.server.SnapshotComparer", *arguments).stdout
        assert stable(ottla("zk-snapshot-compare", *arguments).stdout) == stable(real)
    arguments = ["-l", first, "-r", last, "-b", 0, "-n", 0, "-i"]
    typed = "\n/a/b\n7\nx\n2\n" + "\n" * 9
    real = toolkit("org.apache.zookeeper.server.SnapshotComparer", *arguments, input=typed).stdout
    assert stable(ottla("zk-snapshot-compare", *arguments, input=typed).stdout) == stable(real)


def frames(log):
    """(position, length) of each transaction."""
    data, at, found = log.read_bytes(), 16, []
    while at + 12 <= len(data) and (length := struct.unpack(">i", data[at + 8:at + 12])[0]):
        found.append((at, length))
        at += 12 + length + 1
    return found


def damaged(tmp_path, files, what):
    log = tmp_path / "data" / "version-2" / "log.1"
    log.parent.mkdir(parents=True)
    shutil.copy(logs(files)[0], log)
    data, found = bytearray(log.read_bytes()), frames(log)
    at, length = found[len(found) // 2]
    if what == "bit":
        # In the middle of a name or of data, so that the transaction can still be read.
        data[data.index(b"zwei")] ^= 1
    elif what == "torn":
        at, length = found[-1]
        data[at + 12 + length // 2:] = bytes(len(data) - (at + 12 + length // 2))
    elif what == "cut":
        at, length = found[-1]
        del data[at + 20:]
    log.write_bytes(data)
    return log, len(found)


@pytest.mark.parametrize("what", ["bit", "torn", "cut"])
def test_a_damaged_log_is_found_and_repaired(tmp_path, files, what):
    log, txns = damaged(tmp_path, files, what)
    before = log.read_bytes()
    fixed = log.with_name("log.1.fixed")
    done = ottla("zk-txn-log", log, check=False)
    assert done.returncode == 1 and "--recover" in done.stderr
    assert ("CRC ERROR" in done.stdout) == (what != "cut")
    assert ottla("zk-txn-log", "--check", log, check=False).returncode == 1
    done = ottla("zk-txn-log", "-r", "-y", log)
    kept = txns if what == "bit" else txns - 1
    assert f"EOF reached after {kept} txns." in done.stdout
    assert f"Recovery file {fixed} has been written with {int(what == 'bit')} fixed CRC error(s)" in done.stdout
    assert log.read_bytes() == before
    ottla("zk-txn-log", "--check", fixed)
    # The real one reads it whole, and finds nothing wrong.
    real = toolkit(TOOLKIT, fixed).stdout
    assert f"EOF reached after {kept} txns." in real and "CRC" not in real
    again = ottla("zk-txn-log", "-r", "-y", log, check=False)
    assert again.returncode == 1 and "already exists" in again.stderr
    fixed.unlink()
    done = ottla("zk-txn-log", "-r", "-y", "--in-place", log)
    assert log.with_name("log.1.bak").read_bytes() == before and not fixed.exists()
    ottla("zk-txn-log", "--check", log)


def test_what_the_real_toolkit_repairs(tmp_path, files):
    log, txns = damaged(tmp_path, files, "bit")
    real = toolkit(TOOLKIT, "-r", "-v", log, input="y\n").stdout
    real_fixed = log.with_name("log.1.fixed").rename(tmp_path / "real")
    mine = ottla("zk-txn-log", "-r", "-v", log, input="y\n").stdout
    assert without_multis(mine) == without_multis(real)
    length = sum(12 + length + 1 for _, length in frames(real_fixed)) + 16
    assert log.with_name("log.1.fixed").read_bytes() == real_fixed.read_bytes()[:length]
    log.with_name("log.1.fixed").unlink()
    for answer in ("a\n", ""):
        done = ottla("zk-txn-log", "-r", log, input=answer, check=False)
        assert done.returncode == 1 and not log.with_name("log.1.fixed").exists(), done.stderr
    ottla("zk-txn-log", "-r", log, input="what\nn\n")
    assert ottla("zk-txn-log", log.with_name("log.1.fixed"), check=False).returncode == 1


def test_a_log_cut_short(tmp_path, files):
    log = tmp_path / "log.1"
    shutil.copy(logs(files)[0], log)
    real = toolkit(TOOLKIT, "-c", log, "-z", "0x9").stdout
    chopped = tmp_path / "log.1.chopped9"
    content = chopped.read_bytes()
    chopped.unlink()
    assert ottla("zk-txn-log", "-c", log, "-z", "0x9").stdout == real and chopped.read_bytes() == content
    for zxid in ("99999", "0x99999"):
        done = ottla("zk-txn-log", "-c", log, "-z", zxid, check=False)
        assert done.returncode == 2 and not list(tmp_path.glob("*chopped*999*")), done.stdout
    assert ottla("zk-txn-log", "-c", log, check=False).returncode == 1


def test_a_keeper_that_runs_keeps_its_files(tmp_path):
    keeper = start_keeper("ours", tmp_path)
    try:
        ottla("zk", "-server", f"127.0.0.1:{keeper.port}", "create", "/a")
        log = logs(tmp_path / "zk" / "data" / "version-2")[0]
        ottla("zk-txn-log", log)
        done = ottla("zk-txn-log", "-r", "-y", "--in-place", log, check=False)
        assert done.returncode == 1 and "is running" in done.stderr
        done = ottla("zk-initialize", "--configfile", tmp_path / "zoo.cfg", "--force", check=False)
        assert done.returncode == 1 and "is running" in done.stderr
        assert ottla("zk", "-server", f"127.0.0.1:{keeper.port}", "ls", "/").stdout == "[a, zookeeper]\n"
    finally:
        keeper.stop()


def test_what_is_no_log_and_no_snapshot(tmp_path, files):
    nothing = tmp_path / "snapshot.1"
    for content in (b"", b"x" * 100, b"ZKLG" + bytes(40), b"ZKSN" + b"\xff" * 40):
        nothing.write_bytes(content)
        for tool in (["zk-snapshot"], ["zk-snapshot-summary"], ["zk-txn-log"]):
            done = ottla(*tool, nothing, check=False)
            assert done.returncode in (0, 1, 2) and "panicked" not in done.stderr
            assert done.returncode != 0 or content.startswith(b"ZKLG"), (tool, content)
    for tool in ("zk-snapshot", "zk-txn-log"):
        for missing in (tmp_path / "none", tmp_path):
            done = ottla(tool, missing, check=False)
            assert done.returncode == 1 and str(missing) in done.stderr
    # A flipped bit anywhere is found.
    data = bytearray(snapshots(files)[-1].read_bytes())
    data[len(data) // 2] ^= 4
    nothing.write_bytes(data)
    done = ottla("zk-snapshot", nothing, check=False)
    assert done.returncode == 1 and "take an older one" in done.stderr
    # A compressed one is read by its name.
    packed = tmp_path / (snapshots(files)[-1].name + ".gz")
    packed.write_bytes(gzip.compress(snapshots(files)[-1].read_bytes()))
    assert ottla("zk-snapshot", packed).stdout == ottla("zk-snapshot", snapshots(files)[-1]).stdout


def test_cleanup_as_the_real_one(tmp_path, files):
    for side in ("mine", "real"):
        shutil.copytree(files, tmp_path / side / "version-2")
        # A file of 64 MiB a log is more than is needed here.
        for log in logs(tmp_path / side / "version-2"):
            found = frames(log)
            os.truncate(log, found[-1][0] + found[-1][1] + 13)
    dirs = {side: tmp_path / side / "version-2" for side in ("mine", "real")}
    # Older snapshots under other names; one that is newer, but not whole, does not count.
    for version_2 in dirs.values():
        last = snapshots(version_2)[-1]
        number = int(last.name.split(".")[1], 16)
        for more in (1, 2, 3):
            shutil.copy(last, version_2 / f"snapshot.{number + more:x}")
        (version_2 / f"snapshot.{number + 9:x}").write_bytes(last.read_bytes()[:100])
    real = toolkit("org.apache.zookeeper.server.PurgeTxnLog", tmp_path / "real", tmp_path / "real", "-n", 3).stdout
    (tmp_path / "zoo.cfg").write_text(f"dataDir={tmp_path / 'mine'}\n")
    mine = ottla("zk-cleanup", "-n", 3, "--config", tmp_path / "zoo.cfg")
    assert [f.name for f in sorted(dirs["mine"].iterdir())] == [f.name for f in sorted(dirs["real"].iterdir())]
    named = lambda text: sorted(line.rsplit("/", 1)[1] for line in text.splitlines() if line.startswith("Removing file: "))
    assert named(mine.stdout) == named(real) and named(real)
    assert "does not count" in mine.stderr
    assert ottla("zk-cleanup", "-n", 2, tmp_path / "mine", check=False).returncode == 1
    assert ottla("zk-cleanup", "-n", 3, tmp_path / "none", check=False).returncode == 1
    assert ottla("zk-cleanup", tmp_path / "mine", "-n", 3).stdout == ""


def test_initialize(tmp_path):
    (tmp_path / "zoo.cfg").write_text(f"dataDir={tmp_path}/data\ndataLogDir={tmp_path}/logs\nclientPort=1\n")
    done = ottla("zk-initialize", "--configfile", tmp_path / "zoo.cfg", "--myid=7")
    assert done.stdout == "Using myid of 7\n"
    assert (tmp_path / "data" / "myid").read_text() == "7\n" and (tmp_path / "data" / "initialize").exists()
    assert (tmp_path / "data" / "version-2").is_dir() and (tmp_path / "logs" / "version-2").is_dir()
    done = ottla("zk-initialize", "--configfile", tmp_path / "zoo.cfg", check=False)
    assert done.returncode == 1 and "already exists" in done.stderr
    (tmp_path / "logs" / "version-2" / "log.1").write_text("old")
    link = tmp_path / "zkServer-initialize.sh"
    link.symlink_to(BIN)
    done = run(link, "--force", "--configfile", tmp_path / "zoo.cfg")
    assert "No myid provided" in done.stdout
    assert not (tmp_path / "logs" / "version-2" / "log.1").exists() and not (tmp_path / "data" / "myid").exists()
    for bad in (["--myid", "0"], ["--myid", "256"], ["--configfile", tmp_path / "none"]):
        assert ottla("zk-initialize", *bad, check=False).returncode != 0


def test_the_original_names(tmp_path, files):
    for name, arguments in {
        "zkTxnLogToolkit.sh": [logs(files)[0]], "zkSnapShotToolkit.sh": [snapshots(files)[0]], "zkSnapshotRecursiveSummaryToolkit.sh": [snapshots(files)[0], "/", 1],
        "zkSnapshotComparer.sh": ["-l", snapshots(files)[0], "-r", snapshots(files)[0], "-b", 1, "-n", 1], "zkCleanup.sh": [files.parent, "-n", 50],
    }.items():
        (tmp_path / name).symlink_to(BIN)
        run(tmp_path / name, *arguments)
        assert "Usage" in run(tmp_path / name, "--help").stdout
    # A reader that goes away is no failure to complain of.
    done = subprocess.run(f"{BIN} zk-txn-log {logs(files)[0]} | head -1", shell=True, capture_output=True, text=True, timeout=30)
    assert done.stderr == "" and done.stdout.startswith("ZooKeeper Transactional Log File with dbid 0 ")


def test_settings_that_were_java_properties(tmp_path):
    script, config, port = tmp_path / "zkServer.sh", tmp_path / "zoo.cfg", free_port()
    script.symlink_to(BIN)
    config.write_text(f"dataDir={tmp_path}/data\nclientPort={port}\nadmin.enableServer=false\nmaxClientCnxns=7\n")
    flags = "-Xmx100m -Dzookeeper.4lw.commands.whitelist=conf,srvr -Dzookeeper.maxClientCnxns=5 -Dcom.sun.management.jmxremote"
    run(script, "start", config, env={"SERVER_JVMFLAGS": flags, "ZOO_LOG_DIR": str(tmp_path)})
    try:
        assert "maxClientCnxns=7" in four_letters(port, "conf") and "not in the whitelist" in four_letters(port, "mntr")
    finally:
        run(script, "stop", config)
    refused = run(script, "start", config, check=False, env={"JVMFLAGS": "-Dzookeeper.maxCnxns=many", "ZOO_LOG_DIR": str(tmp_path)})
    assert refused.returncode == 1 and "JVMFLAGS: zookeeper.maxCnxns=many" in refused.stderr


def test_a_server_that_is_no_member_any_more_is_stopped(tmp_path):
    script, config, dynamic, port = tmp_path / "zkServer.sh", tmp_path / "zoo.cfg", tmp_path / "members", free_port()
    script.symlink_to(BIN)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "myid").write_text("1\n")
    config.write_text(
        f"dataDir={tmp_path}/data\ninitLimit=10\nsyncLimit=5\nadmin.enableServer=false\nstandaloneEnabled=false\n"
        f"4lw.commands.whitelist=*\ndynamicConfigFile={dynamic}\n"
    )
    dynamic.write_text(f"server.1=127.0.0.1:{free_port()}:{free_port()}:participant;127.0.0.1:{port}\n")
    environment = {"ZOO_LOG_DIR": str(tmp_path)}
    run(script, "start", config, env=environment)
    wait_for(lambda: "Mode: leader" in run(script, "status", config, check=False).stdout, 20, "the server alone to lead")
    dynamic.write_text("server.2=127.0.0.1:1:2:participant;127.0.0.1:3\n")
    assert "this server has no server.N line" in run(script, "status", config, check=False).stderr
    assert "STOPPED" in run(script, "stop", config).stdout
    assert "there is no server.1" in run(script, "start", config, check=False, env=environment).stderr


# What the shell and the real zkCli are told, line by line; answers are compared, times and the version are not.
SCRIPT = r"""
create /a one
create /a/b "two words"
create /a/json {"k":"v_w"}
get /a/b
create -e /e eph
create -s /a/s- x
create -c /c
create -t 60000 /t ttl
get -w /a
set /a 2,}%
set /a Mix9JQ== -b
ls -w /a
create /a/child
stat -w /a/child
delete /a/child
setAcl /a/b world:anyone:cdrwa,digest:u:x:r
getAcl /a/b
addauth digest u:p
whoami
get /nope
get -x /a
get -b /a
get -sx /a
get /a watch
set /a seen
addWatch /a
create /a/b/deep
removewatches /a
removewatches /a
setquota -n 2 /a
listquota /a
setquota -N 50 /a
listquota /a
setquota -n 2 /a/b
delquota -n /a
listquota /a
delquota /a
delquota /a
ls -R /
ls /nope
history
redo 3
printwatches
printwatches off
set /a quiet
getEphemerals
getEphemerals /x
getAllChildrenNumber /
getAllChildrenNumber /nope
config
config -s
sync /
set -v 77 /a x
delete -v 77 /a
delete /a
deleteall /a -b 2
stat /a
create /e/below
ls -s /c
quit
"""


def steady(text):
    text = re.sub(r"(.time = ).*", r"\1…", text)
    text = re.sub(r"Zxid = 0x\w+|zxid: \d+", "zxid …", text)
    skipped = ("Connecting to", "JLine", "Picked up")
    return [line for line in text.splitlines() if not line.startswith(skipped) and "Exiting JVM" not in line]


@pytest.fixture(scope="module", params=["ours", "real"])
def keeper(request, tmp_path_factory):
    server = start_keeper(request.param, tmp_path_factory.mktemp(f"shell-{request.param}"))
    yield f"127.0.0.1:{server.port}"
    server.stop()


def clean(keeper):
    for path in ("/a", "/c", "/t"):
        ottla("zk", "-server", keeper, "deleteall", path, check=False)


def test_a_shell_from_a_pipe(keeper):
    clean(keeper)
    real = java(ZOOKEEPER, "org.apache.zookeeper.ZooKeeperMain", "-server", keeper, input=SCRIPT, check=False, env={"TZ": "UTC"})
    clean(keeper)
    mine = ottla("zk", "-server", keeper, input=SCRIPT, check=False)
    # The real one prints events from a thread of its own: sooner or later.
    for wanted in (str.__contains__, lambda line, word: word not in line):
        lines = [[line for line in steady(done.stdout) if line not in ("", "WATCHER::") and wanted(line, "WatchedEvent")] for done in (mine, real)]
        assert lines[0] == lines[1]
    errors = [line.removeprefix("java.lang.IllegalArgumentException: ") for line in steady(real.stderr)]
    assert steady(mine.stderr) == errors
    assert mine.returncode == real.returncode == 0


def test_exit_codes(keeper):
    zk = lambda *args, **kwargs: ottla("zk", "-server", keeper, *args, check=False, **kwargs)
    assert zk("get", "/none").returncode == 1 and "Node does not exist: /none" in zk("get", "/none").stderr
    assert zk("nonsense").returncode == 127 and zk("ls").returncode == 1 and zk("ls", "-z", "/").returncode == 1
    assert zk("ls", "/").returncode == 0 and zk("version").returncode == 0
    assert zk(input="get /none\nls /\nquit\n").returncode == 0
    assert zk(input="ls /\nget /none\nquit\n").returncode == 1
    assert zk(input="nonsense\n").returncode == 127
    assert zk(input="close\nls /\n").returncode == 1
    assert zk(input=f"close\nconnect {keeper}\nls /\n").stdout.endswith("zookeeper]\n")
    for path in ("a", "/a/"):
        assert "Path must" in zk("get", path).stderr
    assert zk("reconfig", "-add", "server.9=x:1:2;3", "-members", "y").returncode == 1


def test_a_reader_that_goes_away(keeper):
    done = subprocess.run(f"yes 'ls -R /' | head -5000 | {BIN} zk -server {keeper} | head -1", shell=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout == f"Connecting to {keeper}\n"


def test_nobody_is_there(tmp_path):
    nobody = f"127.0.0.1:{free_port()}"
    done = ottla("zk", "-server", nobody, "-timeout", "2000", "-waitforconnection", input="ls /\n", check=False)
    assert done.returncode == 1 and "refused" in done.stderr
    done = ottla("zk", "-server", "host:port", "ls", "/", check=False)
    assert done.returncode == 1 and "host:port" in done.stderr
    (tmp_path / "client.cfg").write_text("zookeeper.client.secure=true\n")
    done = ottla("zk", "-client-configuration", tmp_path / "client.cfg", "ls", "/", check=False)
    assert done.returncode == 1 and "TLS" in done.stderr


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm", **(env or {})})
            os.execvp(str(command[0]), [str(c) for c in command])
        self.output = ""

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            if not data:
                return
            self.output += data.decode(errors="replace")

    def plain(self):
        self.read()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self.output)

    def expect(self, text, seconds=15):
        wait_for(lambda: text in self.plain(), seconds, f"{text!r} in {self.plain()!r}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        def ended():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
            return pid
        wait_for(ended, 15, "the end of the program")
        os.close(self.fd)
        return self.code


def test_a_shell_on_a_terminal(keeper, tmp_path):
    clean(keeper)
    history = tmp_path / "history"
    terminal = Terminal(BIN, "zk", "-server", keeper, env={"OTTLA_ZK_HISTORY": str(history)})
    terminal.expect(f"[zk: {keeper}(CONNECTED) 0] ")
    assert "WatchedEvent state:SyncConnected type:None path:null zxid: -1" in terminal.plain()
    terminal.type("crea\t/a one\r")
    terminal.expect(f"Created /a\n[zk: {keeper}(CONNECTED) 1] ")
    terminal.type("get -w /a\r")
    terminal.expect("\none\n")
    # Typing goes on while an event comes in between.
    terminal.type("ls /zooke")
    terminal.expect("1] get -w /a")
    ottla("zk", "-server", keeper, "set", "/a", "two")
    terminal.expect("WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: ")
    terminal.type("\t\r")
    terminal.expect("\n[config, quota]\n")
    # The line before last, from the history; Ctrl-C throws a line away.
    terminal.type("\x1b[A\x1b[A\r")
    terminal.expect("\ntwo\n")
    terminal.expect("(CONNECTED) 4] ")
    terminal.type("delete /a")
    terminal.expect("4] delete /a")
    terminal.type("\x03")
    time.sleep(0.5)
    terminal.type("addauth digest me:secret\r")
    terminal.expect(f"[zk: {keeper}(CONNECTED) 5] ")
    terminal.type("nonsense\r")
    terminal.expect("Command not found: nonsense")
    terminal.type("\x04")
    assert terminal.end() == 127
    assert "get -w /a" in history.read_text() and "secret" not in history.read_text()
    assert ottla("zk", "-server", keeper, "get", "/a").stdout == "two\n"


def test_a_shell_goes_to_the_next_server(tmp_path):
    """Its server stops; the session goes on with the other one of an ensemble, which the shell tells."""
    ports = [(free_port(), free_port()) for _ in range(3)]
    servers = "".join(f"server.{i}=127.0.0.1:{peer}:{peer + 1}\n" for i, (_, peer) in enumerate(ports, 1))
    members = []
    for i, (port, _) in enumerate(ports, 1):
        home = tmp_path / str(i)
        (home / "data").mkdir(parents=True)
        (home / "data" / "myid").write_text(f"{i}\n")
        (home / "zoo.cfg").write_text(
            f"tickTime=500\ninitLimit=10\nsyncLimit=5\ndataDir={home}/data\nclientPort={port}\n{servers}admin.enableServer=false\n4lw.commands.whitelist=*\n"
        )
        members.append(Server([BIN, "keeper", home / "zoo.cfg"], home / "log", [port]))
    terminal = None
    try:
        for member in members:
            member.start()
        wait_for(lambda: all("Mode:" in four_letters(p, "srvr") for p, _ in ports), 30, "an ensemble")
        # Two followers: the leader is the third, it stays.
        hosts = ",".join(f"127.0.0.1:{port}" for port, _ in ports[:2])
        terminal = Terminal(BIN, "zk", "-server", hosts, env={"OTTLA_ZK_HISTORY": ""})
        terminal.expect(f"[zk: {hosts}(CONNECTED) 0] ")
        terminal.type("create -e /mine x\r")
        terminal.expect("Created /mine")
        at = next(i for i, (port, _) in enumerate(ports) if re.search(r"queued.*sid=", four_letters(port, "cons")))
        members[at].stop()
        terminal.expect("WatchedEvent state:Disconnected type:None path:null zxid: -1")
        wait_for(lambda: terminal.plain().count("state:SyncConnected type:None") == 2, 20, "the other server")
        terminal.type("getEphemerals\r")
        terminal.expect("\n[/mine]\n")
        terminal.type("quit\r")
        assert terminal.end() == 0
    finally:
        for member in members:
            member.stop()
