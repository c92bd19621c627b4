#include "log/future_log.h"

#include <charconv>
#include <utility>

#include "base/check.h"
#include "log/log_state.h"

namespace moldau::log {

Result<std::int64_t> load_move_generation(env::FileSystem& fs, const std::string& folder) {
  const auto content = fs.read_file(folder + "/" + kMoveGenerationName, 64);
  if (!content && content.error().kind == ErrorKind::kNotFound) return 0;
  if (!content) return std::unexpected(content.error());
  const std::string_view text = as_text(*content);
  std::int64_t generation = 0;
  if (!text.starts_with("0\n") || !text.ends_with('\n')) return 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), generation);
  const bool good = error == std::errc() && end == text.data() + text.size() - 1 && generation > 0;
  return good ? generation : 0;
}

Status store_move_generation(env::FileSystem& fs, const std::string& folder, std::int64_t generation) {
  return fs.replace_file(folder + "/" + kMoveGenerationName,
                         as_bytes("0\n" + std::to_string(generation) + "\n"));
}

void FutureGuard::run(const std::function<void()>& work) {
  const auto successor = state_.with([&](State& s) -> std::shared_ptr<Exclusion> {
    if (s.successor == nullptr && !s.closed) work();
    return s.successor;
  });
  if (successor != nullptr) successor->run(work);
}

bool FutureGuard::hold(const std::function<void()>& work) {
  return state_.with([&](State& s) {
    if (s.closed || s.successor != nullptr) return false;
    work();
    s.successor = std::exchange(coming_, nullptr);
    return true;
  });
}

void FutureGuard::close() {
  state_.with([](State& s) { s.closed = true; });
}

void FutureGuard::succeed_within(std::shared_ptr<Exclusion> successor) { coming_ = std::move(successor); }

Status Log::take_over(Log& original) {
  LogState &s = *state_, &o = *original.state_;
  TRY(o.ensure_loaded());
  TRY(s.ensure_loaded());
  s.config = o.config;
  s.epochs = o.epochs;
  s.epochs_changed();
  s.producers.copy_from(o.producers);
  TRY(s.write_snapshot(s.end));
  TRY_ASSIGN(snapshot, s.context.fs->open(s.home().path(s.end, kSnapshotSuffix), env::OpenMode::kReadWrite));
  return snapshot->sync();
}

Status Log::skip_to(Offset offset, std::int64_t now_ms) {
  LogState& s = *state_;
  TRY(s.ensure_loaded());
  CHECK(offset >= s.end);
  if (offset == s.end) return {};
  return s.segments.size() == 1 && s.active().size() == 0 ? truncate_fully_and_start_at(offset)
                                                          : s.roll(offset, now_ms);
}

}  // namespace moldau::log
