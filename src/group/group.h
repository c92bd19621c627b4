// What groups of all protocols have in common, as offsets, listings and deletion see them. A Group belongs to
// one Machine. (Kafka: org.apache.kafka.coordinator.group.Group.)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "group/decision.h"

namespace moldau::group {

// As whom somebody commits: OffsetCommit's and TxnOffsetCommit's claims. Views: good for the call.
struct Committer {
  std::string_view member_id{};
  std::optional<std::string_view> instance_id{};
  std::int32_t generation_or_epoch = -1;
  bool transactional = false;
  std::int16_t version = 0;  // of the request
};

// From when on an offset of a group ages (KIP-211): its own commit, unless the group says otherwise.
struct Ageing {
  std::optional<std::int64_t> since_ms{};
};

class Group {
 public:
  enum class Type : std::uint8_t { kClassic, kConsumer };

  explicit Group(std::string name) : name_(std::move(name)) {}
  virtual ~Group() = default;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  const std::string& name() const { return name_; }
  virtual Type type() const = 0;
  virtual std::string_view state_name() const = 0;     // "Stable", as ListGroups tells it
  virtual std::string_view protocol_type() const = 0;  // "consumer"; "" for commits without members
  virtual bool empty() const = 0;                      // of members
  virtual bool has_member(std::string_view member_id) const = 0;

  virtual ErrorCode check_commit(const Committer& committer) const = 0;
  // Of one partition, where the whole is well: an old epoch may do for what a member has had since then.
  virtual ErrorCode check_commit_of(const Committer&, const Uuid& /*topic*/,
                                    std::int32_t /*partition*/) const {
    return ErrorCode::kNone;
  }
  virtual ErrorCode check_offset_fetch(std::string_view member_id, std::int32_t epoch) const = 0;
  virtual ErrorCode check_delete() const = 0;         // DeleteGroups: NON_EMPTY_GROUP …
  virtual ErrorCode check_offset_delete() const = 0;  // OffsetDelete as a whole
  virtual bool subscribed_to(std::string_view topic) const = 0;
  // nullopt: its offsets do not age now.
  virtual std::optional<Ageing> ageing() const = 0;
  // What makes replay forget the group (not its offsets).
  virtual void add_tombstones(std::vector<Record>& records) const = 0;

 private:
  const std::string name_;
};

constexpr std::string_view type_name(Group::Type type) {
  return type == Group::Type::kClassic ? "classic" : "consumer";
}

// The groups of one machine, by name (sorted: listings and runs are the same each time).
class Groups {
 public:
  Group* find(std::string_view name) {
    const auto found = all_.find(name);
    return found == all_.end() ? nullptr : found->second.get();
  }
  const Group* find(std::string_view name) const { return const_cast<Groups*>(this)->find(name); }
  // nullptr as well where a group of that name is of another type.
  template <typename T>
  T* find_as(std::string_view name) {
    Group* found = find(name);
    return found != nullptr && found->type() == T::kType ? static_cast<T*>(found) : nullptr;
  }
  // Replaces a group of that name.
  template <typename T>
  T& put(std::unique_ptr<T> group) {
    T& added = *group;
    const std::string name = added.name();
    all_[name] = std::move(group);
    return added;
  }
  void remove(std::string_view name) {
    if (const auto found = all_.find(name); found != all_.end()) all_.erase(found);
  }
  const std::map<std::string, std::unique_ptr<Group>, std::less<>>& all() const { return all_; }

 private:
  std::map<std::string, std::unique_ptr<Group>, std::less<>> all_;
};

}  // namespace moldau::group
