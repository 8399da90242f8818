"""Kafka's own command-line tools of 4.3.1 against the broker."""

import pytest

from conftest import java, wait_for


def tool(name, *args, **kwargs):
    mains = {
        "topics": "org.apache.kafka.tools.TopicCommand",
        "console-producer": "org.apache.kafka.tools.ConsoleProducer",
        "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "configs": "kafka.admin.ConfigCommand",
        "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
        "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
        "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
        "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
        "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
        "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    }
    return java("kafka-4.3.1", mains[name], *args, **kwargs)


@pytest.fixture
def server(broker):
    return "--bootstrap-server", broker.bootstrap


def test_topics(server, topic):
    assert f"Created topic {topic}." in tool("topics", *server, "--create", "--topic", topic, "--partitions", 3, "--replication-factor", 1, "--config", "retention.ms=70000").stdout
    assert topic in tool("topics", *server, "--list").stdout.split()
    described = tool("topics", *server, "--describe", "--topic", topic).stdout
    assert "PartitionCount: 3" in described and "retention.ms=70000" in described and described.count("Leader:") == 3
    tool("topics", *server, "--alter", "--topic", topic, "--partitions", 5)
    wait_for(lambda: "PartitionCount: 5" in tool("topics", *server, "--describe", "--topic", topic).stdout, 15)
    tool("topics", *server, "--delete", "--topic", topic)
    wait_for(lambda: topic not in tool("topics", *server, "--list").stdout.split(), 15)


def test_console_and_groups(server, topic):
    tool("console-producer", *server, "--topic", topic, "--property", "parse.key=true", "--property", "key.separator=:", input="a:1\nb:2\nc:3\n")
    out = tool("console-consumer", *server, "--topic", topic, "--from-beginning", "--max-messages", 3, "--group", f"g-{topic}", "--property", "print.key=true").stdout
    # The tool prints a line about its own deprecated flag before them.
    assert out.splitlines()[-3:] == ["a\t1", "b\t2", "c\t3"]
    described = tool("consumer-groups", *server, "--describe", "--group", f"g-{topic}").stdout
    row = next(line.split() for line in described.splitlines() if topic in line.split())
    assert row[3:6] == ["3", "3", "0"]
    tool("consumer-groups", *server, "--group", f"g-{topic}", "--topic", topic, "--reset-offsets", "--to-offset", 1, "--execute")
    described = tool("consumer-groups", *server, "--describe", "--group", f"g-{topic}", "--offsets").stdout
    assert next(line.split() for line in described.splitlines() if topic in line.split())[3:6] == ["1", "3", "2"]
    assert f"g-{topic}" in tool("consumer-groups", *server, "--list").stdout
    assert "Empty" in tool("consumer-groups", *server, "--describe", "--group", f"g-{topic}", "--state").stdout
    tool("consumer-groups", *server, "--delete", "--group", f"g-{topic}")


def test_offsets_records_and_dirs(server, broker, topic, tmp_path):
    tool("console-producer", *server, "--topic", topic, input="1\n2\n3\n4\n")
    assert f"{topic}:0:4" in tool("get-offsets", *server, "--topic", topic).stdout
    plan = tmp_path / "plan.json"
    plan.write_text('{"version":1,"partitions":[{"topic":"%s","partition":0,"offset":2}]}' % topic)
    tool("delete-records", *server, "--offset-json-file", plan)
    assert f"{topic}:0:2" in tool("get-offsets", *server, "--topic", topic, "--time", "-2").stdout
    assert f'"partition":"{topic}-0"' in tool("log-dirs", *server, "--describe", "--topic-list", topic).stdout
    assert "Produce(0): 0 to 13" in tool("broker-api-versions", *server).stdout


def test_configs(server, topic):
    tool("topics", *server, "--create", "--topic", topic)
    tool("configs", *server, "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "retention.ms=80000,cleanup.policy=[compact,delete]")
    described = tool("configs", *server, "--describe", "--entity-type", "topics", "--entity-name", topic).stdout
    assert "retention.ms=80000" in described and "cleanup.policy=compact,delete" in described
    tool("configs", *server, "--alter", "--entity-type", "topics", "--entity-name", topic, "--delete-config", "retention.ms")
    assert "retention.ms" not in tool("configs", *server, "--describe", "--entity-type", "topics", "--entity-name", topic).stdout
    tool("configs", *server, "--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "log.retention.ms=90000000")
    assert "log.retention.ms=90000000" in tool("configs", *server, "--describe", "--entity-type", "brokers", "--entity-default").stdout
    tool("configs", *server, "--alter", "--entity-type", "brokers", "--entity-default", "--delete-config", "log.retention.ms")


def test_perf_tools(server, broker, topic):
    tool("topics", *server, "--create", "--topic", topic, "--partitions", 3)
    out = tool("producer-perf-test", "--topic", topic, "--num-records", 50000, "--record-size", 100, "--throughput", -1,
               "--producer-props", f"bootstrap.servers={broker.bootstrap}", "acks=all").stdout
    assert "50000 records sent" in out
    out = tool("consumer-perf-test", *server, "--topic", topic, "--messages", 50000, "--timeout", 30000).stdout
    assert ", 50000," in out.replace("50000.0", "50000")
