// A virtual member of a group that owns partitions of real topics. It speaks the consumer protocol (KIP-848),
// or the classic one as Java's eager consumer does, and in some worlds goes over from one to the other. It
// owns what it was given until it lets go by itself, says what it owns, commits for that; and it stalls,
// holds on to what it is to give back, crashes, leaves, comes back with old, future and foreign names and
// epochs. OwnerBook and GroupBook say what must hold.
//
// clang-format off
//   consumer protocol                              classic protocol
//   out ──find()──▶ found ──heartbeat()──▶ in      out ──find()──▶ found ──join()──▶ joined ──sync()──▶ in
//    ▲                ▲  epoch 0, owns nothing │      ▲               ▲                                 │
//    │                └─ fenced, not known ────┤      │               └─ told to join, not known: ──────┤
//    │                                         │      │                  it gives up all it has         │
//    └─ the coordinator is elsewhere, loading ─┘      └─ the coordinator is elsewhere, loading ─────────┘
// clang-format on
//
// Where a reply was lost it does not know what it was told: it asks for all again. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/client.h"
#include "sim/owner_book.h"
#include "wire/gen/consumer_group_heartbeat.h"
#include "wire/gen/join_group.h"
#include "wire/gen/offset_commit.h"
#include "wire/gen/sync_group.h"

namespace moldau::sim {

struct OwnerSpec {
  std::int16_t heartbeat_version = 1;  // ConsumerGroupHeartbeat; from 1 on members make their own ids
  std::int16_t commit_version = 9, fetch_version = 9;
  std::int16_t join_version = 7, sync_version = 4, classic_heartbeat_version = 3, classic_commit_version = 8;
  std::int32_t rebalance_ms = 1000;
  std::optional<std::string> instance_id{};
  std::string assignor{};  // empty: no wish
  bool by_regex = false;   // subscribed, to begin with; needs ConsumerGroupHeartbeat 1
  bool classic = false;    // as it begins
  bool migrates = false;   // restarts now and then and speaks the other protocol

  std::string to_string() const;
};

class Owner final : public Client {
 public:
  Owner(World& world, std::string name, OwnerSpec spec, OwnerBook& book);

  // Nothing fails any more, and the coordinator has described the group as this member sees it.
  bool done() const override { return settled_; }
  std::int32_t epoch() const { return epoch_; }
  const TopicPartitions& held() const { return held_; }
  // What it is subscribed to, of the topics that there are.
  TopicPartitions wanted() const;
  TopicPartitions all_partitions() const;  // … that anybody in the group may be subscribed to
  // Of the classic protocol, and does not lead: new partitions are the leader's affair. Where a group came
  // from the consumer protocol nobody may know that he leads.
  bool follows() const { return classic_ && !planned_; }
  // What there was when it was given what it has.
  const TopicPartitions& seen() const { return seen_; }

  static constexpr std::int32_t kSessionMs = 1000;  // as machine.cc sets it for consumer groups
  static constexpr std::int64_t kPaceMs = 150;

 private:
  enum class Phase : std::uint8_t { kOut, kFound, kJoined, kIn };
  struct Asked {  // what was known when a request was sent
    std::uint64_t era = 0, incarnation = 0;
    std::shared_ptr<RequestNote::Times> times = std::make_shared<RequestNote::Times>();
  };
  using Beat = wire::ConsumerGroupHeartbeatRequest;

  // owner.cc
  void connected() override { go_on(); }
  void disconnected() override;
  void go_on();
  void go_on_soon(std::int64_t most_ms = kPaceMs);
  void find();
  void work();
  void work_in_calm();
  void misbehave();
  void crash();
  void switch_protocol();
  void leave_group();
  void told(wire::ErrorCode error);
  void start_anew(bool with_new_id);
  void give_up(const TopicPartitions& partitions);
  void take(const TopicPartitions& partitions, env::Instant from);
  Asked now_asked() const { return {.era = book_.era(), .incarnation = incarnation_}; }
  bool outdated(const Asked& asked);
  std::string topic_of(const Uuid& id);
  OwnerBook::Standing& standing() { return book_.standing(number_); }

  // owner_heartbeat.cc
  Beat beat_request(std::int32_t epoch) const;
  void add_owned(Beat& request, const TopicPartitions& owned) const;
  void heartbeat();
  void answered(const Asked& asked, const wire::ConsumerGroupHeartbeatResponse& response,
                const std::optional<TopicPartitions>& said, bool must_tell);
  void confirm(const Asked& asked, const std::optional<TopicPartitions>& said);
  void reconcile(env::Instant decided);
  void let_go_later();
  void beat_wrongly();
  void leave_with(std::int32_t epoch);
  void change_wishes();
  void describe();

  // owner_classic.cc
  void join();
  void joined(const Asked& asked, const wire::JoinGroupResponse& response);
  void sync(const wire::JoinGroupResponse& response);
  void synced(const Asked& asked, const wire::SyncGroupResponse& response);
  void classic_heartbeat();
  void leave_classic();

  // owner_commit.cc
  void commit();
  void commit_wrongly();
  void commit_for(const TopicPartition& partition, std::int32_t epoch, std::int64_t number,
                  std::int16_t version);
  void look_up();

  const OwnerSpec spec_;
  OwnerBook& book_;
  const std::size_t number_;  // in the book
  bool classic_;
  Phase phase_ = Phase::kOut;
  bool busy_ = false, resting_ = false;
  std::uint64_t era_ = 0, incarnation_ = 0;

  std::string id_;
  int ids_made_ = 0;
  std::int32_t epoch_ = 0;            // or generation; 0: must join
  std::vector<std::int32_t> epochs_;  // in this incarnation, growing
  std::vector<std::string> names_;    // subscribed to by name
  std::string regex_;
  TopicPartitions assigned_;                       // as it was told last
  TopicPartitions held_;                           // what it owns
  TopicPartitions told_;                           // what it said last that it owns, and was answered
  std::map<TopicPartition, std::int32_t> lacked_;  // at this epoch it had it not; since then it may have
  bool tell_all_ = true, letting_go_ = false, revokes_ = false;
  std::optional<TopicPartitions> planned_;  // as the leader of a classic group
  TopicPartitions seen_;                    // as a member of one
  bool settled_ = false, committed_in_calm_ = false;
};

}  // namespace moldau::sim
