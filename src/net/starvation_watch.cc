#include "net/starvation_watch.h"

#include <algorithm>
#include <utility>

#include "net/socket_connection.h"

namespace moldau::net {
namespace {

constexpr env::Duration kBetweenLooks = std::chrono::seconds(1);
constexpr std::size_t kNamed = 5;

}  // namespace

std::optional<std::string> Holders::told(std::uint64_t period, std::vector<HalfFrame> half_frames,
                                         const ReceiveBudget& budget) {
  const std::lock_guard lock(mutex_);
  if (period < period_) return std::nullopt;
  if (period > period_) {
    period_ = period;
    told_ = 0;
    half_frames_.clear();
  }
  half_frames_.insert(half_frames_.end(), std::make_move_iterator(half_frames.begin()),
                      std::make_move_iterator(half_frames.end()));
  if (++told_ < loops_) return std::nullopt;
  return line(budget);
}

std::string Holders::line(const ReceiveBudget& budget) {
  std::ranges::sort(half_frames_, std::greater{}, &HalfFrame::bytes);
  std::size_t of_half_frames = 0;
  for (const HalfFrame& one : half_frames_) of_half_frames += one.bytes;
  std::string text = "Requests wait for memory: " + std::to_string(budget.used()) +
                     " bytes are held, queued.max.request.bytes is " + std::to_string(budget.limit()) + "; " +
                     std::to_string(of_half_frames) + " of them by " + std::to_string(half_frames_.size()) +
                     " requests that have not come to their end";
  for (std::size_t i = 0; i < std::min(half_frames_.size(), kNamed); ++i) {
    const HalfFrame& one = half_frames_[i];
    text += (i == 0 ? ": " : ", ") + one.client + " " + std::to_string(one.bytes) + " of " +
            std::to_string(one.of);
  }
  if (half_frames_.size() > kNamed) text += ", …";
  return text + "; the others by requests that are being served";
}

std::optional<std::string> StarvationWatch::look() {
  const std::uint64_t period = budget_.period();
  if (period == period_) return std::nullopt;
  period_ = period;
  std::vector<Holders::HalfFrame> half_frames;
  for (SocketConnection* connection : connections_) {
    if (!scheduled) connection->begin_pace();
    if (auto half = connection->half_frame()) half_frames.push_back(std::move(*half));
  }
  if (!scheduled) look_later();
  return holders_.told(period, std::move(half_frames), budget_);
}

void StarvationWatch::look_later() {
  last_look_ = loop_.now();
  loop_.schedule(*this, last_look_ + kBetweenLooks);
}

void StarvationWatch::expired() {
  const auto all =
      connections_;  // one that is closed takes itself off the list, and lives until the turn ends
  // A process that was stopped for a while has not seen its clients get on.
  const env::Duration passed = std::min(loop_.now() - last_look_, 2 * kBetweenLooks);
  for (SocketConnection* connection : all) connection->check_pace(passed);
  budget_.end_overdue_turn(loop_.now());
  if (budget_.starves(loop_.now())) look_later();
}

}  // namespace moldau::net
