#include "sim/group_book.h"

#include <algorithm>
#include <charconv>

#include "sim/ledger.h"

namespace moldau::sim {
namespace {

std::string_view take(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view front = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return front;
}

template <typename T>
T number(std::string_view text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string Share::to_string() const {
  std::string text = std::to_string(generation) + "/" + std::to_string(nonce) + "/" + member + "/";
  for (const std::int32_t partition : partitions) text += std::to_string(partition) + ",";
  return text;
}

Share Share::parse(std::string_view text) {
  Share share;
  share.generation = number<std::int32_t>(take(text, '/'));
  share.nonce = number<std::uint64_t>(take(text, '/'));
  share.member = take(text, '/');
  while (!text.empty()) share.partitions.insert(number<std::int32_t>(take(text, ',')));
  return share;
}

void GroupBook::committed(std::int32_t partition, std::int64_t number) {
  if (number > kForbidden)
    return violate_("group " + group_ + ": a commit of an old generation was taken for partition " +
                    std::to_string(partition));
  acknowledged_[partition] = std::max(acknowledged_[partition], number);
}

std::int64_t GroupBook::acknowledged(std::int32_t partition) const {
  const auto found = acknowledged_.find(partition);
  return found == acknowledged_.end() ? -1 : found->second;
}

void GroupBook::fetched(std::int32_t partition, std::int64_t offset, std::int64_t floor) {
  const auto where = [&] {
    return "group " + group_ + " is told " + std::to_string(offset) + " for partition " +
           std::to_string(partition);
  };
  if (offset > kForbidden) return violate_(where() + ", which nobody was allowed to commit");
  if (offset > last_sent_) return violate_(where() + ", which nobody has committed");
  // With a topic go its commits; and the power may have gone since it was asked.
  if (topic_.dying) return;
  floor = std::min(floor, acknowledged(partition));
  if (offset < floor) violate_(where() + ", and " + std::to_string(floor) + " was acknowledged before");
}

void GroupBook::died(Death death) {
  if (death == Death::kPower) acknowledged_.clear();
}

std::vector<Share> GroupBook::plan(std::int32_t generation, const std::vector<std::string>& members) {
  std::vector<Share> shares;
  const std::uint64_t nonce = ++plans_;
  for (const std::string& member : members) shares.push_back({generation, nonce, member, {}});
  for (std::int32_t p = 0; p < partitions_ && !shares.empty(); ++p) {
    Share& share = shares[static_cast<std::size_t>(p) % shares.size()];
    share.partitions.insert(p);
    owners_[nonce][p] = share.member;
  }
  return shares;
}

void GroupBook::assigned(const std::string& member, std::int32_t generation, const Share& share) {
  const std::string who =
      "group " + group_ + ": member " + member + " of generation " + std::to_string(generation);
  if (share.member != member || share.generation != generation)
    return violate_(who + " is told what was meant for " + share.member + " of generation " +
                    std::to_string(share.generation));
  for (const std::int32_t partition : share.partitions) {
    const auto plan = owners_.find(share.nonce);
    const bool own =
        plan != owners_.end() && plan->second.contains(partition) && plan->second.at(partition) == member;
    if (!own)
      return violate_(who + " is told to own partition " + std::to_string(partition) +
                      ", which it was not given");
  }
}

}  // namespace moldau::sim
