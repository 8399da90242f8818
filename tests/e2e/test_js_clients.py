"""The clients of JavaScript: kafkajs, @platformatic/kafka and node-zookeeper-client, by one program with a named check per capability."""

import os
import pathlib
import shutil

import pytest

from conftest import HERE, Ottla, run

pytestmark = pytest.mark.skipif(not shutil.which("npm") or not shutil.which("node"), reason="needs node and npm")

CHECKS = """kafkajs-topics kafkajs-none kafkajs-gzip kafkajs-snappy kafkajs-group kafkajs-offsets platformatic
node-zookeeper-client""".split()


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    cache = pathlib.Path(os.environ.get("OTTLA_CACHE", pathlib.Path.home() / ".cache" / "ottla")) / "e2e-js"
    lock = (HERE / "js" / "package-lock.json").read_text()
    stamp = cache / "installed"
    if not stamp.exists() or stamp.read_text() != lock:
        cache.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "js" / name, cache)
        run("npm", "--prefix", cache, "ci", "--no-audit", "--no-fund", "--ignore-scripts", timeout=300)
        stamp.write_text(lock)
    shutil.copy(HERE / "js" / "clients.mjs", cache)
    server = Ottla(tmp_path_factory.mktemp("js") / "node").start()
    done = run("node", cache / "clients.mjs", server.bootstrap, server.keeper, check=False, timeout=400)
    server.stop()
    return done.stdout + done.stderr


@pytest.mark.parametrize("check", CHECKS)
def test_js(suite, check):
    assert f"\nok {check} " in "\n" + suite, suite[-6000:]
