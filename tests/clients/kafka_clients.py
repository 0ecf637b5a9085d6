"""Puts a running broker through its paces with kafka-python and confluent-kafka.

    python kafka_clients.py HOST:PORT

Needs kafka-python (2.3 or 3.x), confluent-kafka, and for kafka-python's codecs lz4, python-snappy, zstandard.
Exits with an error at the first thing that is not as it should be.
"""

import sys
import time

import kafka
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka import admin as confluent_admin
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewPartitions, NewTopic

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
PATIENCE_S = 60


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


def kafka_python(address):
    topic = f"kafka-python-{kafka.__version__}"
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic(name=topic, num_partitions=2, replication_factor=1)])
    same(topic in admin.list_topics(), True, "the topic is listed")
    admin.create_partitions({topic: NewPartitions(total_count=3)})
    same(len(admin.describe_topics([topic])[0]["partitions"]), 3, "partitions")

    start_ms = 1_770_000_000_000
    for round, codec in enumerate(CODECS):
        producer = KafkaProducer(bootstrap_servers=address, acks="all", compression_type=codec)
        sent = [
            producer.send(
                topic,
                value=b"%d" % number,
                key=b"key",
                headers=[("n", b"%d" % number)],
                partition=0,
                timestamp_ms=start_ms + round * 1000 + number,
            )
            for number in range(1000)
        ]
        producer.flush()
        offsets = [future.get(timeout=PATIENCE_S).offset for future in sent]
        same(offsets, list(range(round * 1000, round * 1000 + 1000)), f"offsets with {codec}")
        producer.close()

    partition = kafka.TopicPartition(topic, 0)
    consumer = KafkaConsumer(
        bootstrap_servers=address,
        group_id=topic,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=PATIENCE_S * 1000,
    )
    consumer.subscribe([topic])
    values = []
    for message in consumer:
        values.append(message.value)
        if len(values) == 1000 * len(CODECS):
            break
    same(values, [b"%d" % number for _ in CODECS for number in range(1000)], "values read in a group")
    consumer.commit()
    same(consumer.committed(partition), 5000, "committed offset")
    same(consumer.beginning_offsets([partition]), {partition: 0}, "first offset")
    same(consumer.end_offsets([partition]), {partition: 5000}, "high watermark")
    found = consumer.offsets_for_times({partition: start_ms + 2345})[partition]
    same(found.offset, 2345, "offset for a time")
    consumer.close()

    reader = KafkaConsumer(bootstrap_servers=address, consumer_timeout_ms=PATIENCE_S * 1000)
    reader.assign([partition])
    reader.seek(partition, 4321)
    same(next(reader).offset, 4321, "offset after seeking")
    reader.close()

    # kafka-python 3 has other names for the same.
    list_groups = getattr(admin, "list_groups", None) or admin.list_consumer_groups
    same(topic in str(list_groups()), True, "the group is listed")
    describe_groups = getattr(admin, "describe_groups", None) or admin.describe_consumer_groups
    same("Empty" in str(describe_groups([topic])), True, "the group has no members")
    admin.delete_topics([topic])
    same(topic in admin.list_topics(), False, "the topic is gone")
    admin.close()


def confluent(address):
    topic = "confluent"
    client = confluent_admin.AdminClient({"bootstrap.servers": address})

    def done(futures):
        return [future.result(timeout=PATIENCE_S) for future in futures.values()]

    new = confluent_admin.NewTopic(topic, 3, 1, config={"retention.ms": "86400000"})
    done(client.create_topics([new]))
    try:
        done(client.create_topics([new]))
        raise AssertionError("a topic was created twice")
    except KafkaException as error:
        same(error.args[0].name(), "TOPIC_ALREADY_EXISTS", "second creation")

    failed = []
    for codec in CODECS:
        producer = Producer(
            {
                "bootstrap.servers": address,
                "enable.idempotence": True,
                "compression.type": codec or "none",
                "linger.ms": 5,
            }
        )
        for number in range(2000):
            producer.produce(
                topic,
                value=f"{codec}/{number}",
                key=str(number),
                on_delivery=lambda error, _: error and failed.append(error),
            )
        same(producer.flush(PATIENCE_S), 0, f"records left with {codec}")
    same(failed, [], "failed deliveries")

    consumer = Consumer({"bootstrap.servers": address, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    values = []
    deadline = time.monotonic() + PATIENCE_S
    while len(values) < 2000 * len(CODECS) and time.monotonic() < deadline:
        values += [message.value().decode() for message in consumer.consume(1000, 1.0)]
    same(sorted(values), sorted(f"{codec}/{number}" for codec in CODECS for number in range(2000)), "values read")
    consumer.commit(asynchronous=False)
    partitions = [TopicPartition(topic, index) for index in range(3)]
    watermarks = [consumer.get_watermark_offsets(partition, timeout=PATIENCE_S) for partition in partitions]
    same(sum(high for _, high in watermarks), len(values), "sum of the high watermarks")
    committed = [partition.offset for partition in consumer.committed(partitions, timeout=PATIENCE_S)]
    same(committed, [high for _, high in watermarks], "committed offsets")

    described = done(client.describe_consumer_groups([topic]))[0]
    same((described.state.name, len(described.members)), ("STABLE", 1), "the group")
    same(len(described.members[0].assignment.topic_partitions), 3, "partitions of the only member")
    listed = client.list_consumer_groups().result(timeout=PATIENCE_S)
    same([group.group_id for group in listed.valid if group.group_id == topic], [topic], "groups listed")
    consumer.close()

    first = TopicPartition(topic, 0)
    specs = {
        "earliest": (confluent_admin.OffsetSpec.earliest(), 0),
        "latest": (confluent_admin.OffsetSpec.latest(), watermarks[0][1]),
    }
    for name, (spec, expected) in specs.items():
        same(done(client.list_offsets({first: spec}))[0].offset, expected, name)
    newest = done(client.list_offsets({first: confluent_admin.OffsetSpec.max_timestamp()}))[0]
    same(0 <= newest.offset < watermarks[0][1], True, "offset of the newest record")

    done(client.create_partitions([confluent_admin.NewPartitions(topic, 5)]))
    resource = confluent_admin.ConfigResource(confluent_admin.ResourceType.TOPIC, topic)
    same(done(client.describe_configs([resource]))[0]["retention.ms"].value, "86400000", "retention.ms")
    entry = confluent_admin.ConfigEntry(
        "retention.bytes", "1000000", incremental_operation=confluent_admin.AlterConfigOpType.SET
    )
    change = confluent_admin.ConfigResource(confluent_admin.ResourceType.TOPIC, topic, incremental_configs=[entry])
    done(client.incremental_alter_configs([change]))
    settings = done(client.describe_configs([resource]))[0]
    same((settings["retention.ms"].value, settings["retention.bytes"].value), ("86400000", "1000000"), "settings")
    deleted = done(client.delete_records([TopicPartition(topic, 0, 100)]))[0]
    same(deleted.low_watermark, 100, "low watermark after deleting records")
    cluster = client.describe_cluster().result(timeout=PATIENCE_S)
    same(len(cluster.nodes), 1, "nodes of the cluster")
    same(len(client.list_topics(timeout=PATIENCE_S).topics[topic].partitions), 5, "partitions")

    moved = [ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0, 150)])]
    done(client.alter_consumer_group_offsets(moved))
    read = done(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(topic)]))[0].topic_partitions
    same([partition.offset for partition in read if partition.partition == 0], [150], "altered offset")
    done(client.delete_consumer_groups([topic]))
    done(client.delete_topics([topic]))

    transactional = Producer({"bootstrap.servers": address, "transactional.id": "t", "log_level": 0})
    try:
        transactional.init_transactions(PATIENCE_S)
        raise AssertionError("a transaction was begun")
    except KafkaException as error:
        same("transactions are not supported" in str(error), True, f"the refusal of a transaction: {error}")


if __name__ == "__main__":
    kafka_python(sys.argv[1])
    confluent(sys.argv[1])
