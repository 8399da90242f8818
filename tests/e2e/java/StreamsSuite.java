import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.*;

/** Kafka Streams, at least once, against a broker: `StreamsSuite HOST:PORT FOLDER`; a line per check, exits 1 on a failure. */
public class StreamsSuite {
    interface Check { void run() throws Exception; }

    static String bootstrap;
    static Path folder;
    static final String id = "streams-" + System.nanoTime();
    static int failed = 0;

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name + " ");
        } catch (Throwable t) {
            failed++;
            System.out.println("FAILED " + name + ": " + t);
            t.printStackTrace(System.out);
        }
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) throw new AssertionError("expected " + expected + ", got " + actual);
    }

    /** Words of "lines" counted, and joined with the translations in the table "words"; both changelogs and a repartition topic come into being. */
    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        KTable<String, String> words = builder.table("words-" + id, Consumed.with(Serdes.String(), Serdes.String()));
        KTable<String, Long> counts = builder.stream("lines-" + id, Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.as("counts"));
        counts.toStream().leftJoin(words, (n, word) -> (word == null ? "?" : word) + " " + n, Joined.with(Serdes.String(), Serdes.Long(), Serdes.String()))
            .to("out-" + id, Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    static KafkaStreams start(String instance) throws Exception {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, id);
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        p.put(StreamsConfig.STATE_DIR_CONFIG, folder.resolve(instance).toString());
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        p.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, 1);
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        p.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 6000);
        KafkaStreams streams = new KafkaStreams(topology(), p);
        CountDownLatch running = new CountDownLatch(1);
        streams.setStateListener((now, before) -> { if (now == KafkaStreams.State.RUNNING) running.countDown(); });
        streams.start();
        if (!running.await(60, TimeUnit.SECONDS)) throw new AssertionError("not running in 60 s: " + streams.state());
        return streams;
    }

    static void send(String topic, String... keysAndValues) throws Exception {
        try (var producer = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < keysAndValues.length; i += 2) producer.send(new ProducerRecord<>(topic + "-" + id, keysAndValues[i], keysAndValues[i + 1])).get();
        }
    }

    static KafkaConsumer<String, String> out;
    static final Map<String, String> last = new TreeMap<>();

    /** Reads the output until its last value of each key is as expected. */
    static void expect(Map<String, String> expected) {
        long end = System.nanoTime() + 30_000_000_000L;
        while (!last.equals(expected) && System.nanoTime() < end) for (var r : out.poll(Duration.ofMillis(200))) last.put(r.key(), r.value());
        equal(expected, last);
    }

    static String count(KafkaStreams streams, String word) {
        ReadOnlyKeyValueStore<String, Long> store = streams.store(StoreQueryParameters.fromNameAndType("counts", QueryableStoreTypes.keyValueStore()));
        return String.valueOf(store.get(word));
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        folder = Path.of(args[1]);
        KafkaStreams[] streams = new KafkaStreams[2];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic("lines-" + id, 2, (short) 1), new NewTopic("words-" + id, 3, (short) 1), new NewTopic("out-" + id, 1, (short) 1))).all().get();
            out = new KafkaConsumer<>(Map.of("bootstrap.servers", bootstrap), new StringDeserializer(), new StringDeserializer());
            out.assign(List.of(new TopicPartition("out-" + id, 0)));
            out.seekToBeginning(out.assignment());
            check("word-count", () -> {
                send("words", "a", "ein", "b", "zwei");
                streams[0] = start("one");
                send("lines", "1", "a b a", "2", "c a");
                expect(Map.of("a", "ein 3", "b", "zwei 1", "c", "? 1"));
                equal("3", count(streams[0], "a"));
            });
            check("internal-topics", () -> {
                var names = admin.listTopics().names().get();
                for (String topic : List.of("counts-changelog", "counts-repartition")) if (!names.contains(id + "-" + topic)) throw new AssertionError(topic + " is not among " + names);
                var changelog = new org.apache.kafka.common.config.ConfigResource(org.apache.kafka.common.config.ConfigResource.Type.TOPIC, id + "-counts-changelog");
                equal("compact", admin.describeConfigs(List.of(changelog)).all().get().get(changelog).get("cleanup.policy").value());
                equal(3, admin.describeTopics(List.of(id + "-counts-changelog")).allTopicNames().get().values().iterator().next().partitions().size());
            });
            check("second-instance-shares", () -> {
                streams[1] = start("two");
                send("lines", "1", "b c");
                expect(Map.of("a", "ein 3", "b", "zwei 2", "c", "? 2"));
                var members = admin.describeConsumerGroups(List.of(id)).all().get().get(id).members();
                equal(4, members.size());
            });
            check("fail-over", () -> {
                equal(true, streams[0].close(Duration.ofSeconds(20)));
                send("lines", "1", "c", "2", "a");
                expect(Map.of("a", "ein 4", "b", "zwei 2", "c", "? 3"));
            });
            check("state-is-restored", () -> {
                equal(true, streams[1].close(Duration.ofSeconds(20)));
                streams[0] = start("three");
                send("lines", "1", "b");
                expect(Map.of("a", "ein 4", "b", "zwei 3", "c", "? 3"));
                equal("4", count(streams[0], "a"));
            });
            check("repartition-is-deleted", () -> {
                // What is committed of the repartition topic is deleted with DeleteRecords.
                var partitions = new HashMap<TopicPartition, OffsetSpec>();
                for (int i = 0; i < 3; i++) partitions.put(new TopicPartition(id + "-counts-repartition", i), OffsetSpec.earliest());
                long deleted = 0;
                for (int i = 0; i < 150 && deleted == 0; i++) {
                    deleted = admin.listOffsets(partitions).all().get().values().stream().mapToLong(o -> o.offset()).sum();
                    Thread.sleep(200);
                }
                if (deleted == 0) throw new AssertionError("nothing was deleted in 30 s");
            });
            for (KafkaStreams s : streams) if (s != null) s.close(Duration.ofSeconds(20));
            check("application-reset", () -> {
                var offsets = admin.listConsumerGroupOffsets(id).partitionsToOffsetAndMetadata().get();
                if (offsets.size() < 5) throw new AssertionError("too few are committed: " + offsets);
                for (int i = 0; i < 100 && !admin.describeConsumerGroups(List.of(id)).all().get().get(id).members().isEmpty(); i++) Thread.sleep(100);
                admin.deleteConsumerGroups(List.of(id)).all().get();
            });
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
