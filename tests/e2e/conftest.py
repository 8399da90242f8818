"""Starts what the end-to-end tests need: Ottla from its release binary, and the real Kafka and ZooKeeper beside it."""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE.parent / "peers" / "peers"
PEERS_CACHE = pathlib.Path(os.environ.get("PEERS_CACHE", pathlib.Path.home() / ".cache" / "peers"))
BIN = os.environ.get("OTTLA_BIN", "ottla")
# The same client tests against the real broker, to judge the tests themselves: E2E_AGAINST=kafka
AGAINST = os.environ.get("E2E_AGAINST", "ottla")

only_ottla = pytest.mark.skipif(AGAINST != "ottla", reason="a test of Ottla itself")


def free_port():
    """A port that is free and whose successor is too, below those that the kernel gives to clients."""
    for _ in range(1000):
        port = 2 * random.randrange(10_000, 16_000)
        with contextlib.suppress(OSError), socket.socket() as a, socket.socket() as b:
            a.bind(("127.0.0.1", port))
            b.bind(("127.0.0.1", port + 1))
            return port
    raise AssertionError("no free port")


def wait_for(condition, seconds=20.0, what="the condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true in {seconds} s")


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def four_letters(port, word):
    """A keeper's answer to one of its four-letter words; empty while it has none."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(word.encode())
        out = b""
        while chunk := s.recv(65536):
            out += chunk
        return out.decode()
    return ""


def run(*command, input=None, timeout=60, check=True, env=None):
    """Runs a command and gives what it did; its output is in the failure's text."""
    done = subprocess.run(
        [str(c) for c in command], input=input, capture_output=True, text=True, timeout=timeout,
        env={**os.environ, **(env or {})},
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def java(peer, main, *args, **kwargs):
    """Runs a main class (or a single source file) with a peer's jars."""
    path = f"{PEERS_CACHE}/conf:{PEERS_CACHE}/{peer}/*"
    return run("java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", path, main, *args, **{"timeout": 180, **kwargs})


def ottla(*args, **kwargs):
    return run(BIN, *args, **kwargs)


class Server:
    """A process that is started, killed, started again and stopped at the end."""

    def __init__(self, command, log, ports):
        self.command, self.log, self.ports = [str(c) for c in command], pathlib.Path(log), ports
        self.process = None

    def start(self, seconds=20):
        out = self.log.open("ab")
        self.process = subprocess.Popen(self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.command} ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
            return all(listens(p) for p in self.ports)

        wait_for(ready, seconds, f"{self.command[0]} listening on {self.ports}")
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def stop(self, seconds=30):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
                raise AssertionError(f"{self.command[0]} did not stop in {seconds} s:\n{self.log.read_text()[-3000:]}") from None
        return self.process.returncode if self.process else None


class Ottla(Server):
    def __init__(self, directory, zookeeper=None, **overrides):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.keeper_port = free_port() if zookeeper is None else None
        settings = {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": self.directory / "data",
            "group.initial.rebalance.delay.ms": 0,
            "num.partitions": 1,
            "ottla.metrics.listener": "",
        }
        if zookeeper is None:
            settings["keeper.clientPort"] = self.keeper_port
            settings["keeper.clientPortAddress"] = "127.0.0.1"
            settings["keeper.dataDir"] = self.directory / "keeper"
            settings["keeper.4lw.commands.whitelist"] = "*"
        else:
            settings["zookeeper.connect"] = zookeeper
        settings |= {key.replace("_", "."): value for key, value in overrides.items()}
        properties = self.directory / "server.properties"
        properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        ports = [self.port] + ([self.keeper_port] if self.keeper_port else [])
        super().__init__([BIN, "start", properties], self.directory / "server.log", ports)

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    @property
    def keeper(self):
        return f"127.0.0.1:{self.keeper_port}"


class Peer(Server):
    """A real Kafka or ZooKeeper, started by the peers script; that script's child is the server."""

    def __init__(self, directory, verb, *args, port):
        self.directory, self.port = pathlib.Path(directory), port
        super().__init__([PEERS, verb, directory, port, *args], pathlib.Path(f"{directory}.out"), [port])
        self.pid = None

    def start(self, seconds=90):
        self.directory.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(self.command, stdout=subprocess.PIPE, stderr=self.log.open("ab"), text=True, timeout=seconds, check=True)
        self.pid = int(done.stdout.split()[-1])
        if self.command[1] == "zk-start":
            # Its port is open before it serves.
            wait_for(lambda: "Mode:" in four_letters(self.port, "srvr"), 30, "an answer of ZooKeeper")
        return self

    def _signal(self, number, seconds=60):
        os.kill(self.pid, number)
        wait_for(self._is_over, seconds, f"the end of {self.pid}")
        self.pid = None

    def _is_over(self):
        """Gone, or a zombie whose last other thread is gone: until then its files are open and locked."""
        proc = pathlib.Path(f"/proc/{self.pid}")
        try:
            return proc.joinpath("stat").read_text().split(") ")[1][0] == "Z" and len(list(proc.joinpath("task").iterdir())) <= 1
        except OSError:
            return True

    def kill(self):
        self._signal(signal.SIGKILL)

    def stop(self, seconds=60):
        if self.pid:
            self._signal(signal.SIGTERM, seconds)

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def starting():
    """A function that starts a server and stops it when the test ends."""
    with contextlib.ExitStack() as stack:
        def start(server, **kwargs):
            stack.callback(lambda: server.stop() if (server.process or getattr(server, "pid", None)) else None)
            return server.start(**kwargs)
        yield start


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One server for all tests that only talk to it as clients."""
    directory = tmp_path_factory.mktemp("broker")
    if AGAINST == "kafka":
        server = Peer(directory / "kafka", "kafka-start", "num.partitions=1", port=free_port())
    else:
        server = Ottla(directory)
    yield server.start()
    server.stop()
    if AGAINST == "ottla":
        log = server.log.read_text()
        assert "panicked" not in log, log[-3000:]
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def topic(request):
    """A topic name that no other test uses."""
    return f"{request.node.name.replace('[', '-').replace(']', '')}-{time.monotonic_ns() % 10**9}"
