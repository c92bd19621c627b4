#include "log/clean_transactions.h"

#include <algorithm>

namespace moldau::log {

CleanTransactions::CleanTransactions(std::vector<AbortedEntry> aborted) : aborted_(std::move(aborted)) {
  std::ranges::sort(aborted_, {}, &AbortedEntry::first_offset);
}

void CleanTransactions::reach(Offset offset) {
  for (; next_ < aborted_.size() && aborted_[next_].first_offset <= offset; ++next_)
    ongoing_.try_emplace(aborted_[next_].producer, Ongoing{aborted_[next_]});
}

bool CleanTransactions::data(const record::BatchHeader& header) {
  reach(header.last_offset);
  if (!header.transactional()) return false;
  const auto found = ongoing_.find(header.producer_id);
  if (found == ongoing_.end()) {
    committed_.insert(header.producer_id);
    return false;
  }
  return found->second.met = true;
}

CleanTransactions::Marker CleanTransactions::control(const record::BatchHeader& header,
                                                     std::optional<record::ControlType> type) {
  reach(header.last_offset);
  if (!type) return {.may_go = true};
  if (*type == record::ControlType::kCommit) return {.may_go = committed_.erase(header.producer_id) == 0};
  if (*type != record::ControlType::kAbort) return {};
  const auto found = ongoing_.extract(header.producer_id);
  if (found.empty() || !found.mapped().met) return {.may_go = true};
  return {.may_go = false, .kept = found.mapped().entry};
}

}  // namespace moldau::log
