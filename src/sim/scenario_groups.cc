// The groups of a world: who is in them, and when they are well.
#include <algorithm>

#include "sim/scenario.h"

namespace moldau::sim {
namespace {

TopicPartitions both(const TopicPartitions& one, const TopicPartitions& other) {
  TopicPartitions common;
  std::ranges::set_intersection(one, other, std::inserter(common, common.end()));
  return common;
}

}  // namespace

void Scenario::make_group() {
  simenv::Random& random = world_.random;
  const Topic& topic = *world_.ledger.topics().front();
  GroupBook& book = world_.ledger.add_group("g", topic, static_cast<std::int32_t>(topic.partitions.size()));
  for (auto left = random.between(1, 3), i = std::int64_t{0}; i < left; ++i) {
    MemberSpec spec;
    const bool instance = random.one_in(4);
    spec.join_version = static_cast<std::int16_t>(random.between(instance ? 5 : 0, 9));
    spec.sync_version = static_cast<std::int16_t>(random.between(instance ? 3 : 0, 5));
    spec.heartbeat_version = static_cast<std::int16_t>(random.between(instance ? 3 : 0, 4));
    spec.commit_version = static_cast<std::int16_t>(random.between(instance ? 7 : 1, 9));
    spec.fetch_version = static_cast<std::int16_t>(random.between(1, 7));
    if (instance) spec.instance_id = "i" + std::to_string(i);
    const std::string name = "m" + std::to_string(i);
    world_.note([&] { return "member " + name + ": " + spec.to_string(); });
    auto member = std::make_unique<Member>(world_, name, std::move(spec), book);
    members_.push_back(member.get());
    clients_.push_back(std::move(member));
  }
}

// Dice of its own: worlds without such a group are what they were before there were any.
void Scenario::make_owners() {
  simenv::Random lot(world_.seed ^ 0x0848);
  if (!lot.one_in(5)) return;
  std::vector<const Topic*> topics;
  for (const auto& topic : world_.ledger.topics())
    if (!topic->name.starts_with("spare")) topics.push_back(topic.get());
  OwnerBook& book = world_.ledger.add_owners("h", topics);
  const bool migrates = lot.one_in(4);
  const auto count = lot.between(1, 3);
  for (int i = 0; i < count; ++i) {
    OwnerSpec spec = owner_spec(lot, i, migrates);
    const std::string name = "o" + std::to_string(i);
    world_.note([&] { return "owner " + name + ": " + spec.to_string(); });
    auto owner = std::make_unique<Owner>(world_, name, std::move(spec), book);
    owners_.push_back(owner.get());
    clients_.push_back(std::move(owner));
  }
  if (lot.one_in(2)) plan_death_in_commit(lot);
}

OwnerSpec Scenario::owner_spec(simenv::Random& lot, int number, bool migrates) {
  OwnerSpec spec;
  const bool instance = lot.one_in(4);
  spec.heartbeat_version = static_cast<std::int16_t>(lot.one_in(3) ? 0 : 1);
  spec.commit_version = static_cast<std::int16_t>(lot.between(9, 10));
  spec.fetch_version = static_cast<std::int16_t>(lot.between(8, 10));
  spec.join_version =
      static_cast<std::int16_t>(lot.between(instance ? 9 : 1, 9));  // 9: a leader is told that it is one
  spec.sync_version = static_cast<std::int16_t>(lot.between(instance ? 3 : 0, 5));
  spec.classic_heartbeat_version = static_cast<std::int16_t>(lot.between(instance ? 3 : 0, 4));
  spec.classic_commit_version = static_cast<std::int16_t>(lot.between(instance ? 7 : 1, 9));
  spec.rebalance_ms = static_cast<std::int32_t>(lot.between(300, 1500));
  if (instance) spec.instance_id = "j" + std::to_string(number);
  if (lot.one_in(3)) spec.assignor = lot.one_in(2) ? "range" : "uniform";
  spec.by_regex = spec.heartbeat_version >= 1 && lot.one_in(3);
  spec.migrates = migrates;
  spec.classic = migrates && !lot.one_in(4);
  return spec;
}

// The coordinator's end comes while it writes down what it has decided.
void Scenario::plan_death_in_commit(simenv::Random& lot) {
  const Death death = lot.one_in(4) ? Death::kPower : Death::kKill;
  const std::uint64_t writes = lot.below(8);
  world_.events.after(milliseconds(lot.between(30, kTroubled / milliseconds(1))), [this, death, writes] {
    if (world_.calm) return;
    death_in_write_ = death;
    world_.note([] { return std::string("mishap: the end comes at one of the next appends for groups"); });
    world_.disk.cut_power_in_write_to("/__consumer_offsets-", writes);
  });
}

// Each has settled, all in one epoch, and everything that one of them is subscribed to has one owner.
bool Scenario::owners_agree() const {
  TopicPartitions wanted;
  std::vector<TopicPartitions> held;
  const bool no_leader = std::ranges::all_of(owners_, &Owner::follows);
  for (const Owner* owner : owners_) {
    if (!owner->done() || owner->epoch() != owners_.front()->epoch()) return false;
    wanted.merge(owner->wanted());
    // Of a topic that is gone, as the coordinator describes it.
    held.push_back(both(owner->held(), owner->all_partitions()));
  }
  // What nobody had to notice may be with nobody.
  for (const Owner* owner : owners_)
    if (no_leader) wanted = both(wanted, owner->seen());
  for (TopicPartitions& one : held)
    if (no_leader) one = both(one, wanted);
  return OwnerBook::shared_out(wanted, held);
}

// Everybody is in one generation, and nobody's work is left undone.
bool Scenario::group_is_stable() const {
  if (members_.empty()) return true;
  return std::ranges::all_of(members_, [&](const Member* member) {
    return member->done() && member->generation() == members_.front()->generation();
  });
}

}  // namespace moldau::sim
