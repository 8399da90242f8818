package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

type handler struct {
	messages chan string
	enough   func()
	n        int
}

func (h *handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (h *handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h *handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "")
		h.messages <- string(message.Value)
		if len(h.messages) == h.n {
			h.enough()
		}
	}
	return nil
}

// Sarama as it speaks to brokers of several ages: it chooses the versions of its requests by that.
func saramas(address, topic string) {
	for _, version := range []sarama.KafkaVersion{sarama.V2_1_0_0, sarama.V2_8_0_0, sarama.V3_6_0_0, sarama.MaxVersion} {
		saramaOf(version, address, topic+strings.ReplaceAll(version.String(), ".", "-"))
	}
}

func saramaOf(version sarama.KafkaVersion, address, topic string) {
	config := sarama.NewConfig()
	config.Version = version
	config.Producer.Return.Successes = true
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Compression = sarama.CompressionZSTD
	config.Net.MaxOpenRequests = 1
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	admin := value(sarama.NewClusterAdmin([]string{address}, config))
	defer admin.Close()
	must(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false), "CreateTopic")
	must(admin.CreatePartitions(topic, 3, nil, false), "CreatePartitions")

	sent := lines(300)
	var messages []*sarama.ProducerMessage
	for i, line := range sent {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(fmt.Sprint(i)), Value: sarama.StringEncoder(line)})
	}
	producer := value(sarama.NewSyncProducer([]string{address}, config))
	must(producer.SendMessages(messages), "SendMessages")
	must(producer.Close(), "close the producer")

	group := value(sarama.NewConsumerGroup([]string{address}, topic, config))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	h := &handler{messages: make(chan string, 2*len(sent)), enough: cancel, n: len(sent)}
	for ctx.Err() == nil {
		must(group.Consume(ctx, []string{topic}, h), "Consume")
	}
	must(group.Close(), "close the group")
	close(h.messages)
	var got []string
	for line := range h.messages {
		got = append(got, line)
	}
	wantAll(got, sent, "records with sarama as of "+version.String())

	offsets := value(admin.ListConsumerGroupOffsets(topic, map[string][]int32{topic: {0, 1, 2}}))
	total := int64(0)
	for _, block := range offsets.Blocks[topic] {
		total += max(block.Offset, 0) // -1 without a commit
	}
	want(total, int64(len(sent)), "committed offsets")
	if version.IsAtLeast(sarama.V2_3_0_0) {
		hours := "7200000"
		must(admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
			"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &hours},
		}, false), "IncrementalAlterConfig")
		entries := value(admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}}))
		want(entries[0].Value, hours, "retention.ms")
	}
	must(admin.DeleteConsumerGroup(topic), "DeleteConsumerGroup")
	must(admin.DeleteTopic(topic), "DeleteTopic")
}
