// A virtual member of a consumer group of the classic protocol, in one of its versions: joins, does what it
// is given, commits, asks what was committed; and stalls, forgets who it is, leaves, comes back with an old
// generation. GroupBook says what must hold.
//
//   out ──find()──▶ found ──join()──▶ joined ──sync()──▶ stable ──work()──▶ …
//    ▲                 ▲                                    │ told to join again, or not known
//    └── the coordinator is elsewhere, or loading ──────────┴──▶ found
#pragma once

#include <memory>
#include <string>

#include "sim/client.h"
#include "sim/group_book.h"
#include "wire/gen/join_group.h"
#include "wire/gen/offset_commit.h"
#include "wire/gen/offset_fetch.h"
#include "wire/gen/sync_group.h"

namespace moldau::sim {

struct MemberSpec {
  std::int16_t join_version = 7, sync_version = 4, heartbeat_version = 3, commit_version = 8,
               fetch_version = 6;
  std::optional<std::string> instance_id;  // needs JoinGroup 5, SyncGroup 3, Heartbeat 3, OffsetCommit 7
  std::string to_string() const;
};

class Member final : public Client {
 public:
  Member(World& world, std::string name, MemberSpec spec, GroupBook& book);

  // Stable, in the generation of all others: who shares the book is asked by the scenario.
  bool done() const override { return phase_ == Phase::kStable; }
  std::int32_t generation() const { return generation_; }
  std::size_t owned() const { return owned_.size(); }

 private:
  enum class Phase : std::uint8_t { kOut, kFound, kJoined, kStable };

  void connected() override;
  void disconnected() override;
  void go_on();
  void go_on_soon(std::int64_t most_ms = 60);
  void find();
  void join();
  void joined(const wire::JoinGroupResponse& response);
  void sync(const wire::JoinGroupResponse& response);
  void synced(const wire::SyncGroupResponse& response);
  void work();
  void misbehave();
  void heartbeat();
  void commit();
  void commit_for(std::int32_t generation, std::int64_t number);
  void look_up();
  void leave_group();
  void told(wire::ErrorCode error);
  void forget_who_i_am();

  const MemberSpec spec_;
  GroupBook& book_;
  Phase phase_ = Phase::kOut;
  bool busy_ = false, resting_ = false;
  std::string id_;
  std::int32_t generation_ = -1;
  std::set<std::int32_t> owned_;
};

}  // namespace moldau::sim
