// The records that a consumer group leaves in __consumer_offsets, keys 3 to 8 and 16 (byte formats:
// schema/consumer_group_records.def). Pure functions. (Kafka: GroupCoordinatorRecordHelpers.)
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "group/assignor.h"
#include "group/consumer_member.h"
#include "group/records.h"

namespace moldau::group {

// The topics that a regular expression stands for, as far as is known.
struct ResolvedRegex {
  std::set<std::string, std::less<>> topics{};
  std::int64_t version = 0;  // of the metadata that were looked at: the offset of their log
  std::int64_t at_ms = 0;    // wall clock

  bool operator==(const ResolvedRegex&) const = default;
};

Record consumer_epoch_record(std::string_view group, std::int32_t epoch, std::int64_t metadata_hash);
Record consumer_member_record(std::string_view group, const ConsumerMember& member);
Record consumer_current_record(std::string_view group, const ConsumerMember& member);
Record consumer_target_record(std::string_view group, std::string_view member, const Assignment& target);
Record consumer_target_epoch_record(std::string_view group, std::int32_t epoch, std::int64_t at_ms);
Record consumer_regex_record(std::string_view group, std::string_view regex, const ResolvedRegex& resolved);

Record consumer_epoch_tombstone(std::string_view group);
Record consumer_partition_metadata_tombstone(std::string_view group);
Record consumer_member_tombstone(std::string_view group, std::string_view member);
Record consumer_current_tombstone(std::string_view group, std::string_view member);
Record consumer_target_tombstone(std::string_view group, std::string_view member);
Record consumer_target_epoch_tombstone(std::string_view group);
Record consumer_regex_tombstone(std::string_view group, std::string_view regex);

// What makes replay forget a member. In the order in which replay wants them.
void add_member_tombstones(std::vector<Record>& records, std::string_view group, std::string_view member);

}  // namespace moldau::group
