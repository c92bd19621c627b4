#include "sim/scenario.h"

#include <algorithm>
#include <array>

#include "record/batch.h"
#include "record/builder.h"

namespace moldau::sim {
namespace {

constexpr env::Duration kCalmLimit = std::chrono::seconds(60);

}  // namespace

Scenario::Scenario(World& world) : world_(world) {}

void Scenario::run() {
  boot();
  if (world_.over()) return;
  make_topics();
  plan_mishaps();
  const env::Instant end = world_.clock.now() + kTroubled;
  step_until(end, [] { return false; });
  if (world_.over()) return;
  calm_down();
  if (!step_until(world_.clock.now() + kCalmLimit, [this] { return everyone_done(); }) && !world_.over())
    world_.violate("nothing fails any more, and not done: " + who_is_not_done());
  if (!world_.over()) finish();
}

// ---- topics and clients
// ----------------------------------------------------------------------------------------------

TopicWish Scenario::wish(int number) {
  simenv::Random& random = world_.random;
  TopicWish topic{.name = "t" + std::to_string(number),
                  .partitions = static_cast<std::int32_t>(random.between(1, 2)),
                  .configs = {}};
  if (!random.one_in(3)) topic.configs["flush.messages"] = "1";
  if (!random.one_in(4)) topic.configs["internal.segment.bytes"] = std::to_string(random.between(1300, 4500));
  if (random.one_in(2)) topic.configs["index.interval.bytes"] = std::to_string(random.between(0, 300));
  if (random.one_in(3)) topic.configs["segment.index.bytes"] = std::to_string(random.between(24, 120));
  if (random.one_in(4)) topic.configs["segment.ms"] = std::to_string(random.between(20, 800));
  if (random.one_in(6)) topic.configs["retention.ms"] = std::to_string(random.between(300, 3000));
  if (random.one_in(6)) topic.configs["retention.bytes"] = std::to_string(random.between(500, 4000));
  if (random.one_in(6)) topic.configs["message.timestamp.type"] = "LogAppendTime";
  if (random.one_in(6)) topic.configs["preallocate"] = "true";
  if (topic.configs.contains("preallocate") && !topic.configs.contains("internal.segment.bytes"))
    topic.configs["internal.segment.bytes"] = "3000";
  if (random.one_in(3)) compact(topic);
  static constexpr std::array kCodecs{"gzip", "snappy", "lz4", "zstd", "uncompressed"};
  if (random.one_in(6)) topic.configs["compression.type"] = kCodecs[random.below(kCodecs.size())];
  zstd_ |= topic.configs.contains("compression.type") && topic.configs["compression.type"] == "zstd";
  return topic;
}

void Scenario::compact(TopicWish& topic) {
  simenv::Random& random = world_.random;
  const bool deletes = topic.configs.contains("retention.ms") || topic.configs.contains("retention.bytes");
  topic.configs["cleanup.policy"] = deletes ? "compact,delete" : "compact";
  static constexpr std::array kRatios{"0.01", "0.3", "0.6"};
  topic.configs["min.cleanable.dirty.ratio"] = kRatios[random.below(kRatios.size())];
  topic.configs["delete.retention.ms"] = random.one_in(2) ? "0" : "500";
  topic.configs["internal.segment.bytes"] = std::to_string(random.between(700, 2000));
  if (random.one_in(4)) topic.configs["min.compaction.lag.ms"] = std::to_string(random.between(1, 800));
}

void Scenario::make_topics() {
  const int count = static_cast<int>(world_.random.between(1, 2));
  for (int i = 0; i < count; ++i) wishes_.push_back(wish(i));
  admin_ = std::make_unique<Admin>(world_, wishes_, static_cast<int>(world_.random.below(8)),
                                   [this] { make_clients(); });
  admin_->start();
}

void Scenario::make_clients() {
  std::vector<Partition*> all;
  for (const auto& topic : world_.ledger.topics())
    for (const auto& partition : topic->partitions) all.push_back(partition.get());
  const auto producers = world_.random.between(1, 3), consumers = world_.random.between(1, 2);
  for (int i = 0; i < producers; ++i) make_producer(i, all);
  for (int i = 0; i < consumers; ++i) make_consumer(i, all);
  if (world_.random.one_in(3)) make_group();
  make_owners();
  if (world_.random.one_in(6)) open_transaction(*all[world_.random.below(all.size())]);
  for (const auto& client : clients_) client->start();
  if (world_.random.one_in(4)) {
    vandal_ = std::make_unique<Vandal>(world_, 4);
    vandal_->start();
  }
}

// No client can begin a transaction here, but a log may hold one that nobody has ended, from another broker's
// time: readers of committed records must not pass it.
void Scenario::open_transaction(Partition& p) {
  struct Nobody final : replica::AckWaiter {
    void acknowledged(wire::ErrorCode) override {}
  };
  const auto shared = world_.broker()->services().replicas.find(p.topic->name, p.index);
  if (shared == nullptr) return;
  Writer& writer = world_.ledger.add_writer(p.topic->name, p.index);
  writer.transactional = true;
  writer.sent = 1;
  const RecordId id{writer.id, 0};
  const Bytes value = value_of(id);
  const auto key = p.topic->compacted ? compacted_key_of(id) : key_of(id);
  record::BatchBuilder builder({.producer_id = ProducerId{1'000'000},
                                .producer_epoch = ProducerEpoch{0},
                                .base_sequence = 0,
                                .transactional = true});
  builder.append({.timestamp = world_.clock.wall_ms(),
                  .key = key ? record::NullableBytes(*key) : std::nullopt,
                  .value = ByteView(value)});
  Bytes batch = std::move(builder).finish(world_.compressor);
  const auto done = shared->with([&](replica::Partition& partition) {
    return partition.append(batch, {.now_ms = world_.clock.wall_ms()}, 1, 1, std::make_shared<Nobody>());
  });
  if (done.error != wire::ErrorCode::kNone) return;
  world_.note([&] {
    return p.name() + " holds an open transaction from offset " +
           std::to_string(done.info.first_offset.value);
  });
  world_.ledger.written(p, done.info.first_offset.value, id);
}

std::vector<Partition*> Scenario::some_of(const std::vector<Partition*>& all) {
  std::vector<Partition*> some;
  for (Partition* partition : all)
    if (world_.random.one_in(2)) some.push_back(partition);
  if (some.empty()) some.push_back(all[world_.random.below(all.size())]);
  return some;
}

void Scenario::make_producer(int number, const std::vector<Partition*>& all) {
  simenv::Random& random = world_.random;
  ProducerSpec spec;
  const auto lot = random.below(20);
  spec.kind = lot < 9    ? ProducerKind::kIdempotent
              : lot < 14 ? ProducerKind::kOnce
              : lot < 17 ? ProducerKind::kRetrying
                         : ProducerKind::kCorrupting;
  const bool numbered = spec.kind == ProducerKind::kIdempotent;
  spec.version = static_cast<std::int16_t>(numbered ? random.between(3, 13) : random.between(0, 13));
  spec.magic = static_cast<std::int8_t>(spec.version >= 3 ? 2 : spec.version == 2 ? random.between(0, 1) : 0);
  spec.acks = numbered ? std::int16_t{-1} : static_cast<std::int16_t>(random.between(-1, 1));
  if (spec.kind == ProducerKind::kRetrying && spec.acks == 0) spec.acks = 1;
  spec.codec = static_cast<record::Codec>(random.one_in(2) ? 0 : random.below(5));
  if (spec.codec == record::Codec::kZstd && spec.version < 7) spec.codec = record::Codec::kNone;
  zstd_ |= spec.codec == record::Codec::kZstd;
  if (spec.magic == 0 && spec.codec == record::Codec::kLz4) spec.codec = record::Codec::kSnappy;
  spec.in_flight = static_cast<std::size_t>(random.between(1, 5));
  spec.batches = static_cast<std::uint32_t>(random.between(4, 30));
  spec.most_records = static_cast<std::uint32_t>(random.one_in(3) ? 1 : 4);
  // A bit of a row of old messages may change where one ends, and those before it are good.
  if (spec.kind == ProducerKind::kCorrupting && spec.magic < 2) spec.most_records = 1;
  world_.note([&] { return "producer p" + std::to_string(number) + ": " + spec.to_string(); });
  clients_.push_back(std::make_unique<Producer>(world_, "p" + std::to_string(number), spec, some_of(all)));
}

void Scenario::make_consumer(int number, const std::vector<Partition*>& all) {
  simenv::Random& random = world_.random;
  ConsumerSpec spec;
  // Fetches before version 10 get nothing of a topic with zstd.
  spec.version = static_cast<std::int16_t>(random.between(zstd_ ? 10 : 0, 18));
  spec.list_version = static_cast<std::int16_t>(random.between(0, 11));
  spec.committed = spec.version >= 4 && random.one_in(3);
  spec.session = spec.version >= 7 && !random.one_in(3);
  static constexpr std::array kWaits{0, 100, 500, 1500};
  spec.max_wait_ms = kWaits[random.below(kWaits.size())];
  spec.min_bytes = random.one_in(4) ? static_cast<std::int32_t>(random.between(0, 500)) : 1;
  if (random.one_in(3)) spec.max_bytes = static_cast<std::int32_t>(random.between(1, 1500));
  if (random.one_in(3)) spec.partition_max_bytes = static_cast<std::int32_t>(random.between(1, 800));
  // Whoever wants more than a reply can hold waits for every reply.
  spec.min_bytes = std::min({spec.min_bytes, spec.max_bytes, spec.partition_max_bytes});
  world_.note([&] { return "consumer c" + std::to_string(number) + ": " + spec.to_string(); });
  clients_.push_back(std::make_unique<Consumer>(world_, "c" + std::to_string(number), spec, some_of(all)));
}

// ---- mishaps
// -----------------------------------------------------------------------------------------------------------

void Scenario::plan_mishaps() {
  simenv::Random& random = world_.random;
  for (auto count = random.below(6); count > 0; --count) {
    const auto mishap = static_cast<Mishap>(random.below(static_cast<std::uint64_t>(Mishap::kCount)));
    world_.events.after(milliseconds(random.between(30, kTroubled / milliseconds(1))), [this, mishap] {
      if (!world_.calm) happen(mishap);
    });
  }
}

void Scenario::fall_ill(const char* what, env::Duration duration, std::function<void()> recover) {
  world_.note([&] { return std::string("mishap: ") + what; });
  world_.disk_faulty = true;
  ++illnesses_;
  world_.events.after(duration, [this, recover = std::move(recover)] {
    if (world_.calm) return;  // calm_down() has seen to it
    recover();
    if (--illnesses_ == 0) world_.disk_faulty = false;
  });
}

void Scenario::happen(Mishap mishap) {
  simenv::Random& random = world_.random;
  const bool up = world_.machine.up();
  const env::Duration a_while = milliseconds(random.between(50, 900));
  const auto some_connection = [&]() -> std::shared_ptr<Connection> {
    return world_.connections.empty() ? nullptr
                                      : world_.connections[random.below(world_.connections.size())].lock();
  };
  switch (mishap) {
    case Mishap::kKill:
    case Mishap::kPowerCut:
      if (up) world_.machine.die(mishap == Mishap::kKill ? Death::kKill : Death::kPower);
      break;
    case Mishap::kKillInWrite:
    case Mishap::kPowerInWrite:
      death_in_write_ = mishap == Mishap::kKillInWrite ? Death::kKill : Death::kPower;
      world_.note([] { return std::string("mishap: the end comes at one of the next changes of the disk"); });
      world_.disk.cut_power_after(random.below(40));
      break;
    case Mishap::kCleanRestart:
      if (up) world_.machine.stop();
      break;
    case Mishap::kDiskFull:
      fall_ill("the disk is full", a_while, [this] { world_.disk.set_capacity(std::uint64_t{1} << 40); });
      world_.disk.set_capacity(world_.disk.used_bytes() + random.below(800));
      break;
    case Mishap::kSlowDisk:
      world_.note([] { return std::string("mishap: the disk is slow"); });
      world_.disk_slowness = milliseconds(random.between(1, 25));
      world_.disk.set_latency(simenv::DiskOp::kSync, world_.disk_slowness);
      world_.disk.set_latency(simenv::DiskOp::kWrite, world_.disk_slowness / 20);
      break;
    case Mishap::kBadDirectory: {
      if (world_.climate.directories < 2) break;
      fall_ill("a directory fails", a_while, [this] { world_.disk.clear_faults(); });
      static constexpr std::array kOps{simenv::DiskOp::kWrite, simenv::DiskOp::kSync, simenv::DiskOp::kRead,
                                       simenv::DiskOp::kOpen};
      world_.disk.add_fault({.op = kOps[random.below(kOps.size())], .path = "/d1"});
      break;
    }
    case Mishap::kRot:
      rot();
      break;
    case Mishap::kWallJump:
      world_.note([] { return std::string("mishap: the wall clock jumps"); });
      world_.clock.jump_wall_ms(random.between(-600'000, 600'000));
      break;
    case Mishap::kCutConnection:
      if (const auto connection = some_connection()) connection->cut();
      break;
    case Mishap::kHalfOpen:
      if (const auto connection = some_connection()) connection->mute();
      break;
    case Mishap::kCount:
      break;
  }
}

// Turns over one bit of a record's content, in a segment that is closed and synced.
void Scenario::rot() {
  std::vector<std::pair<std::string, Partition*>> cold;
  for (const auto& topic : world_.ledger.topics()) {
    for (const auto& p : topic->partitions) {
      if (!p->watched) continue;
      for (const std::string& path : world_.disk.files()) {
        const std::size_t slash = path.rfind('/');
        if (!path.ends_with(".log") || slash < p->name().size()) continue;
        if (path.compare(slash - p->name().size(), p->name().size(), p->name()) != 0) continue;
        const std::int64_t base = std::stoll(path.substr(slash + 1));
        if (base < p->watched->recovery_point && base >= p->watched->start) cold.emplace_back(path, p.get());
      }
    }
  }
  if (cold.empty() || world_.disk.down()) return;
  const auto& [path, p] = cold[world_.random.below(cold.size())];
  const auto content = world_.disk.read_file(path);
  if (!content) return;
  record::BatchIterator batches(*content);
  const auto batch = batches.next();
  if (!batch || batch->header().last_offset.value >= p->watched->recovery_point) return;
  const auto from = static_cast<std::uint64_t>(record::at::kBaseTimestamp);
  const std::uint64_t at = from + world_.random.below(batches.position() - from);
  p->rotted = true;
  world_.disk.flip_bit(path, at, static_cast<int>(world_.random.below(8)));
  world_.note([&] { return "mishap: a bit rots in " + path + " at byte " + std::to_string(at); });
}

void Scenario::boot() {
  const bool was_well = world_.disk_is_well();
  world_.machine.start();
  if (world_.disk.down()) return;
  if (!world_.machine.up()) {
    if (was_well) world_.violate("the broker cannot start: " + world_.machine.could_not());
    return start_again_soon();
  }
  world_.inspect();
  world_.check_metadata();
  world_.audit();
}

void Scenario::start_again_soon() {
  if (std::exchange(starting_, true)) return;
  world_.events.after(milliseconds(world_.random.between(5, 400)), [this] {
    starting_ = false;
    if (!world_.machine.up()) boot();
  });
}

// ---- time
// --------------------------------------------------------------------------------------------------------------

bool Scenario::step() {
  if (world_.over() || world_.events.empty()) return false;
  world_.events.run_one();
  if (world_.disk.down()) world_.machine.die(death_in_write_);
  if (!world_.machine.up()) start_again_soon();
  world_.inspect();
  return !world_.over();
}

bool Scenario::step_until(env::Instant limit, const std::function<bool()>& reached) {
  while (!reached()) {
    if (world_.clock.now() >= limit || !step()) return false;
  }
  return true;
}

void Scenario::calm_down() {
  world_.note([] { return std::string("calm: no mishaps from here on"); });
  world_.calm = true;
  world_.disk.clear_faults();
  world_.disk.set_latency(simenv::DiskOp::kSync, {});
  world_.disk.set_latency(simenv::DiskOp::kWrite, {});
  world_.disk.set_capacity(std::uint64_t{1} << 40);
  world_.disk.cut_power_after(std::uint64_t{1} << 60);
  world_.disk.cut_power_in_write_to("", 0);
  world_.disk_faulty = false;
  if (admin_) admin_->stop_meddling();
  for (const auto& weak : world_.connections)
    if (const auto connection = weak.lock(); connection && connection->muted()) connection->cut();
  // A directory that has failed comes back with the next start.
  const auto& logs = world_.machine.up() ? world_.broker()->services().logs.directories()
                                         : std::vector<log::DirectoryStatus>{};
  if (std::ranges::any_of(logs, [](const auto& d) { return !d.online; })) world_.machine.die(Death::kKill);
  if (!world_.machine.up()) start_again_soon();
}

bool Scenario::everyone_done() const {
  if (!world_.machine.up() || !admin_->done() || clients_.empty()) return false;
  return group_is_stable() && owners_agree() &&
         std::ranges::all_of(clients_, [](const auto& client) { return client->done(); });
}

std::string Scenario::who_is_not_done() const {
  std::string names;
  if (!world_.machine.up()) names += " broker";
  if (!admin_->done()) names += " admin";
  for (const auto& client : clients_)
    if (!client->done()) names += " " + client->name();
  if (!group_is_stable()) names += " the group";
  if (!owners_agree()) names += " the owners";
  return names;
}

void Scenario::finish() {
  world_.note([] { return std::string("everything is done; all leave"); });
  admin_->leave();
  if (vandal_) vandal_->leave();
  for (const auto& client : clients_) client->leave();
  step_until(world_.clock.now() + std::chrono::seconds(5), [] { return false; });
  if (world_.over() || !world_.machine.up()) return;
  const broker::Metrics& metrics = world_.broker()->services().metrics;
  if (metrics.connections.value() != 0 || metrics.waiting_fetches.value() != 0 ||
      metrics.waiting_produces.value() != 0)
    return world_.violate("all clients have left, and there are " +
                          std::to_string(metrics.connections.value()) + " connections, " +
                          std::to_string(metrics.waiting_fetches.value()) + " waiting fetches, " +
                          std::to_string(metrics.waiting_produces.value()) + " waiting produces");
  world_.audit();
  for (const auto& topic : world_.ledger.topics())
    for (const auto& p : topic->partitions) world_.ledger.must_be_whole(*p);
  if (world_.over()) return;
  world_.machine.stop();
  if (!world_.over()) boot();
}

}  // namespace moldau::sim
