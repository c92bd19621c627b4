#include "sim/world.h"

#include <algorithm>

#include "sim/reader.h"

namespace moldau::sim {
namespace {

// How much later than due a reply may be, on machines that are not slow: turns, letters, ticks of the wheel.
constexpr env::Duration kSlack = milliseconds(60);

record::Decompressor& shared_decompressor() {
  static record::Decompressor tool(1 << 20);
  return tool;
}
record::Compressor& shared_compressor() {
  static record::Compressor tool;
  return tool;
}

}  // namespace

World::World(std::uint64_t a_seed, bool tracing)
    : seed(a_seed),
      random(a_seed),
      events(clock),
      disk(a_seed ^ 0xd15c, &clock),
      ledger([this](std::string what) { violate(std::move(what)); }),
      machine(*this),
      decompressor(shared_decompressor()),
      compressor(shared_compressor()),
      tracing_(tracing) {
  climate.loops = random.one_in(3) ? 2 : 1;
  climate.directories = random.one_in(3) ? 2 : 1;
  climate.settings = static_cast<int>(random.below(3));
  climate.network = milliseconds(random.one_in(3) ? 40 : 3);
  climate.background = milliseconds(random.one_in(4) ? 100 : 5);
  simenv::Random cold(a_seed ^
                      0xc01d);  // of its own: warm worlds are what they were before there were cold ones
  climate.forgetful = cold.one_in(2) ? 1 + cold.below(8) : 0;
  disk.set_forgetful(climate.forgetful);
}

World::~World() {
  if (machine.up()) machine.die(Death::kKill);
}

std::string World::stamp() const {
  const auto us = clock.now().since_origin / microseconds(1);
  std::string text = std::to_string(us / 1000) + "." + std::to_string(1000 + us % 1000).substr(1) + " ";
  return std::string(text.size() < 12 ? 12 - text.size() : 0, ' ') + text;
}

void World::violate(std::string what) {
  if (violation_) return;
  note([&] { return "VIOLATION: " + what; });
  violation_ = std::move(what);
}

env::Duration World::network_delay() {
  const std::int64_t most = climate.network / microseconds(1);
  return microseconds(random.between(50, random.one_in(20) ? 5 * most : most));
}

env::Duration World::sending_delay() {
  return microseconds(random.between(1, random.one_in(16) ? 20'000 : 100));
}

void World::replied(const RequestNote& request, env::Instant arrived) {
  if (request.api != 1) return;
  const env::Duration took = clock.now() - arrived;
  const env::Duration allowed =
      milliseconds(std::max(request.max_wait_ms, 0)) + kSlack + 100 * disk_slowness + reading_in();
  if (took > allowed)
    violate("a fetch that may wait " + std::to_string(request.max_wait_ms) + " ms was answered after " +
            std::to_string(took / milliseconds(1)) + " ms");
}

bool World::any_compacted() const {
  return std::ranges::any_of(ledger.topics(), [](const auto& topic) { return topic->compacted; });
}

bool World::anything_rotted() const {
  for (const auto& topic : ledger.topics())
    for (const auto& p : topic->partitions)
      if (p->rotted) return true;
  return false;
}

void World::slice_failed() {
  if (disk_is_well()) violate("a slice of a reply could not be read when it was sent");
}

std::shared_ptr<Connection> World::connect(Peer& peer, bool slow_client) {
  if (!machine.up()) return nullptr;
  auto connection = std::make_shared<Connection>(*this, machine.some_loop(), *machine.broker(), peer,
                                                 next_connection_++, slow_client);
  std::erase_if(connections, [](const auto& weak) { return weak.expired(); });
  connections.push_back(connection);
  connection->open();
  return connection;
}

void World::inspect() {
  broker::Broker* const broker = machine.broker();
  if (broker == nullptr || disk.down()) return;
  for (const auto& topic : ledger.topics()) {
    if (topic->deleted) continue;
    const auto local = broker->services().replicas.find(topic->name);
    if (local == nullptr) continue;
    if (topic->id.is_zero()) topic->id = local->id;
    if (topic->id != local->id) violate(topic->name + " has become another topic");
    for (std::size_t i = 0; i < local->partitions.size(); ++i) {
      if (local->partitions[i] == nullptr) continue;
      Watched now;
      const bool online = local->partitions[i]->with([&](replica::Partition& p) {
        if (p.offline()) return false;
        now = {.start = p.log().start_offset().value,
               .high_watermark = p.high_watermark().value,
               .end = p.log().end_offset().value,
               .recovery_point = p.log().recovery_point().value,
               .leader_epoch = p.leader_epoch().value};
        return true;
      });
      if (!online) continue;
      Partition& p = ledger.partition(*topic, static_cast<std::int32_t>(i));
      if (p.watched != now) note([&] { return "  " + p.name() + " is " + to_string(now); });
      ledger.watch(p, now, clock.now());
    }
  }
}

void World::audit() {
  broker::Broker* const broker = machine.broker();
  if (broker == nullptr || disk.down()) return;
  for (const auto& topic : ledger.topics()) {
    if (topic->dying) continue;
    for (const auto& p : topic->partitions) audit_partition(*p, *broker);
  }
}

void World::audit_partition(Partition& p, broker::Broker& broker) {
  const auto shared = broker.services().replicas.find(p.topic->name, p.index);
  if (shared == nullptr || !p.watched) return;
  const std::int64_t start = p.watched->start;
  std::vector<std::optional<RecordId>> ids;
  Reader reader(*this, p, start);
  reader.on_record([&](std::int64_t offset, std::optional<RecordId> id) {
    const auto at = static_cast<std::size_t>(offset - start);
    if (ids.size() <= at) ids.resize(at + 1);
    ids[at] = id;
  });
  while (!over() && reader.position() < p.watched->high_watermark) {
    const replica::Read read = shared->with([&](replica::Partition& partition) {
      return partition.read({.from = Offset{reader.position()}, .max_bytes = 1 << 20, .min_one = true});
    });
    if (read.error != wire::ErrorCode::kNone || read.slice.length == 0) {
      if (!disk_is_well() || (p.rotted && p.topic->compacted)) return;  // what lies there may all have gone
      return violate(p.name() + ": expected records at offset " + std::to_string(reader.position()) + " of " +
                     std::to_string(p.watched->high_watermark) + ", found " +
                     std::string(wire::name(read.error)));
    }
    Bytes bytes(read.slice.length);
    const auto got = read.slice.file->read_at(read.slice.position, bytes);
    if (!got || *got != bytes.size()) {
      if (!disk_is_well()) return;
      return violate(p.name() + ": the log names bytes that its file does not have");
    }
    if (!reader.take(bytes, true)) return;
  }
  ledger.audited(p, start, ids);
  if (p.topic->compacted) ledger.audited_compacted(p, start, ids);
}

void World::check_metadata() {
  broker::Broker* const broker = machine.broker();
  if (broker == nullptr) return;
  const auto image = broker->services().images.get();
  for (const auto& topic : ledger.topics()) {
    const metadata::Topic* found = image->find_topic(topic->name);
    if (topic->deleted && found != nullptr) violate(topic->name + " was deleted, and is there again");
    if (!topic->created || topic->dying) continue;
    if (found == nullptr) return violate(topic->name + " was created, and is gone");
    if (std::ssize(found->partitions) < topic->partitions_promised)
      violate(topic->name + ": expected " + std::to_string(topic->partitions_promised) +
              " partitions, found " + std::to_string(found->partitions.size()));
    const metadata::ConfigMap& configs = image->config(metadata::ResourceType::kTopic, topic->name);
    for (const auto& [name, value] : topic->configs) {
      if (topic->configs_uncertain.contains(name)) continue;
      const auto set = configs.find(name);
      if (set == configs.end() || set->second != value)
        violate(topic->name + ": expected " + name + "=" + value + ", found " +
                (set == configs.end() ? "nothing" : set->second));
    }
  }
}

}  // namespace moldau::sim
