"""kcat, that is librdkafka of Debian's age."""

import json

import pytest

from conftest import run


def kcat(broker, *args, **kwargs):
    return run("kcat", "-b", broker.bootstrap, "-X", "socket.timeout.ms=10000", *args, **kwargs)


def test_lists_the_cluster(broker):
    listing = json.loads(kcat(broker, "-L", "-J").stdout)
    assert len(listing["brokers"]) == 1
    assert listing["controllerid"] == listing["brokers"][0]["id"]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_produces_and_consumes(broker, topic, codec):
    lines = [f"{codec} line {i} " + "x" * 50 for i in range(500)]
    kcat(broker, "-P", "-t", topic, "-z", codec, input="\n".join(lines) + "\n")
    out = kcat(broker, "-C", "-t", topic, "-e", "-q", "-o", "beginning").stdout
    assert out.splitlines() == lines


def test_keys_headers_and_offsets(broker, topic):
    kcat(broker, "-P", "-t", topic, "-K", ":", "-H", "a=1", "-H", "b=2", input="k1:v1\nk2:v2\nk3:v3\n")
    out = kcat(broker, "-C", "-t", topic, "-e", "-q", "-o", "1", "-f", "%o %k %s %h\\n").stdout
    assert out.splitlines() == ["1 k2 v2 a=1,b=2", "2 k3 v3 a=1,b=2"]
    out = kcat(broker, "-C", "-t", topic, "-e", "-q", "-o", "-1", "-f", "%o\\n").stdout
    assert out.splitlines() == ["2"]
    assert f"{topic} [0] offset 3" in kcat(broker, "-Q", "-t", f"{topic}:0:-1").stdout


def test_consumer_group_remembers(broker, topic):
    kcat(broker, "-P", "-t", topic, input="1\n2\n3\n")
    group = ("-G", f"group-{topic}", "-e", "-q", "-X", "auto.offset.reset=earliest", topic)
    assert kcat(broker, *group).stdout.split() == ["1", "2", "3"]
    kcat(broker, "-P", "-t", topic, input="4\n")
    assert kcat(broker, *group).stdout.split() == ["4"]


def test_idempotent_and_acks(broker, topic):
    for settings in (["-X", "enable.idempotence=true"], ["-X", "acks=0"], ["-X", "acks=1"], ["-X", "acks=all"]):
        kcat(broker, "-P", "-t", topic, *settings, input="a\nb\n")
    out = kcat(broker, "-C", "-t", topic, "-e", "-q", "-o", "beginning").stdout
    assert sorted(out.split()) == ["a"] * 4 + ["b"] * 4
