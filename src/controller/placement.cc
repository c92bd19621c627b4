#include "controller/placement.h"

#include <algorithm>
#include <map>

#include "base/check.h"

namespace moldau::controller {
namespace {

template <typename T>
void shuffle(std::vector<T>& items, env::Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

// A ring of brokers. In a new round it starts one place further on; within a round it gives each broker once.
class Ring {
 public:
  void add(BrokerId broker) { brokers_.push_back(broker); }
  std::size_t size() const { return brokers_.size(); }

  void start_at_random(env::Random& random) {
    std::ranges::sort(brokers_);
    if (!brokers_.empty()) offset_ = random.below(brokers_.size());
  }
  void mix(env::Random& random) { shuffle(brokers_, random); }

  std::optional<BrokerId> next(int round) {
    if (brokers_.empty()) return std::nullopt;
    if (round_ != round) {
      round_ = round;
      given_ = 0;
      offset_ = (offset_ + 1) % brokers_.size();
    }
    if (given_ == brokers_.size()) return std::nullopt;
    return brokers_[(given_++ + offset_) % brokers_.size()];
  }

 private:
  std::vector<BrokerId> brokers_;
  std::size_t offset_ = 0, given_ = 0;
  int round_ = 0;
};

struct Rack {
  Ring alive, fenced;

  std::optional<BrokerId> next(int round) {
    if (const auto broker = alive.next(round)) return broker;
    return fenced.next(round);
  }
};

class Racks {
 public:
  Racks(const std::vector<UsableBroker>& brokers, env::Random& random) : random_(random) {
    std::map<std::optional<std::string>, Rack> racks;
    for (const UsableBroker& broker : brokers) {
      Rack& rack = racks[broker.rack];
      (broker.fenced ? rack.fenced : rack.alive).add(broker.id);
    }
    for (auto& [name, rack] : racks) {
      rack.alive.start_at_random(random);
      rack.fenced.start_at_random(random);
      alive_ += rack.alive.size();
      racks_.push_back(std::move(rack));
    }
    offset_ = racks_.empty() ? 0 : random.below(racks_.size());
  }

  std::size_t alive() const { return alive_; }

  // REQUIRES: somebody is alive, and there are `replication_factor` brokers.
  std::vector<BrokerId> place(std::int16_t replication_factor) {
    begin_partition();
    std::vector<BrokerId> replicas;
    std::optional<std::size_t> leader_rack = offset_;
    for (;;) {
      if (const auto leader = racks_[*leader_rack].alive.next(round_)) {
        replicas.push_back(*leader);
        break;
      }
      leader_rack = (*leader_rack + 1) % racks_.size();
    }
    std::size_t rack = offset_;
    while (replicas.size() < static_cast<std::size_t>(replication_factor)) {
      // The leader's rack is passed over once: the others come first.
      std::optional<BrokerId> broker;
      if (leader_rack == rack) {
        leader_rack.reset();
      } else {
        broker = racks_[rack].next(round_);
      }
      if (broker) replicas.push_back(*broker);
      rack = (rack + 1) % racks_.size();
    }
    ++round_;
    ++offset_;
    return replicas;
  }

 private:
  // After as many rounds as there are brokers everything would repeat: mix the cards.
  void begin_partition() {
    if (static_cast<std::size_t>(round_) == alive_ && alive_ > 1) {
      shuffle(racks_, random_);
      for (Rack& rack : racks_) {
        rack.alive.mix(random_);
        rack.fenced.mix(random_);
      }
      round_ = 0;
    }
    if (offset_ == racks_.size()) offset_ = 0;
  }

  env::Random& random_;
  std::vector<Rack> racks_;
  std::size_t alive_ = 0, offset_ = 0;
  int round_ = 0;
};

}  // namespace

Result<std::vector<std::vector<BrokerId>>> place(const std::vector<UsableBroker>& brokers,
                                                 std::int32_t partitions, std::int16_t replication_factor,
                                                 env::Random& random) {
  CHECK(partitions >= 0);
  if (replication_factor <= 0)
    return fail(ErrorKind::kInvalid, "Invalid replication factor " + std::to_string(replication_factor) +
                                         ": the replication factor must be positive.");
  Racks racks(brokers, random);
  if (racks.alive() == 0) return fail(ErrorKind::kInvalid, "All brokers are currently fenced.");
  if (static_cast<std::size_t>(replication_factor) > brokers.size())
    return fail(ErrorKind::kInvalid, "The target replication factor of " +
                                         std::to_string(replication_factor) +
                                         " cannot be reached because only " + std::to_string(brokers.size()) +
                                         " broker(s) are registered or some brokers have all their log "
                                         "directories cordoned.");
  std::vector<std::vector<BrokerId>> placed;
  placed.reserve(static_cast<std::size_t>(partitions));
  for (std::int32_t i = 0; i < partitions; ++i) placed.push_back(racks.place(replication_factor));
  return placed;
}

}  // namespace moldau::controller
