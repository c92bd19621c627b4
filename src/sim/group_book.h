// What is known of one consumer group from outside. The invariants of groups stand here:
//
//   committed   a commit that was acknowledged is told to whoever asks, or a later one: never an earlier one,
//               unless the power went; and never what somebody tried to commit who was not allowed to
//   assigned    what the leader of a generation gave a member comes to that member, and nobody else of the
//               generation has the same partition
//   calm        once nothing fails any more, everybody is in one generation and every partition has an owner
//
// Members commit ascending numbers, one row for each group, so "later" is "larger". One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/death.h"

namespace moldau::sim {

// What a leader gives one member, as bytes on the wire: "generation/nonce/member/0,2,3".
struct Share {
  std::int32_t generation = -1;
  std::uint64_t nonce = 0;  // of the plan
  std::string member;
  std::set<std::int32_t> partitions;

  std::string to_string() const;
  static Share parse(std::string_view text);
};

struct Topic;

class GroupBook {
 public:
  using Violate = std::function<void(std::string)>;
  GroupBook(std::string group, const Topic& topic, std::int32_t partitions, Violate violate)
      : group_(std::move(group)), topic_(topic), partitions_(partitions), violate_(std::move(violate)) {}

  const std::string& group() const { return group_; }
  const Topic& topic() const { return topic_; }
  std::int32_t partitions() const { return partitions_; }

  // A number for a commit that is allowed, or for one that must be refused.
  std::int64_t next_number() { return ++last_sent_; }
  std::int64_t next_forbidden() { return kForbidden + ++last_sent_; }
  static bool forbidden(std::int64_t number) { return number > kForbidden; }
  void committed(std::int32_t partition, std::int64_t number);
  // `floor` is what was acknowledged when it was asked.
  void fetched(std::int32_t partition, std::int64_t offset, std::int64_t floor);
  std::int64_t acknowledged(std::int32_t partition) const;
  void died(Death death);

  // A leader shares the partitions out among `members`.
  std::vector<Share> plan(std::int32_t generation, const std::vector<std::string>& members);
  // `member` of `generation` was told `share`.
  void assigned(const std::string& member, std::int32_t generation, const Share& share);

 private:
  static constexpr std::int64_t kForbidden = std::int64_t{1} << 40;

  const std::string group_;
  const Topic& topic_;
  const std::int32_t partitions_;
  const Violate violate_;
  std::int64_t last_sent_ = 0;
  std::uint64_t plans_ = 0;
  std::map<std::int32_t, std::int64_t> acknowledged_;
  std::map<std::uint64_t, std::map<std::int32_t, std::string>> owners_;  // by plan, by partition
};

}  // namespace moldau::sim
