#include "broker/fetch_reader.h"

#include <algorithm>

namespace moldau::broker {
namespace {

void read_one(FetchPart& part, const FetchLimits& limits, env::Haste* haste, FetchRound& round) {
  if (part.partition == nullptr) {
    part.read.error = part.unresolved;
    round.answer_now = true;
    return;
  }
  const std::uint64_t left = limits.max_bytes > round.bytes ? limits.max_bytes - round.bytes : 0;
  const auto wanted = static_cast<std::uint64_t>(std::max(part.wish.max_bytes, 0));
  const replica::ReadOptions options{
      .from = Offset{part.wish.fetch_offset},
      .current_leader_epoch = part.wish.current_leader_epoch,
      .last_fetched_epoch = part.wish.last_fetched_epoch,
      .max_bytes = std::min(wanted, left),
      .min_one = limits.min_one && round.bytes == 0,
      .isolation = limits.isolation,
      .haste = haste,
  };
  part.read = part.partition->with([&](replica::Partition& p) { return p.read(options); });
  part.converted.clear();
  round.bytes += part.read.slice.length;
  // What does not fit now will not fit later: whoever wants min_bytes would wait for them in vain. (Kafka
  // cuts batches to fill max_bytes, and so gets there.)
  const bool full = part.read.first_batch_cut || part.read.more;
  round.answer_now |= full || part.read.error != wire::ErrorCode::kNone || part.read.diverging.has_value();
}

}  // namespace

FetchRound read_all(std::vector<FetchPart>& parts, const FetchLimits& limits, env::Haste* haste) {
  FetchRound round;
  for (FetchPart& part : parts) read_one(part, limits, haste, round);
  return round;
}

}  // namespace moldau::broker
