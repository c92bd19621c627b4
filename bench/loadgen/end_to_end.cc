// The time from when a record should have been produced to when a consumer holds it.
//
// Every tick (default 1 ms) the records that fell due since the last one go out as one batch, to the
// partitions in turn, each value carrying the tick's due time; a second connection long-polls all partitions
// and takes the time of every record that arrives. The due time is on the plan, not on the clock of sending:
// if the generator or the broker stalls, the wait counts. Both connections live in this thread, so one clock
// measures both ends.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "loadgen/batch.h"
#include "loadgen/clock.h"
#include "loadgen/meter.h"
#include "loadgen/modes.h"
#include "loadgen/poller.h"
#include "loadgen/replies.h"

namespace moldau::bench {
namespace {

enum : std::size_t { kProducer = 0, kConsumer = 1 };
constexpr std::int64_t kDrainLimit_ns = 30 * kSecond;

class EndToEnd {
 public:
  EndToEnd(const Options& options, Connection producer, Connection consumer)
      : options_(options),
        tick_ns_(static_cast<std::int64_t>(options.tick_ms * 1e6)),
        meter_(options.pid),
        producer_(std::move(producer)),
        consumer_(std::move(consumer)) {}

  Result<Report> run();

 private:
  Status start();
  Status seek_to_end();
  Status pass_time(std::int64_t now);
  void produce_due(std::int64_t now);
  Status ask();
  Status take_produced(ByteView reply);
  Status take_fetched(ByteView reply);
  Status take_partition(const FetchedPartition& fetched, std::int64_t now);
  Status flush(Connection& connection, std::size_t index);
  std::int64_t due_ns(std::int64_t tick) const { return start_ns_ + tick * tick_ns_; }
  Report report() const;

  const Options& options_;
  const std::int64_t tick_ns_;
  Meter meter_;
  Poller poller_;
  Connection producer_, consumer_;
  Batch batch_;
  std::vector<FetchPosition> positions_;
  std::vector<std::size_t> changed_;
  FetchSession session_{0, 0};
  FetchReply reply_;
  std::int64_t start_ns_ = 0, counting_from_ns_ = 0, end_ns_ = 0;
  std::int64_t ticks_ = 0;
  std::int64_t sent_ = 0, acknowledged_batches_ = 0, received_ = 0;  // whole run
  bool sending_ = true;
  Histogram latency_, send_lag_;
};

// Records from before this run are not ours to measure.
Status EndToEnd::seek_to_end() {
  TRY_ASSIGN(client, BlockingClient::connect(options_.address));
  TRY_ASSIGN(reply, client.call(list_offsets_frame(options_.topic, options_.partitions, -1, 0)));
  const auto listed = listed_offsets(reply);
  if (!listed) return fail(ErrorKind::kCorrupt, "expected a ListOffsets reply, found other bytes");
  for (const ListedOffset& o : *listed) {
    if (o.error != 0)
      return fail(ErrorKind::kIo, fmt::format("expected the end of {}-{}, found error code {}",
                                              options_.topic, o.partition, o.error));
    changed_.push_back(positions_.size());
    positions_.push_back({{options_.topic, o.partition}, o.offset});
  }
  std::ranges::sort(positions_, {}, [](const FetchPosition& p) { return p.at.partition; });
  return {};
}

Status EndToEnd::start() {
  TRY(seek_to_end());
  const int records = std::max(1, static_cast<int>(std::lround(options_.rate * options_.tick_ms / 1000)));
  batch_ = build_batch({.records = records,
                        .value_bytes = std::max<int>(options_.value_bytes, kStampBytes),
                        .timestamp_ms = wall_ms()});
  poller_.add(producer_.fd(), kProducer, true);
  poller_.add(consumer_.fd(), kConsumer, true);
  TRY(ask());
  start_ns_ = now_ns() + kSecond / 10;  // both connections are up by then
  end_ns_ = start_ns_ + static_cast<std::int64_t>(options_.warmup_seconds * kSecond);
  return {};
}

Result<Report> EndToEnd::run() {
  TRY(start());
  while (sending_ || received_ < sent_) {
    TRY(pass_time(now_ns()));
    produce_due(now_ns());
    TRY(flush(producer_, kProducer));
    Status status;
    const auto taker = [&](auto take) {
      return [&, take](ByteView reply) {
        if (status) status = (this->*take)(reply);
      };
    };
    for (const Ready& ready : poller_.wait(sending_ ? std::min(end_ns_, due_ns(ticks_)) : end_ns_)) {
      if (ready.readable && ready.index == kProducer) TRY(producer_.receive(taker(&EndToEnd::take_produced)));
      if (ready.readable && ready.index == kConsumer) TRY(consumer_.receive(taker(&EndToEnd::take_fetched)));
      TRY(status);
      TRY(flush(ready.index == kProducer ? producer_ : consumer_, ready.index));
    }
  }
  TRY(meter_.end());
  return report();
}

Status EndToEnd::pass_time(std::int64_t now) {
  if (now < end_ns_) return {};
  if (!sending_)
    return fail(ErrorKind::kIo,
                fmt::format("expected {} records back, found {} after 30 s", sent_, received_));
  if (!meter_.counting()) {
    TRY(meter_.begin());
    counting_from_ns_ = now_ns();
    send_lag_.clear();
    end_ns_ = counting_from_ns_ + static_cast<std::int64_t>(options_.seconds * kSecond);
    return {};
  }
  sending_ = false;
  end_ns_ = now + kDrainLimit_ns;
  return {};
}

void EndToEnd::produce_due(std::int64_t now) {
  for (; sending_ && due_ns(ticks_) <= now; ++ticks_) {
    stamp_batch(batch_, due_ns(ticks_), wall_ms());
    send_lag_.add(now - due_ns(ticks_));
    const auto partition = static_cast<std::int32_t>(ticks_ % options_.partitions);
    const Frame frame = produce_frame(static_cast<std::int16_t>(options_.produce_version),
                                      static_cast<std::int16_t>(options_.acks), {{options_.topic, partition}},
                                      batch_.bytes, 0);
    Bytes bytes(frame.text.begin(), frame.text.begin() + static_cast<std::ptrdiff_t>(frame.cuts[0]));
    bytes.insert(bytes.end(), batch_.bytes.begin(), batch_.bytes.end());
    bytes.insert(bytes.end(), frame.text.begin() + static_cast<std::ptrdiff_t>(frame.cuts[0]),
                 frame.text.end());
    producer_.send(std::move(bytes));
    sent_ += static_cast<std::int64_t>(batch_.values.size());
  }
}

Status EndToEnd::flush(Connection& connection, std::size_t index) {
  TRY(connection.flush());
  poller_.watch_output(connection.fd(), index, connection.has_output());
  return {};
}

Status EndToEnd::ask() {
  std::vector<FetchPosition> named;
  for (const std::size_t i : changed_) named.push_back(positions_[i]);
  consumer_.send(
      fetch_frame(static_cast<std::int16_t>(options_.fetch_version), options_.limits, session_, named, 0));
  return consumer_.flush();
}

Status EndToEnd::take_produced(ByteView reply) {
  ++acknowledged_batches_;
  const std::int16_t code = produce_error(static_cast<std::int16_t>(options_.produce_version), reply);
  return code == 0
             ? Status{}
             : fail(ErrorKind::kIo, fmt::format("expected success, found error code {} for a produce", code));
}

Status EndToEnd::take_fetched(ByteView reply) {
  const std::int64_t now = now_ns();
  if (!read_fetch_reply(static_cast<std::int16_t>(options_.fetch_version), reply, reply_))
    return fail(ErrorKind::kCorrupt, "expected a Fetch reply, found other bytes");
  if (reply_.error != 0)
    return fail(ErrorKind::kIo,
                fmt::format("expected success, found error code {} for a fetch", reply_.error));
  session_ =
      reply_.session_id != 0 ? FetchSession{reply_.session_id, session_.epoch + 1} : FetchSession{0, 0};
  changed_.clear();
  for (const FetchedPartition& fetched : reply_.partitions) TRY(take_partition(fetched, now));
  if (session_.id == 0)
    for (changed_.clear(); changed_.size() < positions_.size();) changed_.push_back(changed_.size());
  return ask();
}

Status EndToEnd::take_partition(const FetchedPartition& fetched, std::int64_t now) {
  if (fetched.error != 0 || fetched.partition < 0 ||
      static_cast<std::size_t>(fetched.partition) >= positions_.size())
    return fail(ErrorKind::kIo, fmt::format("expected records of {}, found error code {} for partition {}",
                                            options_.topic, fetched.error, fetched.partition));
  FetchPosition& position = positions_[static_cast<std::size_t>(fetched.partition)];
  ByteView rest = fetched.records;
  for (BatchHead head = peek_batch(rest); head.size > 0; head = peek_batch(rest)) {
    const bool whole = for_each_value(rest, [&](ByteView value) {
      ++received_;
      const auto due = value.size() >= kStampBytes ? load_be<std::int64_t>(value.data()) : 0;
      if (!meter_.counting() || due < counting_from_ns_) return;
      latency_.add(now - due);
      meter_.work.records += 1;
    });
    if (!whole) return fail(ErrorKind::kCorrupt, "expected a batch as it was sent, found another");
    if (meter_.counting())
      meter_.work.requests += 1, meter_.work.bytes += static_cast<std::int64_t>(head.size);
    position.offset = head.next_offset;
    rest = rest.subspan(head.size);
  }
  if (!fetched.records.empty()) changed_.push_back(static_cast<std::size_t>(fetched.partition));
  return {};
}

Report EndToEnd::report() const {
  Report report;
  report.add("rate", options_.rate);
  report.add("records_per_batch", static_cast<std::int64_t>(batch_.values.size()));
  report.add("partitions", std::int64_t{options_.partitions});
  meter_.report_to(report);
  report.add_latency("latency", latency_);
  report.add_latency("send_lag", send_lag_);
  return report;
}

}  // namespace

Result<Report> run_end_to_end(const Options& options) {
  if (options.rate <= 0)
    return fail(ErrorKind::kInvalid, "expected --rate above 0 records a second, found none");
  if (options.acks == 0) return fail(ErrorKind::kInvalid, "expected --acks 1 or -1 end to end, found 0");
  TRY_ASSIGN(producer, Connection::start(options.address));
  TRY_ASSIGN(consumer, Connection::start(options.address));
  return EndToEnd(options, std::move(producer), std::move(consumer)).run();
}

}  // namespace moldau::bench
