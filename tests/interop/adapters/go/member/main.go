// A member by franz-go (see groups.py): member BOOTSTRAP GROUP TOPIC PROTOCOL
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The partitions that this member has; said whenever they change.
type holding struct {
	mutex      sync.Mutex
	partitions map[int32]bool
}

func (h *holding) change(topic string, which map[string][]int32, has bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, p := range which[topic] {
		if has {
			h.partitions[p] = true
		} else {
			delete(h.partitions, p)
		}
	}
	numbers := []int{}
	for p := range h.partitions {
		numbers = append(numbers, int(p))
	}
	sort.Ints(numbers)
	fmt.Println("assigned", strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ","))
}

func work(ctx context.Context, client *kgo.Client, fetches kgo.Fetches) {
	last := map[int32]*kgo.Record{}
	records := []*kgo.Record{}
	fetches.EachRecord(func(r *kgo.Record) {
		fmt.Println("read", r.Partition, r.Offset)
		last[r.Partition] = r
		records = append(records, r)
	})
	if len(records) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.CommitRecords(limited, records...); err != nil {
		fmt.Println("uncommitted", err)
		return
	}
	for p, r := range last {
		fmt.Println("committed", p, r.Offset+1)
	}
}

func main() {
	topic, held := os.Args[3], &holding{partitions: map[int32]bool{}}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Args[1]), kgo.ConsumerGroup(os.Args[2]), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.Balancers(kgo.RangeBalancer()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { held.change(topic, m, true) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { held.change(topic, m, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { held.change(topic, m, false) }))
	if err != nil {
		panic(err)
	}
	ctx, end := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		fetches := client.PollFetches(limited)
		cancel()
		work(context.Background(), client, fetches)
		client.AllowRebalance()
	}
	client.Close()
	fmt.Println("closed")
}
