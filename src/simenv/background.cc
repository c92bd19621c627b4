#include "simenv/background.h"

#include <algorithm>

namespace moldau::simenv {

bool Background::run_one() {
  if (jobs_.empty()) return false;
  auto chosen = jobs_.begin();
  if (random_ != nullptr) {
    const std::uint64_t key = jobs_[random_->below(jobs_.size())].first;
    chosen = std::ranges::find(jobs_, key, &decltype(jobs_)::value_type::first);  // its oldest
  }
  auto job = std::move(chosen->second);
  jobs_.erase(chosen);
  job();
  return true;
}

}  // namespace moldau::simenv
