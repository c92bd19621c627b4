#include "sim/machine.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "base/check.h"
#include "broker/group/coordinators.h"
#include "config/load.h"
#include "sim/world.h"

namespace moldau::sim {
namespace {

constexpr std::string_view kCommon =
    "node.id=1\n"
    "listeners=PLAINTEXT://10.0.0.2:9092\n"
    "auto.create.topics.enable=false\n"
    "log.segment.delete.delay.ms=300\n"
    "offsets.topic.num.partitions=2\n"
    "offsets.topic.replication.factor=1\n"
    "group.min.session.timeout.ms=100\n"
    "group.initial.rebalance.delay.ms=200\n"
    "group.consumer.min.session.timeout.ms=100\n"
    "group.consumer.session.timeout.ms=1000\n"
    "group.consumer.min.heartbeat.interval.ms=50\n"
    "group.consumer.heartbeat.interval.ms=50\n"
    "group.consumer.assignment.interval.ms=100\n"
    "group.consumer.migration.policy=bidirectional\n"
    "offsets.retention.check.interval.ms=2000\n"
    "log.cleaner.dedupe.buffer.size=3000000\n";

// Everything that happens by itself happens often.
constexpr std::array<std::string_view, 3> kVariants{
    "log.flush.offset.checkpoint.interval.ms=500\n"
    "log.flush.start.offset.checkpoint.interval.ms=700\n"
    "log.retention.check.interval.ms=600\n"
    "log.cleaner.backoff.ms=100\n"
    "log.flush.scheduler.interval.ms=1000\n"
    "replica.high.watermark.checkpoint.interval.ms=1000\n"
    "metadata.log.max.record.bytes.between.snapshots=700\n",
    "log.flush.offset.checkpoint.interval.ms=2000\n"
    "log.flush.start.offset.checkpoint.interval.ms=60000\n"
    "log.retention.check.interval.ms=1500\n"
    "log.cleaner.backoff.ms=1000\n"
    "log.cleaner.threads=2\n"
    "replica.high.watermark.checkpoint.interval.ms=3000\n"
    "max.incremental.fetch.session.cache.slots=1\n",
    "log.flush.offset.checkpoint.interval.ms=60000\n"
    "log.retention.check.interval.ms=2500\n"
    "replica.fetch.max.bytes=700\n"
    "metadata.log.max.record.bytes.between.snapshots=300\n"};

const config::Loaded& settings_of(int variant, std::size_t directories) {
  static std::map<std::pair<int, std::size_t>, config::Loaded> made;
  const auto found = made.find({variant, directories});
  if (found != made.end()) return found->second;
  const std::string text = std::string(kCommon) + std::string(kVariants[static_cast<std::size_t>(variant)]) +
                           "log.dirs=" + (directories == 2 ? "/d0,/d1" : "/d0") + "\n";
  auto loaded = config::load("sim.properties", text, {});
  CHECK(loaded, loaded ? "" : loaded.error().message);
  return made.emplace(std::pair(variant, directories), std::move(*loaded)).first->second;
}

}  // namespace

Machine::~Machine() {
  if (up()) die(Death::kKill);
}

void Machine::start() {
  CHECK(!up());
  ++lives_;
  told_ = 0;
  auto life = std::make_unique<Life>();
  const std::uint64_t seed = world_.random.next();
  life->random = std::make_unique<simenv::Random>(seed);
  for (std::size_t i = 0; i < world_.climate.loops; ++i)
    life->loops.push_back(std::make_shared<Loop>(world_.events, world_.clock, i, seed + 10 + i));
  life->background = std::make_shared<Background>(world_.events, seed + 1, world_.climate.background);
  const config::Loaded& settings = settings_of(world_.climate.settings, world_.climate.directories);
  std::vector<env::Loop*> wheels;
  for (const auto& loop : life->loops) wheels.push_back(loop.get());
  const auto dice = std::make_shared<std::uint64_t>(seed + 2);
  const broker::World given{.fs = world_.disk,
                            .clock = world_.clock,
                            .random = *life->random,
                            .background = *life->background,
                            .events = life->events,
                            .boot_id = "boot-" + std::to_string(boots_),
                            .loops = world_.climate.loops,
                            .wheels = std::move(wheels),
                            .make_random = [dice] { return std::make_unique<simenv::Random>(++*dice); }};
  life_ = std::move(life);
  auto opened = broker::Broker::open(given, {settings.values, settings.config});
  Status done = opened ? Status{} : std::unexpected(opened.error());
  if (opened) {
    life_->broker = std::move(*opened);
    done = life_->broker->announce({{.name = "PLAINTEXT", .host = "10.0.0.2", .port = 9092}});
  }
  tell_lines();
  could_not_.clear();
  if (!done) {
    could_not_ = done.error().message;
    world_.note([&] { return "the broker cannot start: " + could_not_; });
    life_->background->drop_all();
    drain();
    life_.reset();
    return;
  }
  world_.note([&] { return "the broker is up, life " + std::to_string(lives_); });
  tick(lives_);
}

void Machine::tick(std::uint64_t life) {
  world_.events.after(milliseconds(world_.random.between(200, 1000)), [this, life] {
    if (!up() || lives_ != life) return;
    broker()->tick();
    tell_lines();
    tick(life);
  });
}

const std::shared_ptr<Loop>& Machine::some_loop() {
  return life_->loops[world_.random.below(life_->loops.size())];
}

void Machine::drain() {
  for (int round = 0; round < 3; ++round)
    for (const auto& loop : life_->loops)
      if (!loop->drain()) world_.violate("letters that beget letters without end");
}

void Machine::stop() {
  CHECK(up());
  world_.note([] { return std::string("the broker is stopped"); });
  for (const auto& weak : world_.connections)
    if (const auto connection = weak.lock()) connection->process_died();
  drain();
  const Status done = broker()->stop();
  life_->background->run_all();
  drain();
  tell_lines();
  if (!done && world_.disk_is_well()) world_.violate("the broker cannot stop: " + done.error().message);
  const bool died = world_.disk.down();
  const auto directories = broker()->services().logs.directories();
  const bool all = done && std::ranges::all_of(directories, &log::DirectoryStatus::online);
  life_->broker.reset();
  life_.reset();
  world_.ledger.died(all ? Death::kClean : Death::kKill);
  if (died) {
    world_.disk.crash(simenv::Crash::kProcess);
    return;
  }
  // Whoever was stopped cleanly has everything on disk.
  if (world_.random.one_in(3)) {
    world_.note([] { return std::string("and then the power goes"); });
    if (!all) world_.ledger.died(Death::kPower);
    world_.disk.crash(simenv::Crash::kPower);
    ++boots_;
    tell_files();
  }
}

void Machine::die(Death death) {
  world_.note([&] { return std::string(death == Death::kKill ? "the broker is killed" : "the power goes"); });
  if (up()) end_life();
  world_.ledger.died(death);
  world_.disk.crash(death == Death::kKill ? simenv::Crash::kProcess : simenv::Crash::kPower);
  if (death == Death::kPower) ++boots_;
  tell_files();
}

void Machine::tell_files() {
  world_.note([&] {
    std::string text = "on disk:";
    for (const std::string& path : world_.disk.files()) {
      const auto content = world_.disk.read_file(path);
      text += "\n                 " + path + " " + (content ? std::to_string(content->size()) : "?");
    }
    return text;
  });
}

void Machine::end_life() {
  world_.disk.cut_power_after(0);
  for (const auto& weak : world_.connections)
    if (const auto connection = weak.lock()) connection->process_died();
  // What waits is told, so that nothing keeps itself alive; nobody hears it, and the disk is gone.
  broker()->services().groups->stop();
  broker()->services().replicas.stop();
  drain();
  life_->background->drop_all();
  drain();
  life_->broker.reset();
  life_.reset();
}

void Machine::tell_lines() {
  for (; told_ < life_->events.lines.size(); ++told_) {
    const std::string& text = life_->events.lines[told_].text;
    world_.note([&] { return "  log: " + text; });
    if (text.starts_with("Cannot clean ") && !world_.anything_rotted()) world_.violate(text);
  }
}

}  // namespace moldau::sim
