#include "broker/cold_reads.h"

#include <algorithm>
#include <utility>

#include "base/fault.h"
#include "broker/post.h"
#include "broker/services.h"

namespace moldau::broker {
namespace {

constexpr std::uint64_t kColdReads = 0x636f6c6400;  // env::Background's key of the first loop
constexpr std::uint64_t kReadAtLeast = 64u << 10;   // of a file: what is looked at next lies there, too

}  // namespace

bool ColdReads::read_in(Call& call, std::move_only_function<void()> then) {
  auto parts = haste_.take();
  patient_ = ++rounds_ > kMostRounds;
  if (patient_) return false;
  env::Loop& loop = call.loop();
  patient_ = !call.services().background.submit(
      kColdReads + loop.index(), [&loop, parts = std::move(parts), then = std::move(then)]() mutable {
        for (const env::FilePart& part : parts)
          env::read_through(*part.file, part.position, std::max(part.length, kReadAtLeast));
        parts.clear();
        if (!fault_is(Fault::kForgetColdRead)) post(loop, std::move(then));
      });
  if (!patient_) call.services().metrics.cold_lookups.add();
  return !patient_;
}

}  // namespace moldau::broker
