#include "group/consumer_migration.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/check.h"
#include "wire/gen/consumer_protocol.h"
#include "wire/reader.h"

namespace moldau::group {
namespace {

constexpr std::int16_t kNewest = wire::ConsumerProtocolSubscription::kMaxVersion;

// Clients from the future say more than we know, behind what we know.
std::optional<std::int16_t> read_version(wire::Reader& reader) {
  const auto version = reader.number<std::int16_t>("version");
  if (!reader.ok() || version < 0) return std::nullopt;
  return std::min(version, kNewest);
}

enum class Unreadable : std::uint8_t { kMalformed, kCustomAssignor };

// What a classic member was given, by topics that exist.
std::expected<Assignment, Unreadable> read_assignment(ByteView bytes, const metadata::Image& image) {
  Assignment result;
  if (bytes.empty()) return result;  // it has never synced
  wire::Reader reader(bytes);
  const auto version = read_version(reader);
  wire::ConsumerProtocolAssignment assignment;
  if (!version || !decode(reader, *version, assignment)) return std::unexpected(Unreadable::kMalformed);
  if (assignment.user_data && !assignment.user_data->empty())
    return std::unexpected(Unreadable::kCustomAssignor);
  for (const auto& one : assignment.assigned_partitions) {
    const metadata::Topic* topic = image.find_topic(one.topic);
    if (topic == nullptr || one.partitions.empty()) continue;
    auto& partitions = result[topic->id];
    partitions.insert(partitions.end(), one.partitions.begin(), one.partitions.end());
    std::ranges::sort(partitions);
    partitions.erase(std::ranges::unique(partitions).begin(), partitions.end());
  }
  return result;
}

Refusal cannot_upgrade(const ClassicGroup& group, std::string_view why) {
  return {ErrorCode::kGroupIdNotFound,
          "Cannot upgrade classic group " + group.name() + " to consumer group because " + std::string(why)};
}

ConsumerMember to_consumer(const ClassicMember& member, std::int32_t generation) {
  ConsumerMember made{.id = member.id,
                      .epoch = generation,
                      .previous_epoch = generation,
                      .instance_id = member.instance_id,
                      .rebalance_timeout_ms = member.rebalance_timeout_ms,
                      .client_id = member.client_id,
                      .client_host = member.client_host,
                      .classic = ClassicSide{member.session_timeout_ms, member.protocols}};
  return made;
}

void add_records(const ConsumerGroup& group, std::vector<Record>& records) {
  const std::string& name = group.name();
  for (const auto& [id, member] : group.members()) records.push_back(consumer_member_record(name, member));
  records.push_back(consumer_epoch_record(name, group.epoch(), group.metadata_hash()));
  for (const auto& [id, target] : group.targets()) {
    records.push_back(consumer_target_record(name, id, target));
  }
  records.push_back(consumer_target_epoch_record(name, group.target_epoch(), group.target_at_ms()));
  for (const auto& [id, member] : group.members()) records.push_back(consumer_current_record(name, member));
}

// The one that most members like best among those that all know.
std::string select_protocol(const std::vector<const ConsumerMember*>& members) {
  std::map<std::string, std::size_t> known, votes;
  for (const ConsumerMember* member : members) {
    std::set<std::string_view> once;
    for (const Protocol& protocol : member->classic->protocols)
      if (once.insert(protocol.name).second) ++known[protocol.name];
  }
  for (const ConsumerMember* member : members) {
    const auto& protocols = member->classic->protocols;
    const auto best = std::ranges::find_if(
        protocols, [&](const Protocol& protocol) { return known[protocol.name] == members.size(); });
    if (best != protocols.end()) ++votes[best->name];
  }
  const auto most = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  return most == votes.end() ? "" : most->first;
}

Assignment held_by(const ConsumerMember& member) {
  Assignment held = without_epochs(member.assigned);
  for (const auto& [topic, partitions] : without_epochs(member.revoking)) {
    auto& all = held[topic];
    all.insert(all.end(), partitions.begin(), partitions.end());
    std::ranges::sort(all);
  }
  return held;
}

// Whether each partition of each topic that is subscribed to is with somebody.
bool all_shared_out(const ConsumerGroup& group, const metadata::Image& image) {
  return std::ranges::all_of(group.demands(), [&](const auto& demand) {
    const metadata::Topic* topic = image.find_topic(demand.first);
    return topic == nullptr || std::ranges::all_of(topic->partitions, [&](const metadata::Partition& p) {
             return group.taken(topic->id, p.index.value);
           });
  });
}

ByteView metadata_for(const ConsumerMember& member, std::string_view protocol) {
  const auto found = std::ranges::find(member.classic->protocols, protocol, &Protocol::name);
  return found == member.classic->protocols.end() ? ByteView{} : ByteView(found->metadata);
}

}  // namespace

std::optional<EmbeddedSubscription> read_subscription(ByteView metadata, const metadata::Image& image) {
  wire::Reader reader(metadata);
  const auto version = read_version(reader);
  wire::ConsumerProtocolSubscription read;
  if (!version || !decode(reader, *version, read)) return std::nullopt;
  EmbeddedSubscription result;
  result.topics = {read.topics.begin(), read.topics.end()};
  if (read.rack_id && !read.rack_id->empty()) result.rack_id = *read.rack_id;
  for (auto& one : read.owned_partitions) {
    if (const metadata::Topic* topic = image.find_topic(one.topic))
      result.owned.push_back({.topic_id = topic->id, .partitions = std::move(one.partitions)});
  }
  return result;
}

Bytes write_assignment(const Assignment& assignment, ByteView subscription, const metadata::Image& image) {
  wire::Reader reader(subscription);
  const std::int16_t version = read_version(reader).value_or(0);
  wire::ConsumerProtocolAssignment out;
  for (const auto& [id, partitions] : assignment) {
    if (const metadata::Topic* topic = image.find_topic(id))
      out.assigned_partitions.push_back({.topic = topic->name, .partitions = partitions});
  }
  wire::Writer writer;
  writer.number(version);
  encode(writer, version, out);
  return writer.to_bytes();
}

Assignment without_epochs(const EpochAssignment& assignment) {
  Assignment result;
  for (const auto& [topic, partitions] : assignment) {
    for (const auto& [partition, epoch] : partitions) result[topic].push_back(partition);
  }
  return result;
}

Verdict<std::unique_ptr<ConsumerGroup>> upgrade(const Context& context, const ClassicGroup& group,
                                                MetadataHashes& hashes, std::vector<Record>& records) {
  if (!may_upgrade(context.config))
    return std::unexpected(cannot_upgrade(group, "online upgrade is disabled."));
  if (group.protocol_type() != "consumer")
    return std::unexpected(cannot_upgrade(group, "the group does not use the consumer embedded protocol."));
  if (group.members().size() > static_cast<std::size_t>(context.config.group_consumer_max_size))
    return std::unexpected(cannot_upgrade(group, "the group size exceeds the consumer group maximum size."));
  auto made = std::make_unique<ConsumerGroup>(group.name());
  for (const auto& [id, classic] : group.members()) {
    ConsumerMember member = to_consumer(*classic, group.generation());
    auto assignment = read_assignment(classic->assignment, context.image);
    const std::string& spoken = group.protocol_name() || classic->protocols.empty()
                                    ? group.protocol_name().value_or("")
                                    : classic->protocols.front().name;
    const auto subscription = read_subscription(classic->metadata(spoken), context.image);
    if (!assignment && assignment.error() == Unreadable::kCustomAssignor)
      return std::unexpected(cannot_upgrade(
          group,
          "an unsupported custom assignor is in use. Please refer to the documentation or switch to a "
          "default assignor before re-attempting the upgrade."));
    if (!assignment || !subscription)
      return std::unexpected(cannot_upgrade(group, "the embedded consumer protocol is malformed."));
    member.topics = subscription->topics;
    member.rack_id = subscription->rack_id;
    for (const auto& [topic, partitions] : *assignment) {
      for (const std::int32_t partition : partitions) {
        // Only one has it, whatever a client's assignor has thought of.
        if (made->taken(topic, partition)) continue;
        member.assigned[topic][partition] = group.generation();
      }
    }
    made->set_target(id, without_epochs(member.assigned));
    made->put(std::move(member));
  }
  made->set_target_epoch(group.generation(), 0);
  // What the leader has left out, or has not seen come, is shared out with the first heartbeat: by a hash
  // that is none, the topics are others than they were.
  const bool whole = all_shared_out(*made, context.image);
  made->set_epoch(group.generation(), whole ? hashes.group_hash(made->demands(), context.image) : 0);
  group.add_tombstones(records);
  add_records(*made, records);
  return made;
}

// Always so of members that joined here; not of what else may stand in the log.
bool share_a_protocol(const ConsumerGroup& group, const std::vector<const ConsumerMember*>& without) {
  std::vector<const ConsumerMember*> left;
  for (const auto& [id, member] : group.members()) {
    if (std::ranges::find(without, &member) != without.end()) continue;
    if (!member.classic) return false;
    left.push_back(&member);
  }
  return left.empty() || !select_protocol(left).empty();
}

bool downgrades(const Context& context, const ConsumerGroup& group,
                const std::vector<const ConsumerMember*>& without, std::size_t heirs) {
  const auto classic_without =
      std::ranges::count_if(without, [](const ConsumerMember* m) { return m->classic.has_value(); });
  const std::size_t left = group.members().size() - without.size();
  if (!share_a_protocol(group, without)) return false;
  return static_cast<std::size_t>(group.classic_members() - classic_without) == left && left + heirs > 0 &&
         may_downgrade(context.config) &&
         left + heirs <= static_cast<std::size_t>(context.config.group_max_size);
}

std::unique_ptr<ClassicGroup> downgrade(const Context& context, Timers& timers, const ConsumerGroup& group,
                                        const std::vector<const ConsumerMember*>& without,
                                        const ConsumerMember* heir) {
  const ConsumerMember* replaced = heir == nullptr ? nullptr : group.find_static(heir->instance_id);
  std::vector<const ConsumerMember*> members;
  for (const auto& [id, member] : group.members()) {
    if (&member != replaced && std::ranges::find(without, &member) == without.end())
      members.push_back(&member);
  }
  if (heir != nullptr) members.push_back(heir);

  const std::string protocol = select_protocol(members);
  wire::GroupMetadataValue value{.protocol_type = "consumer",
                                 .generation = group.epoch(),
                                 .protocol = protocol,
                                 .leader = members.front()->id,
                                 .current_state_timestamp = context.now.wall_ms};
  std::vector<Bytes> assignments;
  assignments.reserve(members.size());  // views into it must last
  for (const ConsumerMember* member : members) {
    CHECK(member->classic.has_value());
    const ByteView said = metadata_for(*member, protocol);
    const Assignment held = held_by(member == heir ? *replaced : *member);
    value.members.push_back(
        {.member_id = member->id,
         .group_instance_id = member->instance_id,
         .client_id = member->client_id,
         .client_host = member->client_host,
         .rebalance_timeout = member->rebalance_timeout_ms,
         .session_timeout = member->classic->session_timeout_ms,
         .subscription = said,
         .assignment = assignments.emplace_back(write_assignment(held, said, context.image))});
  }
  auto stored = ClassicGroup::from_record(timers, group.name(), value);
  CHECK(stored, stored.error().message);
  auto made = std::move(*stored);
  for (const ConsumerMember* member : members) {
    made->set_protocols(*made->find(member->id), member->classic->protocols);
  }
  return made;
}

}  // namespace moldau::group
