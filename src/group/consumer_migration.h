// A group goes over from one protocol to the other while its members live (KIP-848, "online migration"):
//
//   classic ──▶ consumer   when somebody joins a classic group with ConsumerGroupHeartbeat [upgrade]
//   consumer ──▶ classic   when the last member that speaks the consumer protocol goes [downgrade]
//
// In between, members of both kinds share a consumer group: what a classic one says and hears is the consumer
// protocol, translated (consumer_classic.cc). Its generation is its member epoch.
// group.consumer.migration.policy says which way is open. (Kafka: ConsumerGroup.fromClassicGroup,
// ClassicGroup.fromConsumerGroup.)
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "group/classic_group.h"
#include "group/consumer_group.h"
#include "group/consumer_hash.h"
#include "group/consumer_update.h"

namespace moldau::group {

inline bool may_upgrade(const config::BrokerConfig& config) {
  return config.group_consumer_migration_policy == "bidirectional" ||
         config.group_consumer_migration_policy == "upgrade";
}
inline bool may_downgrade(const config::BrokerConfig& config) {
  return config.group_consumer_migration_policy == "bidirectional" ||
         config.group_consumer_migration_policy == "downgrade";
}

// What a member of the classic protocol says about itself, in ConsumerProtocolSubscription's encoding.
struct EmbeddedSubscription {
  std::set<std::string, std::less<>> topics{};
  std::optional<std::string> rack_id{};
  OwnedPartitions owned{};  // of topics that exist
};
// nullopt: not that encoding.
std::optional<EmbeddedSubscription> read_subscription(ByteView metadata, const metadata::Image& image);

// In ConsumerProtocolAssignment's encoding, in the version of `subscription`, whose reader it is for.
Bytes write_assignment(const Assignment& assignment, ByteView subscription, const metadata::Image& image);
Assignment without_epochs(const EpochAssignment& assignment);

// The consumer group that `group` becomes, as its records will make it; they are added to `records`.
Verdict<std::unique_ptr<ConsumerGroup>> upgrade(const Context& context, const ClassicGroup& group,
                                                MetadataHashes& hashes, std::vector<Record>& records);

// Whether without these members only classic ones are left, and they may go back to their protocol. `heirs`:
// so many classic ones take the place of some of them.
bool downgrades(const Context& context, const ConsumerGroup& group,
                const std::vector<const ConsumerMember*>& without, std::size_t heirs = 0);

// The classic group that the rest of `group` becomes, stable, everybody with what it has now, what it has to
// give back included: so it is as safe as before if the group goes up again before they have joined. `heir`,
// if there is one, takes the place of the static member with its instance id. REQUIRES: all of them are
// classic.
std::unique_ptr<ClassicGroup> downgrade(const Context& context, Timers& timers, const ConsumerGroup& group,
                                        const std::vector<const ConsumerMember*>& without,
                                        const ConsumerMember* heir = nullptr);

}  // namespace moldau::group
