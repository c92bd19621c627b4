// What is asked of committed offsets: OffsetCommit, OffsetFetch, OffsetDelete, and what happens to them by
// themselves: age (KIP-211) and the deletion of topics. Decides only; Offsets changes when the records are
// applied. (Kafka: OffsetMetadataManager, and the checks of topics of KafkaApis.)
#pragma once

#include <string>
#include <vector>

#include "group/decision.h"
#include "group/group.h"
#include "group/offsets.h"
#include "wire/gen/offset_commit.h"
#include "wire/gen/offset_delete.h"
#include "wire/gen/offset_fetch.h"

namespace moldau::group {

class OffsetRequests {
 public:
  OffsetRequests(Groups& groups, Offsets& offsets) : groups_(groups), offsets_(offsets) {}

  Decision commit(const Context& context, const Caller& caller, const wire::OffsetCommitRequest& request);
  Decision fetch(const Context& context, const Caller& caller, const wire::OffsetFetchRequest& request);
  Decision remove(const Context& context, const Caller& caller, const wire::OffsetDeleteRequest& request);

  // May `committer` commit to this group, as it is now? A group that does not exist is made by the commit of
  // whoever is no member.
  ErrorCode check(std::string_view group, const Committer& committer) const;
  ErrorCode check(const Context& context, const wire::OffsetCommitRequest& request,
                  const Committer& committer) const;

  ErrorCode check_remove(const Context& context, const wire::OffsetDeleteRequest& request) const;
  // Adds tombstones for everything that `group` has committed.
  void add_tombstones(std::string_view group, std::vector<Record>& records) const;
  // Tombstones for what is too old in `group`; and for the group, if nothing is left and nobody is in it.
  void expire(const Context& context, const Group& group, std::vector<Record>& records) const;
  // Tombstones for commits to `topics`: of about `limit` at most.
  std::vector<Record> topics_deleted(const std::vector<std::string>& topics, std::size_t limit) const;

 private:
  Groups& groups_;
  Offsets& offsets_;
};

}  // namespace moldau::group
