// Sends frames over connections in a closed or an open loop and counts what comes back.
//
// Closed loop: each connection keeps `depth` requests in flight; latency runs from the moment of sending.
// Open loop: request i is due at start + i / rate, whatever the broker does; latency runs from that due time
// to the reply, so a stalled broker (or a late generator) is charged for every request that should have gone
// out meanwhile: no coordinated omission. How late the generator itself sent is reported apart (send_lag).
//
//   warming up -> [warmup over] -> counting -> [time or requests over] -> draining -> [nothing in flight] ->
//   done
// One thread.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "loadgen/options.h"
#include "loadgen/report.h"

namespace moldau::bench {

struct Load {
  std::vector<Frame> frames;  // sent in turn; connection c starts at c / connections of the way
  std::int64_t records_per_frame = 0;
  std::int64_t bytes_per_frame = 0;
  bool has_replies = true;  // false for acks=0; an ApiVersions request then fences the end
  std::function<std::int16_t(ByteView reply, const Frame& frame)> error_of;  // 0 when all is well
};

Result<Report> drive(const Options& options, const Load& load);

}  // namespace moldau::bench
