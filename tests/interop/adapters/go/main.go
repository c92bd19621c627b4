// franz-go behind the line protocol of tests/interop (see its README): franz-go BOOTSTRAP
package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const deadline = time.Minute

type fields map[string]string

func (f fields) number(name string) int64 {
	n, err := strconv.ParseInt(f[name], 10, 64)
	if err != nil {
		panic(fmt.Sprintf("field %s is %q, expected a number", name, f[name]))
	}
	return n
}

func decode(field string) []byte {
	if field == "-" {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		panic(err)
	}
	if b == nil {
		b = []byte{}
	}
	return b
}

func encode(b []byte) string {
	switch {
	case b == nil:
		return "-"
	case len(b) <= 4096:
		return base64.StdEncoding.EncodeToString(b)
	default:
		return fmt.Sprintf("#%d:%x", len(b), sha1.Sum(b))
	}
}

func readRecords(f fields) ([]*kgo.Record, error) {
	data, err := os.ReadFile(f["file"])
	if err != nil {
		return nil, err
	}
	var records []*kgo.Record
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		parts := strings.Split(line, "\t")
		r := &kgo.Record{Topic: f["topic"], Partition: int32(f.number("partition")), Key: decode(parts[0]), Value: decode(parts[1])}
		if parts[2] != "-" {
			ms, err := strconv.ParseInt(parts[2], 10, 64)
			if err != nil {
				return nil, err
			}
			r.Timestamp = time.UnixMilli(ms)
		}
		if parts[3] != "-" {
			for _, h := range strings.Split(parts[3], ",") {
				name, value, _ := strings.Cut(h, ":")
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(decode(name)), Value: decode(value)})
			}
		}
		records = append(records, r)
	}
	return records, nil
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func produce(bootstrap string, f fields) (string, error) {
	records, err := readRecords(f)
	if err != nil {
		return "", err
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchCompression(codecs[f["codec"]]), kgo.ProducerLinger(5 * time.Millisecond),
	}
	if f["max"] != "" {
		options = append(options, kgo.ProducerBatchMaxBytes(int32(f.number("max"))))
	}
	switch f["acks"] {
	case "0":
		options = append(options, kgo.RequiredAcks(kgo.NoAck()))
	case "1":
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()))
	case "all":
		options = append(options, kgo.RequiredAcks(kgo.AllISRAcks()))
	}
	if f["idempotence"] == "false" {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	offsets := make([]string, len(records))
	for i, result := range client.ProduceSync(ctx, records...) {
		if result.Err != nil {
			return "", result.Err
		}
		offsets[i] = strconv.FormatInt(result.Record.Offset, 10)
		if f["acks"] == "0" {
			offsets[i] = "-1"
		}
	}
	return strings.Join(offsets, ","), nil
}

func consume(bootstrap string, f fields) (string, error) {
	from, until := f.number("from"), f.number("until")
	file, err := os.Create(f["file"])
	if err != nil {
		return "", err
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.FetchMaxWait(time.Duration(f.number("wait")) * time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{f["topic"]: {int32(f.number("partition")): kgo.NewOffset().At(from)}}),
	}
	if f["fetch"] != "" {
		options = append(options, kgo.FetchMaxPartitionBytes(int32(f.number("fetch"))))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	limit := time.Duration(f.number("deadline")) * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	next := from
	for next < until {
		fetches := client.PollFetches(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("expected records up to offset %d, found none from %d on within %v", until, next, limit)
		}
		if err := fetches.Err(); err != nil {
			return "", err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= until {
				return
			}
			headers := make([]string, len(r.Headers))
			for i, h := range r.Headers {
				headers[i] = encode([]byte(h.Key)) + ":" + encode(h.Value)
			}
			shown := strings.Join(headers, ",")
			if shown == "" {
				shown = "-"
			}
			fmt.Fprintf(out, "%d\t%s\t%s\t%d\t%s\n", r.Offset, encode(r.Key), encode(r.Value), r.Timestamp.UnixMilli(), shown)
			next = r.Offset + 1
		})
	}
	return "", out.Flush()
}

func admin(bootstrap string, verb string, f fields) (string, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	admin, topic := kadm.NewClient(client), f["topic"]
	switch verb {
	case "create":
		configs := map[string]*string{}
		for name, value := range f {
			value := value // before Go 1.22 the loop had one variable
			if strings.HasPrefix(name, "config.") {
				configs[name[len("config."):]] = &value
			}
		}
		created, err := admin.CreateTopic(ctx, int32(f.number("partitions")), 1, configs, topic)
		if err != nil {
			return "", err
		}
		return "", created.Err
	case "partitions":
		topics, err := admin.ListTopics(ctx, topic)
		if err != nil {
			return "", err
		}
		return strconv.Itoa(len(topics[topic].Partitions)), topics[topic].Err
	default:
		earliest, err := admin.ListStartOffsets(ctx, topic)
		if err != nil {
			return "", err
		}
		latest, err := admin.ListEndOffsets(ctx, topic)
		if err != nil {
			return "", err
		}
		partition := int32(f.number("partition"))
		first, _ := earliest.Lookup(topic, partition)
		last, _ := latest.Lookup(topic, partition)
		return fmt.Sprintf("%d,%d", first.Offset, last.Offset), firstOf(first.Err, last.Err)
	}
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func answer(bootstrap, line string) (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	parts := strings.Split(line, "\t")
	f := fields{}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		f[name] = value
	}
	switch parts[0] {
	case "produce":
		return produce(bootstrap, f)
	case "consume":
		return consume(bootstrap, f)
	case "create", "partitions", "offsets":
		return admin(bootstrap, parts[0], f)
	}
	return "", fmt.Errorf("unknown command %s", parts[0])
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() && in.Text() != "quit" {
		text, err := answer(os.Args[1], in.Text())
		if err != nil {
			fmt.Printf("error\t%s\n", strings.Join(strings.Fields(err.Error()), " "))
			continue
		}
		fmt.Printf("ok\t%s\n", text)
	}
}
