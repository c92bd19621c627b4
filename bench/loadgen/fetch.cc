// Reads all partitions from offset 0 to the high watermark and begins again, one request in flight on each
// connection, as a consumer does. With sessions (KIP-227) only partitions whose position changed are named
// after the first request.
#include <fmt/format.h>
#include <map>

#include "loadgen/batch.h"
#include "loadgen/clock.h"
#include "loadgen/meter.h"
#include "loadgen/modes.h"
#include "loadgen/poller.h"
#include "loadgen/replies.h"

namespace moldau::bench {
namespace {

struct Reader {
  Connection connection;
  std::vector<FetchPosition> positions;  // in the order of topics and partitions
  std::vector<std::size_t> changed;      // which of them the next request names
  FetchSession session;
  std::int64_t sent_ns = 0;
  bool waiting = false;
};

class FetchLoad {
 public:
  explicit FetchLoad(const Options& options)
      : options_(options), topics_(topic_names(options)), meter_(options.pid) {}

  Result<Report> run();

 private:
  Status connect();
  Status next_phase();
  Status ask(Reader& reader);
  Status take_reply(Reader& reader, ByteView bytes);
  Status take_partition(Reader& reader, const FetchedPartition& fetched);
  std::int16_t version() const { return static_cast<std::int16_t>(options_.fetch_version); }

  const Options& options_;
  std::vector<std::string> topics_;
  std::map<std::string_view, std::size_t> topic_index_;
  Meter meter_;
  Poller poller_;
  std::vector<Reader> readers_;
  FetchReply reply_;
  std::int64_t end_ns_ = 0;  // of the present phase: warming up, counting, draining
  bool sending_ = true;
  Histogram latency_;
};

Status FetchLoad::connect() {
  for (std::size_t t = 0; t < topics_.size(); ++t) topic_index_[topics_[t]] = t;
  for (int c = 0; c < options_.connections; ++c) {
    TRY_ASSIGN(connection, Connection::start(options_.address));
    Reader& reader = readers_.emplace_back(
        Reader{.connection = std::move(connection), .positions = {}, .changed = {}, .session = {}});
    for (const std::string& topic : topics_)
      for (int p = 0; p < options_.partitions; ++p) reader.positions.push_back({{topic, p}, 0});
    for (std::size_t i = 0; i < reader.positions.size(); ++i) reader.changed.push_back(i);
    if (options_.sessions) reader.session = {0, 0};
    poller_.add(reader.connection.fd(), readers_.size() - 1, false);
    TRY(ask(reader));
    poller_.watch_output(reader.connection.fd(), readers_.size() - 1, reader.connection.has_output());
  }
  return {};
}

Status FetchLoad::ask(Reader& reader) {
  std::vector<FetchPosition> named;
  for (const std::size_t i : reader.changed) named.push_back(reader.positions[i]);
  reader.sent_ns = now_ns();
  reader.waiting = true;
  reader.connection.send(fetch_frame(version(), options_.limits, reader.session, named, 0));
  return reader.connection.flush();
}

Status FetchLoad::take_partition(Reader& reader, const FetchedPartition& fetched) {
  if (fetched.error != 0)
    return fail(ErrorKind::kIo, fmt::format("expected success, found error code {} for {}-{}", fetched.error,
                                            fetched.topic, fetched.partition));
  const auto topic = topic_index_.find(fetched.topic);
  if (topic == topic_index_.end() || fetched.partition < 0 || fetched.partition >= options_.partitions)
    return fail(ErrorKind::kCorrupt, "expected partitions that were asked for, found another");
  const std::size_t index = topic->second * static_cast<std::size_t>(options_.partitions) +
                            static_cast<std::size_t>(fetched.partition);
  FetchPosition& position = reader.positions[index];
  ByteView rest = fetched.records;
  for (BatchHead head = peek_batch(rest); head.size > 0; head = peek_batch(rest)) {
    meter_.work.records += head.records;
    position.offset = head.next_offset;
    rest = rest.subspan(head.size);
  }
  meter_.work.bytes += static_cast<std::int64_t>(fetched.records.size());
  if (position.offset >= fetched.high_watermark) position.offset = 0;
  if (!fetched.records.empty()) reader.changed.push_back(index);
  return {};
}

Status FetchLoad::take_reply(Reader& reader, ByteView bytes) {
  if (!read_fetch_reply(version(), bytes, reply_))
    return fail(ErrorKind::kCorrupt, "expected a Fetch reply, found other bytes");
  if (reply_.error != 0)
    return fail(ErrorKind::kIo, fmt::format("expected success, found error code {}", reply_.error));
  latency_.add(now_ns() - reader.sent_ns);
  meter_.work.requests += 1;
  reader.waiting = false;
  if (!options_.sessions) reply_.session_id = 0;
  const bool session = reply_.session_id != 0;
  reader.session = session ? FetchSession{reply_.session_id, reader.session.epoch + 1}
                           : FetchSession{0, options_.sessions ? 0 : -1};
  reader.changed.clear();
  for (const FetchedPartition& fetched : reply_.partitions) TRY(take_partition(reader, fetched));
  if (session) return {};
  reader.changed.clear();
  for (std::size_t i = 0; i < reader.positions.size(); ++i) reader.changed.push_back(i);
  return {};
}

Status FetchLoad::next_phase() {
  if (!sending_)
    return fail(ErrorKind::kIo, "expected all replies within 60 s of the last request, some are missing");
  if (meter_.counting()) {
    sending_ = false;
    end_ns_ = now_ns() + 60 * kSecond;
    return {};
  }
  TRY(meter_.begin());
  latency_.clear();
  end_ns_ = now_ns() + static_cast<std::int64_t>(options_.seconds * kSecond);
  return {};
}

Result<Report> FetchLoad::run() {
  TRY(connect());
  end_ns_ = now_ns() + static_cast<std::int64_t>(options_.warmup_seconds * kSecond);
  std::size_t waiting = readers_.size();
  while (waiting > 0) {
    if (now_ns() >= end_ns_) TRY(next_phase());
    for (const Ready& ready : poller_.wait(end_ns_)) {
      Reader& reader = readers_[ready.index];
      Status status;
      TRY(reader.connection.flush());
      if (ready.writable)
        poller_.watch_output(reader.connection.fd(), ready.index, reader.connection.has_output());
      if (!ready.readable) continue;
      TRY(reader.connection.receive([&](ByteView bytes) { status = take_reply(reader, bytes); }));
      TRY(status);
      if (reader.waiting) continue;
      sending_ = sending_ && !(meter_.counting() && options_.requests > 0 &&
                               meter_.work.requests + static_cast<std::int64_t>(waiting) > options_.requests);
      if (!sending_) {
        --waiting;
        continue;
      }
      TRY(ask(reader));
      poller_.watch_output(reader.connection.fd(), ready.index, reader.connection.has_output());
    }
  }
  TRY(meter_.end());
  Report report;
  report.add("connections", std::int64_t{options_.connections});
  report.add("partitions", static_cast<std::int64_t>(topics_.size()) * options_.partitions);
  meter_.report_to(report);
  report.add_latency("latency", latency_);
  return report;
}

}  // namespace

Result<Report> run_fetch(const Options& options) { return FetchLoad(options).run(); }

}  // namespace moldau::bench
