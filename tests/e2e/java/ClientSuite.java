import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

/** Checks of a broker through the Java clients: `ClientSuite BOOTSTRAP [NAME...]`; prints a line per check, exits 1 on a failure. */
public class ClientSuite {
    static String bootstrap;
    static Admin admin;
    static final String RUN = Long.toString(System.nanoTime(), 36);

    interface Check { void run() throws Exception; }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        Set<String> only = new HashSet<>(Arrays.asList(args).subList(1, args.length));
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("cluster", ClientSuite::cluster);
        checks.put("topics", ClientSuite::topics);
        checks.put("topic-errors", ClientSuite::topicErrors);
        checks.put("partitions", ClientSuite::partitions);
        checks.put("codecs", ClientSuite::codecs);
        checks.put("null-and-headers", ClientSuite::nullAndHeaders);
        checks.put("idempotence", ClientSuite::idempotence);
        checks.put("auto-create", ClientSuite::autoCreate);
        checks.put("too-large", ClientSuite::tooLarge);
        checks.put("offsets-by-time", ClientSuite::offsetsByTime);
        checks.put("delete-records", ClientSuite::deleteRecords);
        checks.put("out-of-range", ClientSuite::outOfRange);
        checks.put("group-shares", ClientSuite::groupShares);
        checks.put("group-resumes", ClientSuite::groupResumes);
        checks.put("group-cooperative", ClientSuite::groupCooperative);
        checks.put("group-static", ClientSuite::groupStatic);
        checks.put("group-admin", ClientSuite::groupAdmin);
        checks.put("configs", ClientSuite::configs);
        checks.put("producers-and-dirs", ClientSuite::producersAndDirs);
        checks.put("log-append-time", ClientSuite::logAppendTime);
        checks.put("many-partitions", ClientSuite::manyPartitions);
        checks.put("consumer-and-read-committed", ClientSuite::readCommitted);
        int failed = 0;
        try (Admin a = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", "20000", "request.timeout.ms", "15000"))) {
            admin = a;
            for (var check : checks.entrySet()) {
                if (!only.isEmpty() && !only.contains(check.getKey())) continue;
                long start = System.nanoTime();
                try {
                    check.getValue().run();
                    System.out.printf("ok %s %d ms%n", check.getKey(), (System.nanoTime() - start) / 1_000_000);
                } catch (Throwable t) {
                    failed++;
                    System.out.printf("FAILED %s: %s%n", check.getKey(), t);
                    t.printStackTrace(System.out);
                }
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }

    static void require(boolean condition, String what) {
        if (!condition) throw new AssertionError(what);
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) throw new AssertionError("expected " + expected + ", got " + actual);
    }

    static String topic(String name) { return name + "-" + RUN; }

    static void create(String name, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(configs))).all().get();
    }

    static <E extends Throwable> E fails(Class<E> type, Check check) throws Exception {
        try {
            check.run();
        } catch (ExecutionException e) {
            if (type.isInstance(e.getCause())) return type.cast(e.getCause());
            throw new AssertionError("expected " + type.getSimpleName() + ", got " + e.getCause());
        } catch (Throwable t) {
            if (type.isInstance(t)) return type.cast(t);
            throw new AssertionError("expected " + type.getSimpleName() + ", got " + t);
        }
        throw new AssertionError("expected " + type.getSimpleName() + ", nothing was thrown");
    }

    static KafkaProducer<byte[], byte[]> producer(String... settings) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "delivery.timeout.ms", 20000, "request.timeout.ms", 10000, "max.block.ms", 20000));
        for (int i = 0; i < settings.length; i += 2) config.put(settings[i], settings[i + 1]);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static KafkaConsumer<byte[], byte[]> consumer(String... settings) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest", "enable.auto.commit", "false"));
        for (int i = 0; i < settings.length; i += 2) config.put(settings[i], settings[i + 1]);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static byte[] bytes(String s) { return s.getBytes(StandardCharsets.UTF_8); }

    static String text(byte[] b) { return b == null ? null : new String(b, StandardCharsets.UTF_8); }

    static List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.currentTimeMillis() + 60000;
        while (records.size() < count && System.currentTimeMillis() < deadline)
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        equal(count, records.size());
        return records;
    }

    static void fill(String topic, int partition, int count) throws Exception {
        try (var p = producer()) {
            for (int i = 0; i < count; i++) p.send(new ProducerRecord<>(topic, partition, bytes("k" + i), bytes("v" + i)));
            p.flush();
        }
    }

    static void cluster() throws Exception {
        var c = admin.describeCluster();
        require(c.clusterId().get() != null && c.clusterId().get().length() == 22, "a cluster id");
        equal(1, c.nodes().get().size());
        equal(c.nodes().get().iterator().next().id(), c.controller().get().id());
    }

    static void topics() throws Exception {
        String t = topic("topics");
        var result = admin.createTopics(List.of(new NewTopic(t, 3, (short) 1).configs(Map.of("retention.ms", "1234567", "cleanup.policy", "compact"))));
        result.all().get();
        equal(3, result.numPartitions(t).get());
        equal("1234567", result.config(t).get().get("retention.ms").value());
        Uuid id = result.topicId(t).get();
        require(!id.equals(Uuid.ZERO_UUID), "a topic id");
        var d = admin.describeTopics(List.of(t)).allTopicNames().get().get(t);
        equal(id, d.topicId());
        equal(3, d.partitions().size());
        for (var p : d.partitions()) { equal(1, p.isr().size()); equal(1, p.replicas().size()); require(p.leader() != null, "a leader"); }
        equal(t, admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id).name());
        require(admin.listTopics().names().get().contains(t), "listed");
        admin.createTopics(List.of(new NewTopic(topic("assigned"), Map.of(0, List.of(d.partitions().get(0).leader().id()))))).all().get();
        admin.createTopics(List.of(new NewTopic(topic("defaults"), Optional.empty(), Optional.empty()))).all().get();
        admin.createTopics(List.of(new NewTopic(topic("dry"), 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
        require(!admin.listTopics().names().get().contains(topic("dry")), "validate only creates nothing");
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        gone(t);
        admin.deleteTopics(List.of(topic("assigned"))).all().get();
        gone(topic("assigned"));
        create(t, 1, Map.of());
        require(!admin.describeTopics(List.of(t)).allTopicNames().get().get(t).topicId().equals(id), "a new id for a new topic");
        fill(t, 0, 3);
    }

    static void gone(String topic) throws Exception {
        for (int i = 0; i < 100 && admin.listTopics().names().get().contains(topic); i++) Thread.sleep(50);
        require(!admin.listTopics().names().get().contains(topic), topic + " is gone");
    }

    static void topicErrors() throws Exception {
        String t = topic("errors");
        create(t, 1, Map.of());
        fails(TopicExistsException.class, () -> create(t, 1, Map.of()));
        fails(InvalidTopicException.class, () -> create("bad name!", 1, Map.of()));
        fails(InvalidPartitionsException.class, () -> create(topic("none"), 0, Map.of()));
        fails(InvalidReplicationFactorException.class, () -> admin.createTopics(List.of(new NewTopic(topic("rf"), 1, (short) 5))).all().get());
        fails(InvalidConfigurationException.class, () -> create(topic("cfg"), 1, Map.of("retention.ms", "soon")));
        fails(InvalidConfigurationException.class, () -> create(topic("cfg"), 1, Map.of("no.such.setting", "1")));
        fails(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(topic("unknown"))).all().get());
        fails(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of(topic("unknown"))).allTopicNames().get());
        fails(UnknownTopicIdException.class, () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).all().get());
    }

    static void partitions() throws Exception {
        String t = topic("grow");
        create(t, 1, Map.of());
        admin.createPartitions(Map.of(t, NewPartitions.increaseTo(4))).all().get();
        for (int i = 0; i < 100 && admin.describeTopics(List.of(t)).allTopicNames().get().get(t).partitions().size() < 4; i++) Thread.sleep(50);
        equal(4, admin.describeTopics(List.of(t)).allTopicNames().get().get(t).partitions().size());
        fails(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of(t, NewPartitions.increaseTo(2))).all().get());
        fill(t, 3, 5);
    }

    static void codecs() throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String t = topic("codec-" + codec);
            create(t, 1, Map.of());
            String padding = "abcdefghij".repeat(20);
            try (var p = producer("compression.type", codec, "linger.ms", "20", "acks", codec.equals("gzip") ? "1" : "all", "enable.idempotence", "false")) {
                for (int i = 0; i < 2000; i++) p.send(new ProducerRecord<>(t, null, bytes("k" + i), bytes(padding + i)));
            }
            try (var c = consumer()) {
                c.assign(List.of(new TopicPartition(t, 0)));
                var records = read(c, 2000);
                for (int i = 0; i < 2000; i++) { equal((long) i, records.get(i).offset()); equal(padding + i, text(records.get(i).value())); }
            }
        }
        for (String codec : List.of("gzip", "uncompressed", "zstd")) {
            String t = topic("topic-codec-" + codec);
            create(t, 1, Map.of("compression.type", codec));
            try (var p = producer("compression.type", "lz4", "linger.ms", "20")) {
                for (int i = 0; i < 500; i++) p.send(new ProducerRecord<>(t, null, null, bytes("value " + i)));
            }
            try (var c = consumer()) {
                c.assign(List.of(new TopicPartition(t, 0)));
                var records = read(c, 500);
                equal("value 499", text(records.get(499).value()));
            }
        }
    }

    static void nullAndHeaders() throws Exception {
        String t = topic("headers");
        create(t, 1, Map.of());
        try (var p = producer("acks", "0", "enable.idempotence", "false")) {
            p.send(new ProducerRecord<>(t, 0, null, null)).get();
        }
        try (var p = producer()) {
            var r = new ProducerRecord<byte[], byte[]>(t, 0, 1234L, bytes("k"), null);
            r.headers().add(new RecordHeader("h", bytes("1"))).add(new RecordHeader("h", null)).add(new RecordHeader("", new byte[0]));
            p.send(r).get();
            equal(2L, p.send(new ProducerRecord<>(t, 0, bytes(""), bytes("ä"))).get().offset());
        }
        try (var c = consumer()) {
            c.assign(List.of(new TopicPartition(t, 0)));
            var records = read(c, 3);
            equal(null, records.get(0).key()); equal(null, records.get(0).value());
            equal(1234L, records.get(1).timestamp()); equal(null, records.get(1).value());
            var h = records.get(1).headers().toArray();
            equal(3, h.length); equal("1", text(h[0].value())); equal(null, h[1].value()); equal("", h[2].key());
            equal("", text(records.get(2).key())); equal("ä", text(records.get(2).value()));
        }
    }

    static void idempotence() throws Exception {
        String t = topic("idempotence");
        create(t, 2, Map.of());
        try (var p = producer("enable.idempotence", "true", "acks", "all", "linger.ms", "1", "batch.size", "200")) {
            List<Future<RecordMetadata>> all = new ArrayList<>();
            for (int i = 0; i < 5000; i++) all.add(p.send(new ProducerRecord<>(t, i % 2, null, bytes("v" + i))));
            for (var f : all) f.get();
        }
        try (var c = consumer()) {
            for (int part = 0; part < 2; part++) {
                c.assign(List.of(new TopicPartition(t, part)));
                var records = read(c, 2500);
                for (int i = 0; i < 2500; i++) equal("v" + (2 * i + part), text(records.get(i).value()));
            }
        }
    }

    static void autoCreate() throws Exception {
        String t = topic("auto");
        try (var p = producer()) { p.send(new ProducerRecord<>(t, null, null, bytes("x"))).get(); }
        require(admin.describeTopics(List.of(t)).allTopicNames().get().get(t).partitions().size() >= 1, "created");
    }

    static void tooLarge() throws Exception {
        String t = topic("large");
        create(t, 1, Map.of("max.message.bytes", "2000"));
        try (var p = producer("max.request.size", "10000000", "batch.size", "1")) {
            fails(RecordTooLargeException.class, () -> p.send(new ProducerRecord<>(t, 0, null, new byte[5000])).get());
            p.send(new ProducerRecord<>(t, 0, null, new byte[500])).get();
        }
        String big = topic("big");
        create(big, 1, Map.of("max.message.bytes", "8000000"));
        try (var p = producer("max.request.size", "8000000", "buffer.memory", "64000000")) {
            byte[] value = new byte[5_000_000];
            new Random(1).nextBytes(value);
            p.send(new ProducerRecord<>(big, 0, null, value)).get();
            p.send(new ProducerRecord<>(big, 0, null, bytes("small"))).get();
            try (var c = consumer("max.partition.fetch.bytes", "1000", "fetch.max.bytes", "1000")) {
                c.assign(List.of(new TopicPartition(big, 0)));
                var records = read(c, 2);
                require(Arrays.equals(value, records.get(0).value()), "the same five million bytes");
            }
        }
    }

    static void offsetsByTime() throws Exception {
        String t = topic("time");
        create(t, 1, Map.of("message.timestamp.type", "CreateTime"));
        try (var p = producer()) {
            for (long ts : new long[] {1000, 3000, 2000, 5000, 4000}) p.send(new ProducerRecord<>(t, 0, ts, null, bytes("" + ts))).get();
        }
        var tp = new TopicPartition(t, 0);
        try (var c = consumer()) {
            equal(1L, c.offsetsForTimes(Map.of(tp, 1500L)).get(tp).offset());
            equal(3L, c.offsetsForTimes(Map.of(tp, 3001L)).get(tp).offset());
            equal(null, c.offsetsForTimes(Map.of(tp, 9000L)).get(tp));
            equal(0L, c.beginningOffsets(List.of(tp)).get(tp));
            equal(5L, c.endOffsets(List.of(tp)).get(tp));
        }
        equal(3L, admin.listOffsets(Map.of(tp, OffsetSpec.maxTimestamp())).partitionResult(tp).get().offset());
        equal(5000L, admin.listOffsets(Map.of(tp, OffsetSpec.maxTimestamp())).partitionResult(tp).get().timestamp());
        equal(5L, admin.listOffsets(Map.of(tp, OffsetSpec.latest())).partitionResult(tp).get().offset());
        equal(0L, admin.listOffsets(Map.of(tp, OffsetSpec.earliest())).partitionResult(tp).get().offset());
        equal(0L, admin.listOffsets(Map.of(tp, OffsetSpec.earliestLocal())).partitionResult(tp).get().offset());
    }

    static void deleteRecords() throws Exception {
        String t = topic("delete");
        create(t, 1, Map.of());
        fill(t, 0, 100);
        var tp = new TopicPartition(t, 0);
        equal(40L, admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(40))).lowWatermarks().get(tp).get().lowWatermark());
        try (var c = consumer()) {
            equal(40L, c.beginningOffsets(List.of(tp)).get(tp));
            c.assign(List.of(tp));
            equal(40L, read(c, 60).get(0).offset());
        }
        fails(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(1000))).all().get());
        equal(100L, admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(-1))).lowWatermarks().get(tp).get().lowWatermark());
    }

    static void outOfRange() throws Exception {
        String t = topic("range");
        create(t, 1, Map.of());
        fill(t, 0, 10);
        var tp = new TopicPartition(t, 0);
        try (var c = consumer()) {
            c.assign(List.of(tp));
            c.seek(tp, 5000);
            equal(0L, read(c, 10).get(0).offset());
        }
        try (var c = consumer("auto.offset.reset", "none")) {
            c.assign(List.of(tp));
            c.seek(tp, 5000);
            fails(org.apache.kafka.clients.consumer.OffsetOutOfRangeException.class, () -> { for (int i = 0; i < 50; i++) c.poll(Duration.ofMillis(100)); });
        }
        try (var c = consumer()) {
            c.assign(List.of(tp));
            c.seek(tp, 7);
            equal(3, read(c, 3).size());
        }
    }

    static void groupShares() throws Exception {
        String t = topic("shared"), g = topic("g-shared");
        create(t, 4, Map.of());
        for (int i = 0; i < 4; i++) fill(t, i, 10);
        try (var a = consumer("group.id", g, "client.id", "a"); var b = consumer("group.id", g, "client.id", "b"); var other = consumer("group.id", g + "-2")) {
            a.subscribe(List.of(t));
            b.subscribe(List.of(t));
            Map<Integer, Integer> seen = new TreeMap<>();
            long deadline = System.currentTimeMillis() + 30000;
            while (System.currentTimeMillis() < deadline && !(a.assignment().size() == 2 && b.assignment().size() == 2)) {
                a.poll(Duration.ofMillis(100));
                b.poll(Duration.ofMillis(100));
            }
            equal(2, a.assignment().size());
            equal(2, b.assignment().size());
            var d = admin.describeConsumerGroups(List.of(g)).all().get().get(g);
            equal(GroupState.STABLE, d.groupState());
            equal(2, d.members().size());
            equal(4, d.members().stream().mapToInt(m -> m.assignment().topicPartitions().size()).sum());
            b.close();
            while (System.currentTimeMillis() < deadline && a.assignment().size() != 4) a.poll(Duration.ofMillis(100));
            equal(4, a.assignment().size());
            other.subscribe(List.of(t));
            read(other, 40);
        }
    }

    static void groupResumes() throws Exception {
        String t = topic("resume"), g = topic("g-resume");
        create(t, 1, Map.of());
        fill(t, 0, 20);
        var tp = new TopicPartition(t, 0);
        try (var c = consumer("group.id", g, "max.poll.records", "5")) {
            c.subscribe(List.of(t));
            read(c, 5);
            c.commitSync(Map.of(tp, new OffsetAndMetadata(5, Optional.of(0), "note")));
            equal("note", c.committed(Set.of(tp)).get(tp).metadata());
            c.commitAsync((o, e) -> { });
        }
        try (var c = consumer("group.id", g)) {
            c.subscribe(List.of(t));
            equal(5L, read(c, 15).get(0).offset());
            c.commitSync();
        }
        equal(20L, admin.listConsumerGroupOffsets(g).partitionsToOffsetAndMetadata().get().get(tp).offset());
        try (var c = consumer("group.id", g + "-assigned")) {
            c.assign(List.of(tp));
            read(c, 20);
            c.commitSync();
            equal(20L, c.committed(Set.of(tp)).get(tp).offset());
        }
    }

    static void groupCooperative() throws Exception {
        String t = topic("coop"), g = topic("g-coop");
        create(t, 6, Map.of());
        String assignor = CooperativeStickyAssignor.class.getName();
        try (var a = consumer("group.id", g, "partition.assignment.strategy", assignor); var b = consumer("group.id", g, "partition.assignment.strategy", assignor)) {
            a.subscribe(List.of(t));
            long deadline = System.currentTimeMillis() + 30000;
            while (System.currentTimeMillis() < deadline && a.assignment().size() != 6) a.poll(Duration.ofMillis(100));
            b.subscribe(List.of(t));
            while (System.currentTimeMillis() < deadline && !(a.assignment().size() == 3 && b.assignment().size() == 3)) {
                a.poll(Duration.ofMillis(100));
                b.poll(Duration.ofMillis(100));
            }
            equal(3, a.assignment().size());
            equal(3, b.assignment().size());
        }
    }

    static void groupStatic() throws Exception {
        String t = topic("static"), g = topic("g-static");
        create(t, 2, Map.of());
        try (var a = consumer("group.id", g, "group.instance.id", "one")) {
            a.subscribe(List.of(t));
            long deadline = System.currentTimeMillis() + 30000;
            while (System.currentTimeMillis() < deadline && a.assignment().size() != 2) a.poll(Duration.ofMillis(100));
            equal(2, a.assignment().size());
        }
        var before = admin.describeConsumerGroups(List.of(g)).all().get().get(g);
        equal(1, before.members().size());
        equal("one", before.members().iterator().next().groupInstanceId().get());
        try (var a = consumer("group.id", g, "group.instance.id", "one")) {
            a.subscribe(List.of(t));
            long deadline = System.currentTimeMillis() + 30000;
            while (System.currentTimeMillis() < deadline && a.assignment().size() != 2) a.poll(Duration.ofMillis(100));
            equal(2, a.assignment().size());
        }
        admin.removeMembersFromConsumerGroup(g, new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")))).all().get();
        equal(0, admin.describeConsumerGroups(List.of(g)).all().get().get(g).members().size());
    }

    static void groupAdmin() throws Exception {
        String t = topic("ga"), g = topic("g-admin");
        create(t, 2, Map.of());
        var tp = new TopicPartition(t, 0);
        var tp1 = new TopicPartition(t, 1);
        admin.alterConsumerGroupOffsets(g, Map.of(tp, new OffsetAndMetadata(7), tp1, new OffsetAndMetadata(8))).all().get();
        equal(7L, admin.listConsumerGroupOffsets(g).partitionsToOffsetAndMetadata().get().get(tp).offset());
        require(admin.listGroups().all().get().stream().anyMatch(x -> x.groupId().equals(g)), "listed");
        require(admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).all().get().stream().anyMatch(x -> x.groupId().equals(g)), "listed as empty");
        admin.deleteConsumerGroupOffsets(g, Set.of(tp1)).all().get();
        require(!admin.listConsumerGroupOffsets(g).partitionsToOffsetAndMetadata().get().containsKey(tp1), "offset deleted");
        admin.deleteConsumerGroups(List.of(g)).all().get();
        require(admin.listGroups().all().get().stream().noneMatch(x -> x.groupId().equals(g)), "deleted");
        fails(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(topic("nobody"))).all().get());
        fails(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of(topic("nobody"))).all().get());
        try (var c = consumer("group.id", topic("g-live"))) {
            c.subscribe(List.of(t));
            for (int i = 0; i < 100 && c.assignment().isEmpty(); i++) c.poll(Duration.ofMillis(100));
            fails(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of(topic("g-live"))).all().get());
            admin.listConsumerGroupOffsets(Map.of(topic("g-live"), new ListConsumerGroupOffsetsSpec(), g, new ListConsumerGroupOffsetsSpec())).all().get();
        }
    }

    static void configs() throws Exception {
        String t = topic("configs");
        create(t, 1, Map.of("retention.ms", "100000"));
        var r = new ConfigResource(ConfigResource.Type.TOPIC, t);
        equal("100000", admin.describeConfigs(List.of(r)).all().get().get(r).get("retention.ms").value());
        equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, admin.describeConfigs(List.of(r)).all().get().get(r).get("retention.ms").source());
        equal("delete", admin.describeConfigs(List.of(r)).all().get().get(r).get("cleanup.policy").value());
        admin.incrementalAlterConfigs(Map.of(r, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "200000"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND)))).all().get();
        until(() -> "200000".equals(admin.describeConfigs(List.of(r)).all().get().get(r).get("retention.ms").value()));
        equal("delete,compact", admin.describeConfigs(List.of(r)).all().get().get(r).get("cleanup.policy").value());
        admin.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        until(() -> "604800000".equals(admin.describeConfigs(List.of(r)).all().get().get(r).get("retention.ms").value()));
        fails(InvalidConfigurationException.class, () -> admin.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "x"), AlterConfigOp.OpType.SET)))).all().get());
        String id = admin.describeCluster().controller().get().idString();
        var b = new ConfigResource(ConfigResource.Type.BROKER, id);
        var config = admin.describeConfigs(List.of(b), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all().get().get(b);
        require(config.entries().size() > 150, "the broker's settings: " + config.entries().size());
        require(config.get("log.retention.hours") != null, "log.retention.hours");
        var all = new ConfigResource(ConfigResource.Type.BROKER, "");
        admin.incrementalAlterConfigs(Map.of(all, List.of(new AlterConfigOp(new ConfigEntry("log.retention.ms", "5000000"), AlterConfigOp.OpType.SET)))).all().get();
        until(() -> "5000000".equals(admin.describeConfigs(List.of(r)).all().get().get(r).get("retention.ms").value()));
        admin.incrementalAlterConfigs(Map.of(all, List.of(new AlterConfigOp(new ConfigEntry("log.retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        until(() -> "604800000".equals(admin.describeConfigs(List.of(r)).all().get().get(r).get("retention.ms").value()));
    }

    interface Condition { boolean holds() throws Exception; }

    static void until(Condition condition) throws Exception {
        for (int i = 0; i < 100 && !condition.holds(); i++) Thread.sleep(50);
        require(condition.holds(), "did not come true in 5 s");
    }

    static void producersAndDirs() throws Exception {
        String t = topic("dirs");
        create(t, 1, Map.of());
        var tp = new TopicPartition(t, 0);
        try (var p = producer()) {
            p.send(new ProducerRecord<>(t, 0, null, new byte[1000])).get();
            var active = admin.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers();
            equal(1, active.size());
            equal(0, active.get(0).lastSequence());
        }
        int id = admin.describeCluster().controller().get().id();
        var dirs = admin.describeLogDirs(List.of(id)).allDescriptions().get().get(id);
        require(dirs.values().stream().anyMatch(d -> d.replicaInfos().containsKey(tp) && d.replicaInfos().get(tp).size() > 1000), "the log's size");
        require(dirs.values().stream().allMatch(d -> d.totalBytes().isPresent() && d.totalBytes().getAsLong() > 0), "the volume's size");
    }

    static void logAppendTime() throws Exception {
        String t = topic("lat");
        create(t, 1, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        for (String codec : List.of("none", "lz4")) try (var p = producer("compression.type", codec)) {
            require(p.send(new ProducerRecord<>(t, 0, 5L, null, bytes("x"))).get().timestamp() >= before, "the broker's time");
        }
        try (var c = consumer()) {
            c.assign(List.of(new TopicPartition(t, 0)));
            for (var r : read(c, 2)) { require(r.timestamp() >= before, "append time"); equal("LogAppendTime", r.timestampType().toString()); }
        }
    }

    static void manyPartitions() throws Exception {
        String t = topic("many");
        create(t, 100, Map.of());
        try (var p = producer("linger.ms", "5")) {
            for (int i = 0; i < 10000; i++) p.send(new ProducerRecord<>(t, bytes("key" + i), bytes("v" + i)));
        }
        try (var c = consumer()) {
            c.assign(IntStream.range(0, 100).mapToObj(i -> new TopicPartition(t, i)).collect(Collectors.toList()));
            equal(10000, read(c, 10000).stream().map(r -> text(r.key())).collect(Collectors.toSet()).size());
        }
        admin.deleteTopics(List.of(t)).all().get();
    }

    static void readCommitted() throws Exception {
        String t = topic("committed");
        create(t, 1, Map.of());
        fill(t, 0, 10);
        try (var c = consumer("isolation.level", "read_committed")) {
            c.assign(List.of(new TopicPartition(t, 0)));
            read(c, 10);
            equal(10L, c.endOffsets(List.of(new TopicPartition(t, 0))).values().iterator().next());
        }
    }
}
