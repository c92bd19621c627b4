// Fetch: resolves the session and its partitions, reads, and answers with file slices, or waits until enough
// bytes have come or the time is up.
//
//   fetch → plan (session) → read ── enough, error, or no wait ──▶ (convert) ──▶ answer
//                             │ too few bytes                       ▲
//                             ▼                                     │
//                          watching ── advanced/changed: read again ┤
//                             └── max_wait_ms is up, or a stop ─────┘
//
// Where reading or converting would have to wait for a disk, it is done again when ColdReads has what it
// needs in memory. The session has been asked once before, and is told once afterwards.
// A waiting fetch is this object: partitions hold it as a FetchWaiter and post it to its loop, which reads
// again.
#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/cold_reads.h"
#include "broker/connection_state.h"
#include "broker/errors.h"
#include "broker/fetch_reader.h"
#include "broker/services.h"
#include "record/convert.h"
#include "wire/gen/fetch.h"

namespace moldau::broker::api {
namespace {

using replica::FetchNews;
using replica::FetchWish;
using wire::ErrorCode;
using wire::FetchRequest;
using wire::FetchResponse;

constexpr std::size_t kMostSkips = 16;
constexpr std::uint64_t kConvertedAtOnce = 2 << 20;  // bytes of one reply, if the first batch is no larger

// Of the first one, as its head says (int64 offset, int32 length of the rest); 0 if not even that is there.
std::uint64_t size_of_batch(ByteView bytes) {
  constexpr std::uint64_t kHead = record::kSizePrefix;
  return bytes.size() < kHead ? 0 : kHead + load_be<std::uint32_t>(bytes.data() + 8);
}

class Fetch final : public env::Task,
                    public env::Timer,
                    public replica::FetchWaiter,
                    public Waiting,
                    public std::enable_shared_from_this<Fetch> {
 public:
  Fetch(CallPtr call, const FetchRequest& request) : call_(std::move(call)) { read_request(request); }

  void start();
  void advanced(std::uint64_t bytes) override;
  void changed() override;
  void abandon() override;
  void hurry() override { expired(); }

 private:
  void run() override;
  void expired() override;
  void read_request(const FetchRequest& request);
  void resolve(FetchPart& part) const;
  void go_on(bool last_call);
  void read_in();
  void stay();
  void watch(std::uint64_t missing);
  void stop_watching();
  void wake();
  void answer();
  bool convert_all();
  std::optional<ErrorCode> convert(FetchPart& part, std::uint64_t& room);
  std::optional<ErrorCode> step_over(FetchPart& part, ByteView empty, std::uint64_t& room);
  std::vector<bool> told();
  void fill(FetchResponse::PartitionData& out, FetchPart& part, std::vector<env::FileSlice>& slices);
  void reply_with_error(ErrorCode error);

  CallPtr call_;
  // Of the request.
  std::int32_t session_id_ = 0, session_epoch_ = -1;
  std::int32_t max_wait_ms_ = 0;
  std::uint64_t min_bytes_ = 0;
  std::vector<FetchWish> wishes_, forgotten_;
  FetchLimits limits_;
  bool by_id_ = false;

  replica::FetchPlan plan_;
  std::vector<FetchPart> parts_;
  ColdReads cold_;
  bool last_call_ = false;  // answers with what there is
  bool reading_in_ = false;
  // Of old fetchers: who is converted first, how many are, and how much more there may be.
  std::optional<std::size_t> first_converted_;
  std::size_t converted_ = 0;
  std::size_t skips_ = 0;  // reads behind batches without records
  std::uint64_t room_ = kConvertedAtOnce;
  // While waiting.
  bool staying_ = false, watching_ = false, finished_ = false;
  std::atomic<std::int64_t> missing_{0};
  std::atomic<bool> woken_{false};
  std::shared_ptr<Fetch> letter_;  // keeps us alive while a letter is under way; written by who set woken_
};

void Fetch::read_request(const FetchRequest& request) {
  const std::int16_t version = call_->version();
  const config::BrokerConfig& config = call_->services().settings.get()->config;
  by_id_ = version >= 13;
  session_id_ = request.session_id;
  session_epoch_ = request.session_epoch;
  max_wait_ms_ = request.max_wait_ms;
  limits_.max_bytes = static_cast<std::uint64_t>(std::clamp(request.max_bytes, 0, config.fetch_max_bytes));
  limits_.min_one = version >= 3;
  limits_.isolation = static_cast<replica::Isolation>(request.isolation_level);
  min_bytes_ = std::min(static_cast<std::uint64_t>(std::max(request.min_bytes, 0)), limits_.max_bytes);
  for (const auto& topic : request.topics) {
    for (const auto& p : topic.partitions) {
      wishes_.push_back({.topic = std::string(topic.topic),
                         .topic_id = topic.topic_id,
                         .partition = p.partition,
                         .current_leader_epoch = p.current_leader_epoch,
                         .fetch_offset = p.fetch_offset,
                         .last_fetched_epoch = p.last_fetched_epoch,
                         .log_start_offset = p.log_start_offset,
                         .max_bytes = p.partition_max_bytes});
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (const std::int32_t partition : topic.partitions) {
      forgotten_.push_back(
          {.topic = std::string(topic.topic), .topic_id = topic.topic_id, .partition = partition});
    }
  }
}

void Fetch::start() {
  Services& services = call_->services();
  services.metrics.total_fetch.add();
  env::Loop& loop = call_->loop();
  plan_ = services.sessions.with([&](replica::FetchSessions& sessions) {
    return sessions.plan(session_id_, session_epoch_, by_id_, std::move(wishes_), forgotten_, loop.now(),
                         loop.random());
  });
  if (plan_.error != ErrorCode::kNone) return reply_with_error(plan_.error);
  parts_.reserve(plan_.wishes.size());
  for (FetchWish& wish : plan_.wishes) {
    parts_.push_back({.wish = std::move(wish), .partition = {}, .read = {}, .converted = {}});
    resolve(parts_.back());
  }
  go_on(max_wait_ms_ <= 0 || parts_.empty());
}

void Fetch::resolve(FetchPart& part) const {
  const Services& services = call_->services();
  const auto topic =
      by_id_ ? services.replicas.find(part.wish.topic_id) : services.replicas.find(part.wish.topic);
  if (topic == nullptr) {
    part.unresolved = by_id_ ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition;
    return;
  }
  part.partition = topic->at(part.wish.partition);
  const bool known =
      services.images.get()->find_partition(topic->name, PartitionIndex{part.wish.partition}) != nullptr;
  if (part.partition == nullptr)
    part.unresolved = known ? ErrorCode::kKafkaStorageError : ErrorCode::kUnknownTopicOrPartition;
  if (topic->config->compression == config::Compression::kZstd && call_->version() < 10) {
    part.partition = nullptr;
    part.unresolved = ErrorCode::kUnsupportedCompressionType;
  }
}

void Fetch::go_on(bool last_call) {
  last_call_ |= last_call;
  if (reading_in_) return;
  if (!first_converted_) {
    const FetchRound round = read_all(parts_, limits_, cold_.haste());
    if (cold_.missing()) return read_in();
    if (!last_call_ && !round.answer_now && round.bytes < min_bytes_) return watch(min_bytes_ - round.bytes);
  }
  if (call_->version() < 4 && !convert_all()) return read_in();
  answer();
}

void Fetch::read_in() {
  stay();
  reading_in_ = cold_.read_in(*call_, [self = shared_from_this()] {
    self->reading_in_ = false;
    if (!self->finished_) self->go_on(false);
  });
  if (!reading_in_) go_on(false);
}

// It outlives its turn: it ends with its connection, and does not hold receive memory.
void Fetch::stay() {
  if (std::exchange(staying_, true)) return;
  call_->release_frame();
  state_of(call_->connection()).add(shared_from_this());
}

// Watches first and for all, then only counts anew. What moved between reading and watching wakes us at once.
void Fetch::watch(std::uint64_t missing) {
  missing_.store(static_cast<std::int64_t>(missing), std::memory_order_relaxed);
  woken_.store(false, std::memory_order_release);
  if (!watching_) {
    watching_ = true;
    stay();
    call_->services().metrics.waiting_fetches.add(1);
    call_->loop().schedule(*this, call_->received() + std::chrono::milliseconds(max_wait_ms_));
  }
  const auto self = shared_from_this();
  for (FetchPart& part : parts_) {
    part.partition->with([&](replica::Partition& p) { p.watch(self, part.read.high_watermark); });
  }
}

void Fetch::stop_watching() {
  finished_ = true;
  if (staying_) state_of(call_->connection()).remove(*this);
  if (!watching_) return;
  call_->services().metrics.waiting_fetches.add(-1);
  if (scheduled) call_->loop().cancel(*this);
  for (FetchPart& part : parts_) {
    if (part.partition) part.partition->with([&](replica::Partition& p) { p.unwatch(this); });
  }
}

void Fetch::advanced(std::uint64_t bytes) {
  const auto news = static_cast<std::int64_t>(bytes);
  if (missing_.fetch_sub(news, std::memory_order_acq_rel) - news <= 0) wake();
}

void Fetch::changed() { wake(); }

void Fetch::wake() {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  letter_ = shared_from_this();
  call_->loop().post(*this);
}

void Fetch::run() {
  const auto self = std::move(letter_);
  if (!finished_) go_on(false);
}

void Fetch::expired() {
  const auto self = shared_from_this();
  go_on(true);
}

void Fetch::abandon() {
  const auto self = shared_from_this();
  stop_watching();
}

std::vector<bool> Fetch::told() {
  if (plan_.session_id == replica::kNoSession) return std::vector<bool>(parts_.size(), true);
  std::vector<FetchNews> news(parts_.size());
  std::vector<FetchWish> wishes(parts_.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const replica::Read& read = parts_[i].read;
    news[i] = {.high_watermark = read.high_watermark.value,
               .log_start_offset = read.log_start.value,
               .has_records = parts_[i].size() > 0,
               .must_tell = read.error != ErrorCode::kNone || read.diverging.has_value()};
    wishes[i] = parts_[i].wish;
  }
  auto told = call_->services().sessions.with(
      [&](replica::FetchSessions& sessions) { return sessions.tell(plan_.session_id, wishes, news); });
  return plan_.incremental ? told : std::vector<bool>(parts_.size(), true);
}

void Fetch::answer() {
  stop_watching();
  FetchResponse response;
  response.session_id = plan_.session_id;
  std::vector<env::FileSlice> slices;
  const std::vector<bool> wanted = told();
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!wanted[i]) continue;
    FetchPart& part = parts_[i];
    auto* topic = response.responses.empty() ? nullptr : &response.responses.back();
    if (topic == nullptr || topic->topic != part.wish.topic || topic->topic_id != part.wish.topic_id) {
      topic = &response.responses.emplace_back();
      topic->topic = part.wish.topic;
      topic->topic_id = part.wish.topic_id;
    }
    fill(topic->partitions.emplace_back(), part, slices);
  }
  call_->reply(response, std::move(slices));
}

// Old fetchers get what they can read (Fetch 0 and 1: magic 0; 2 and 3: magic 1). It is made in memory, so a
// reply has little of it whatever was asked for. Who comes first is chance, lest the others never get any.
// False: what comes next is not in memory; called again, it goes on there.
bool Fetch::convert_all() {
  if (!first_converted_) first_converted_ = parts_.empty() ? 0 : call_->loop().random().below(parts_.size());
  for (; converted_ < parts_.size(); ++converted_) {
    FetchPart& part = parts_[(*first_converted_ + converted_) % parts_.size()];
    const auto error = convert(part, room_);
    if (!error) return false;
    if (*error != ErrorCode::kNone) part.read.error = *error;
    part.read.slice = {};
  }
  return true;
}

// Nothing: not in memory.
std::optional<ErrorCode> Fetch::convert(FetchPart& part, std::uint64_t& room) {
  const env::FileSlice& slice = part.read.slice;
  if (part.read.first_batch_cut && !limits_.min_one) {
    // As Kafka does: the head of a message that is larger than any limit, which old consumers report as too
    // large.
    part.converted.resize(12);
    store_be(part.converted.data(), part.wish.fetch_offset);
    store_be(part.converted.data() + 8, INT32_MAX);
    return ErrorCode::kNone;
  }
  if (slice.length == 0 || room == 0) return ErrorCode::kNone;
  Bytes stored(std::min(slice.length, room));
  auto got = env::read(*slice.file, slice.position, stored, cold_.haste());
  const std::uint64_t first = size_of_batch(stored);
  if (got && first > stored.size() && first <= slice.length) {
    stored.resize(first);
    got = env::read(*slice.file, slice.position, stored, cold_.haste());
  }
  if (!got && got.error().kind == ErrorKind::kWouldBlock) return std::nullopt;
  if (!got || *got != stored.size()) return ErrorCode::kKafkaStorageError;
  auto& bench = call_->services().tools_of(call_->loop()).workbench;
  const auto done =
      record::down_convert(stored, record::magic_of_fetch(call_->version()), Offset{part.wish.fetch_offset},
                           limits_.max_bytes, bench.decompressor, bench.compressor, part.converted);
  room -= std::min(room, std::uint64_t{part.converted.size()});
  call_->services().metrics.fetch_conversions.add();
  if (part.converted.empty() && done.fault.ok() && skips_ < kMostSkips)
    return step_over(part, ByteView(stored).first(done.consumed), room);
  if (done.consumed > 0 || done.fault.ok()) return ErrorCode::kNone;
  return done.fault.kind == record::FaultKind::kUnsupportedCodec ? ErrorCode::kUnsupportedCompressionType
                                                                 : ErrorCode::kCorruptMessage;
}

// Batches that compaction has emptied: who is not shown them would ask for the same offset for ever.
std::optional<ErrorCode> Fetch::step_over(FetchPart& part, ByteView empty, std::uint64_t& room) {
  Offset next{part.wish.fetch_offset};
  record::BatchIterator batches(empty);
  while (const auto batch = batches.next()) next = batch->header().next_offset();
  const replica::ReadOptions options{.from = next,
                                     .max_bytes = part.read.slice.length,
                                     .min_one = true,
                                     .isolation = limits_.isolation,
                                     .haste = cold_.haste()};
  const auto read = part.partition->with([&](replica::Partition& p) { return p.read(options); });
  if (read.cold) return std::nullopt;
  if (next.value == part.wish.fetch_offset || read.error != ErrorCode::kNone || read.slice.length == 0)
    return ErrorCode::kNone;
  ++skips_;
  part.read.slice = read.slice;
  return convert(part, room);
}

void Fetch::fill(FetchResponse::PartitionData& out, FetchPart& part, std::vector<env::FileSlice>& slices) {
  const replica::Read& read = part.read;
  ErrorCode error = read.error;
  if (error == ErrorCode::kKafkaStorageError && call_->version() <= 5)
    error = ErrorCode::kNotLeaderOrFollower;
  out.partition_index = part.wish.partition;
  out.error_code = code(error);
  out.high_watermark = read.high_watermark.value;
  out.last_stable_offset = read.last_stable_offset.value;
  out.log_start_offset = read.log_start.value;
  out.records = wire::Records::view({});
  if (read.aborted) {
    out.aborted_transactions.emplace();
    for (const auto& aborted : *read.aborted) {
      out.aborted_transactions->push_back(
          {.producer_id = aborted.producer.value, .first_offset = aborted.first_offset.value});
    }
  } else {
    out.aborted_transactions = std::nullopt;
  }
  if (error != ErrorCode::kNone) {
    call_->services().metrics.failed_fetch.add();
    call_->count_error();
    const bool moved = error == ErrorCode::kNotLeaderOrFollower || error == ErrorCode::kFencedLeaderEpoch;
    if (moved && call_->version() >= 12) {
      out.current_leader = {.leader_id = read.leader.value, .leader_epoch = read.leader_epoch.value};
    }
    return;
  }
  if (read.diverging)
    out.diverging_epoch = {.epoch = read.diverging->epoch.value, .end_offset = read.diverging->end.value};
  call_->services().metrics.bytes_out.add(part.size());
  if (!part.converted.empty()) {
    out.records = wire::Records::view(part.converted);
  } else if (read.slice.length > 0) {
    out.records = wire::Records::external(read.slice.length, static_cast<std::uint32_t>(slices.size()));
    slices.push_back(read.slice);
  }
}

void Fetch::reply_with_error(ErrorCode error) {
  finished_ = true;
  call_->count_error();
  FetchResponse response;
  response.error_code = code(error);
  call_->reply(response);
}

}  // namespace

void fetch(const CallPtr& call) {
  FetchRequest request;
  if (!call->read(request)) return;
  std::make_shared<Fetch>(call, request)->start();
}

}  // namespace moldau::broker::api
