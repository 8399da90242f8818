package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Idempotent producers with every codec, all classic assignors with members that come and go, and what kadm asks.
func franz(address, topic string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := value(kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.RoundRobinPartitioner())))
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err := admin.CreateTopic(ctx, 5, 1, map[string]*string{"retention.ms": kadm.StringPtr("123456")}, topic)
	must(err, "CreateTopic")
	sent := lines(500)
	for i, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		producer := value(kgo.NewClient(kgo.SeedBrokers(address), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(topic)))
		for _, line := range sent[i*100 : (i+1)*100] {
			record := &kgo.Record{Value: []byte(line), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{byte(i)}}}}
			producer.Produce(ctx, record, func(_ *kgo.Record, err error) { must(err, "produce") })
		}
		must(producer.Flush(ctx), "flush")
		producer.Close()
	}

	for _, balancer := range []kgo.GroupBalancer{
		kgo.RangeBalancer(), kgo.RoundRobinBalancer(), kgo.StickyBalancer(), kgo.CooperativeStickyBalancer(),
	} {
		group := topic + balancer.ProtocolName()
		member := func() *kgo.Client {
			return value(kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
				kgo.Balancers(balancer), kgo.DisableAutoCommit(), kgo.FetchMaxWait(100*time.Millisecond),
				kgo.HeartbeatInterval(200*time.Millisecond)))
		}
		var got []string
		first := member()
		for len(got) < len(sent) {
			fetches := first.PollRecords(ctx, 200)
			must(fetches.Err(), "poll with "+balancer.ProtocolName())
			fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
		}
		wantAll(got, sent, "records with "+balancer.ProtocolName())
		must(first.CommitUncommittedOffsets(ctx), "commit")
		second := member()
		for seen := 0; seen != 2; time.Sleep(50 * time.Millisecond) {
			described := value(admin.DescribeGroups(ctx, group))[group]
			must(described.Err, "DescribeGroups")
			seen = 0
			for _, m := range described.Members {
				if assigned, ok := m.Assigned.AsConsumer(); ok && described.State == "Stable" && len(assigned.Topics) > 0 {
					seen++
				}
			}
			first.PollRecords(withTimeout(ctx, 20*time.Millisecond), 1)
			second.PollRecords(withTimeout(ctx, 20*time.Millisecond), 1)
		}
		first.Close()
		second.Close()
		lag := value(admin.Lag(ctx, group))[group]
		want(lag.Lag.Total(), 0, "lag of "+group)
		_, err = admin.DeleteGroup(ctx, group)
		must(err, "DeleteGroup")
	}

	configs := value(value(admin.DescribeTopicConfigs(ctx, topic)).On(topic, nil))
	for _, config := range configs.Configs {
		if config.Key == "retention.ms" {
			want(config.MaybeValue(), "123456", "retention.ms")
		}
	}
	ends := value(admin.ListEndOffsets(ctx, topic))
	value(admin.DeleteRecords(ctx, ends.Offsets()))
	starts := value(admin.ListStartOffsets(ctx, topic))
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, end.Partition)
		want(start.Offset, end.Offset, "the start after DeleteRecords")
	})
	want(len(value(admin.DescribeAllLogDirs(ctx, nil))), 1, "brokers in DescribeLogDirs")
	_, err = admin.DeleteTopic(ctx, topic)
	must(err, "DeleteTopic")
}

func withTimeout(ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	time.AfterFunc(d, cancel)
	return ctx
}
