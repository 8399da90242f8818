"""What Prometheus and an operator see."""

import re
import urllib.request

from conftest import Ottla, free_port, only_ottla, ottla

pytestmark = only_ottla


def test_prometheus(tmp_path, starting):
    metrics = free_port()
    server = starting(Ottla(tmp_path / "node", **{"ottla.metrics.listener": f"127.0.0.1:{metrics}"}))
    boot = ("--bootstrap-server", server.bootstrap)
    ottla("console-producer", *boot, "--topic", "seen", input="one\ntwo\n")
    ottla("console-consumer", *boot, "--topic", "seen", "--from-beginning", "--max-messages", 2, "--group", "watchers")
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        text = answer.read().decode()
    for line in text.splitlines():
        assert re.match(r"^(# (HELP|TYPE) .+|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? \S+)$", line), line
    for pattern in (
        r'request="Produce".*\} [1-9]',
        r'_bucket\{.*request="Fetch".*le="',
        r'logendoffset\{.*topic="seen".*\} 2',
        r'\{.*group="watchers".*\} 0',
        r"^zookeeper_znode_count|^znode_count|zk_znode_count",
        r"process_resident_memory_bytes [1-9]",
    ):
        assert re.search(pattern, text, re.MULTILINE | re.IGNORECASE), (pattern, text[:3000])
    log = server.log.read_text()
    assert re.search(r"started in \d+ ms", log) and "controller" in log
