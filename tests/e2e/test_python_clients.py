"""confluent-kafka (librdkafka), kafka-python and aiokafka."""

import asyncio
import time

import aiokafka
import aiokafka.admin
import confluent_kafka
import confluent_kafka.admin
import kafka
import pytest

COUNT = 300


def values(n=COUNT):
    return [f"value {i}".encode() for i in range(n)]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_confluent(broker, topic, codec):
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    for future in admin.create_topics([confluent_kafka.admin.NewTopic(topic, 3, 1)]).values():
        future.result(20)
    producer = confluent_kafka.Producer({"log_level": 0, "bootstrap.servers": broker.bootstrap, "compression.type": codec, "enable.idempotence": True})
    for i, value in enumerate(values()):
        producer.produce(topic, value, key=str(i), headers={"n": str(i)})
    assert producer.flush(20) == 0
    consumer = confluent_kafka.Consumer({"log_level": 0, "bootstrap.servers": broker.bootstrap, "group.id": f"g-{topic}", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    seen, deadline = [], time.monotonic() + 30
    while len(seen) < COUNT and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            seen.append(message.value())
    assert sorted(seen) == sorted(values())
    consumer.commit(asynchronous=False)
    committed = consumer.committed([confluent_kafka.TopicPartition(topic, p) for p in range(3)], timeout=10)
    assert sum(p.offset for p in committed) == COUNT
    low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, 0), timeout=10)
    assert low == 0 and high > 0
    consumer.close()


def test_confluent_admin(broker, topic):
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([confluent_kafka.admin.NewTopic(topic, 1, 1, config={"retention.ms": "60000"})])[topic].result(20)
    resource = confluent_kafka.admin.ConfigResource(confluent_kafka.admin.ConfigResource.Type.TOPIC, topic)
    assert admin.describe_configs([resource])[resource].result(20)["retention.ms"].value == "60000"
    admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, 3)])[topic].result(20)
    deadline = time.monotonic() + 10
    while len(admin.list_topics(topic, timeout=10).topics[topic].partitions) != 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 3
    admin.delete_topics([topic])[topic].result(20)


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_kafka_python(broker, topic, codec):
    if codec in ("snappy", "lz4", "zstd"):
        pytest.importorskip({"snappy": "snappy", "lz4": "lz4.frame", "zstd": "zstandard"}[codec])
    producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, compression_type=codec, linger_ms=5)
    for value in values():
        producer.send(topic, value=value, key=b"k", headers=[("h", b"1")])
    producer.flush(20)
    producer.close()
    consumer = kafka.KafkaConsumer(topic, bootstrap_servers=broker.bootstrap, group_id=f"g-{topic}", auto_offset_reset="earliest", consumer_timeout_ms=15000)
    seen = []
    for record in consumer:
        seen.append(record.value)
        if len(seen) == COUNT:
            break
    assert seen == values()
    consumer.commit()
    consumer.close()


def test_aiokafka(broker, topic):
    async def session():
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True)
        await producer.start()
        for value in values():
            await producer.send(topic, value)
        await producer.stop()
        consumer = aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap, group_id=f"g-{topic}", auto_offset_reset="earliest")
        await consumer.start()
        seen = [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(COUNT)]
        await consumer.commit()
        await consumer.stop()
        return seen

    assert asyncio.run(session()) == values()
