package main

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
)

func kafkaGo(address, topic string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := &kafka.Client{Addr: kafka.TCP(address), Timeout: 10 * time.Second}
	created := value(client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 3, ReplicationFactor: 1}},
	}))
	must(created.Errors[topic], "CreateTopics")
	sent := lines(500)
	for i, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		writer := &kafka.Writer{Addr: kafka.TCP(address), Topic: topic, Compression: codec, RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond}
		var messages []kafka.Message
		for _, line := range sent[i*100 : (i+1)*100] {
			messages = append(messages, kafka.Message{Key: []byte(line), Value: []byte(line)})
		}
		must(writer.WriteMessages(ctx, messages...), "WriteMessages")
		must(writer.Close(), "close the writer")
	}
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{address}, GroupID: topic, Topic: topic, MaxWait: 100 * time.Millisecond})
	var got []string
	for len(got) < len(sent) {
		message := value(reader.FetchMessage(ctx))
		must(reader.CommitMessages(ctx, message), "CommitMessages")
		got = append(got, string(message.Value))
	}
	wantAll(got, sent, "records with kafka-go")
	must(reader.Close(), "close the reader")
	offsets := value(client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: topic, Topics: map[string][]int{topic: {0, 1, 2}}}))
	total := int64(0)
	for _, partition := range offsets.Topics[topic] {
		total += partition.CommittedOffset
	}
	want(total, int64(len(sent)), "committed offsets")
	deleted := value(client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}}))
	must(deleted.Errors[topic], "DeleteTopics")
}
