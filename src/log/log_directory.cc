#include "log/log_directory.h"

#include <algorithm>
#include <utility>

#include "base/fault.h"

namespace moldau::log {
namespace {

constexpr const char* kLockName = ".lock";
constexpr const char* kCleanName = ".kafka_cleanshutdown";

}  // namespace

Status LogDirectory::open() {
  if (!fs_.exists(path_)) TRY(fs_.create_directories(path_));
  TRY_ASSIGN(lock, fs_.lock(file(kLockName)));
  lock_ = std::move(lock);
  TRY_ASSIGN(meta, load_meta_properties(fs_, path_));
  meta_ = std::move(meta);
  return {};
}

Status LogDirectory::claim(const std::string& cluster_id, BrokerId node_id, env::Random& random) {
  const auto wrong = [&](const char* key, const std::string& expected, const std::string& found) {
    return moldau::fail(ErrorKind::kInvalid, file(kMetaPropertiesName) + ": " + key + ": expected " +
                                                 expected + ", found " + found);
  };
  MetaProperties wanted = meta_.value_or(MetaProperties{});
  if (wanted.cluster_id && *wanted.cluster_id != cluster_id)
    return wrong("cluster.id", cluster_id, *wanted.cluster_id);
  if (wanted.node_id && *wanted.node_id != node_id)
    return wrong(wanted.version == 0 ? "broker.id" : "node.id", std::to_string(node_id.value),
                 std::to_string(wanted.node_id->value));
  wanted.version = 1;
  wanted.cluster_id = cluster_id;
  wanted.node_id = node_id;
  if (!wanted.directory_id) wanted.directory_id = random.uuid();
  id_ = *wanted.directory_id;
  claimed_ = std::move(wanted);
  return {};
}

Status LogDirectory::store_claim() {
  if (!claimed_ || meta_ == claimed_) return {};
  TRY(store_meta_properties(fs_, path_, *claimed_));
  meta_ = claimed_;
  return {};
}

OffsetMap LogDirectory::read(const char* name, std::vector<std::string>& lines) {
  auto offsets = load_offsets(fs_, file(name));
  if (offsets) return std::move(*offsets);
  lines.push_back(offsets.error().message + "; taken as empty");
  checkpoints_whole_ = false;
  return {};
}

Status LogDirectory::load(const std::string& boot_id, std::vector<std::string>& lines) {
  boot_id_ = boot_id;
  was_clean_ = fs_.exists(file(kCleanName));
  if (was_clean_) {  // from now on a crash leaves no trace of cleanliness
    TRY(fs_.remove(file(kCleanName)));
    TRY(fs_.sync_directory(path_));
  }
  if (!fs_.exists(file(kRecoveryPointName))) {
    // A fresh directory gets one at once: a log that has no line there is then known to be young.
    TRY_ASSIGN(content, fs_.list(path_));
    // The quorum's own folder may be there already.
    checkpoints_whole_ = std::ranges::none_of(content, [](const env::DirEntry& e) {
      return e.is_directory && !e.name.starts_with("__cluster_metadata-");
    });
    if (checkpoints_whole_) TRY(store_offsets(fs_, file(kRecoveryPointName), {}));
  }
  Checkpoints found;
  found.recovery_points = read(kRecoveryPointName, lines);
  found.log_starts = read(kLogStartName, lines);
  found.high_watermarks = read(kHighWatermarkName, lines);
  found.cleaned = read(kCleanerName, lines);
  if (!was_clean_ && !boot_id.empty() && fs_.exists(file(kWrittenName))) {
    const auto content = fs_.read_file(file(kWrittenName));
    auto written =
        content ? parse_written(as_text(*content), file(kWrittenName)) : std::unexpected(content.error());
    if (written && (written->boot_id == boot_id || fault_is(Fault::kTrustOtherBoot)))
      found.written = std::move(written->offsets);
    if (!written) lines.push_back(written.error().message + "; taken as empty");
  }
  checkpoints_.with([&](Checkpoints& c) { c = std::move(found); });
  return {};
}

std::string LogDirectory::why_offline() const {
  return why_offline_.with([](const std::string& why) { return why; });
}

bool LogDirectory::fail(std::string why) {
  if (!online_.exchange(false, std::memory_order_acq_rel)) return false;
  why_offline_.with([&](std::string& kept) { kept = std::move(why); });
  return true;
}

bool LogDirectory::may_tell_full(env::Instant now) {
  env::Instant from = tell_full_from_.load(std::memory_order_relaxed);
  return now >= from && tell_full_from_.compare_exchange_strong(from, now + std::chrono::minutes(1));
}

std::optional<Offset> LogDirectory::get(OffsetMap Checkpoints::* which,
                                        const TopicPartition& partition) const {
  return checkpoints_.with([&](const Checkpoints& c) -> std::optional<Offset> {
    const auto found = (c.*which).find(partition);
    return found == (c.*which).end() ? std::nullopt : std::optional(found->second);
  });
}

std::optional<Offset> LogDirectory::recovery_point(const TopicPartition& p) const {
  return get(&Checkpoints::recovery_points, p);
}
std::optional<Offset> LogDirectory::log_start(const TopicPartition& p) const {
  return get(&Checkpoints::log_starts, p);
}
std::optional<Offset> LogDirectory::high_watermark(const TopicPartition& p) const {
  return get(&Checkpoints::high_watermarks, p);
}
bool LogDirectory::cleaned(const TopicPartition& p) const {
  return get(&Checkpoints::cleaned, p).has_value();
}
std::optional<Offset> LogDirectory::written(const TopicPartition& p) const {
  return get(&Checkpoints::written, p);
}

// Within the exclusion: two writers of one file would tread on each other's temporary.
Status LogDirectory::store(OffsetMap Checkpoints::* which, const char* name, OffsetMap&& offsets) {
  return checkpoints_.with([&](Checkpoints& c) -> Status {
    if (c.*which == offsets && fs_.exists(file(name))) return {};
    TRY(store_offsets(fs_, file(name), offsets));
    c.*which = std::move(offsets);
    return {};
  });
}

Status LogDirectory::store_recovery_points(OffsetMap points) {
  return store(&Checkpoints::recovery_points, kRecoveryPointName, std::move(points));
}
Status LogDirectory::store_log_starts(OffsetMap starts) {
  return store(&Checkpoints::log_starts, kLogStartName, std::move(starts));
}
Status LogDirectory::store_high_watermarks(OffsetMap offsets) {
  return store(&Checkpoints::high_watermarks, kHighWatermarkName, std::move(offsets));
}

// Without sync: it is of use while the machine runs, and torn it is noticed.
Status LogDirectory::write_written(const OffsetMap& offsets) {
  const std::string temporary = file(kWrittenName) + ".tmp";
  {
    TRY_ASSIGN(out, fs_.open(temporary, env::OpenMode::kTruncate));
    TRY(out->write_at(0, as_bytes(format_written({boot_id_, offsets}))));
  }
  return fs_.rename(temporary, file(kWrittenName));
}

Status LogDirectory::store_written(OffsetMap offsets) {
  if (boot_id_.empty()) return {};
  return checkpoints_.with([&](Checkpoints& c) -> Status {
    if (c.written == offsets) return {};
    TRY(write_written(offsets));
    c.written = std::move(offsets);
    return {};
  });
}

Status LogDirectory::lower(const TopicPartition& partition, std::optional<Offset> end,
                           std::optional<Offset> start) {
  return checkpoints_.with([&](Checkpoints& c) -> Status {
    if (c.written.erase(partition) > 0) TRY(write_written(c.written));
    const auto bring_down = [&](OffsetMap& kept, std::optional<Offset> limit, const char* name) -> Status {
      const auto found = kept.find(partition);
      if (found == kept.end() || (limit && found->second <= *limit)) return {};
      OffsetMap offsets = kept;
      if (limit)
        offsets[partition] = *limit;
      else
        offsets.erase(partition);
      TRY(store_offsets(fs_, file(name), offsets));
      kept = std::move(offsets);
      return {};
    };
    TRY(bring_down(c.recovery_points, end, kRecoveryPointName));
    if (!end) TRY(bring_down(c.cleaned, end, kCleanerName));  // another log had this name
    return bring_down(c.log_starts, start, kLogStartName);
  });
}

std::optional<Offset> LogDirectory::cleaned_to(const TopicPartition& p) const {
  return get(&Checkpoints::cleaned, p);
}

Status LogDirectory::settle(const TopicPartition& partition, Offset recovery_point,
                            std::optional<Offset> start) {
  return checkpoints_.with([&](Checkpoints& c) -> Status {
    const auto set = [&](OffsetMap& kept, std::optional<Offset> value, const char* name) -> Status {
      const auto found = kept.find(partition);
      if (found == kept.end() ? !value : found->second == value) return {};
      OffsetMap offsets = kept;
      if (value)
        offsets[partition] = *value;
      else
        offsets.erase(partition);
      TRY(store_offsets(fs_, file(name), offsets));
      kept = std::move(offsets);
      return {};
    };
    TRY(set(c.recovery_points, recovery_point, kRecoveryPointName));
    return set(c.log_starts, start, kLogStartName);
  });
}

Status LogDirectory::settle_cleaned(const TopicPartition& partition, Offset cleaned) {
  return change_cleaned([&](OffsetMap& offsets) { offsets[partition] = cleaned; });
}

Status LogDirectory::forget_cleaned(const TopicPartition& partition) {
  return change_cleaned([&](OffsetMap& offsets) { offsets.erase(partition); });
}

Status LogDirectory::lower_cleaned(const TopicPartition& partition, Offset end) {
  return change_cleaned([&](OffsetMap& offsets) {
    const auto found = offsets.find(partition);
    if (found != offsets.end()) found->second = std::min(found->second, end);
  });
}

template <typename Change>
Status LogDirectory::change_cleaned(Change change) {
  return checkpoints_.with([&](Checkpoints& c) -> Status {
    OffsetMap offsets = c.cleaned;
    change(offsets);
    if (offsets == c.cleaned) return {};
    TRY(store_offsets(fs_, file(kCleanerName), offsets));
    c.cleaned = std::move(offsets);
    return {};
  });
}

Status LogDirectory::mark_clean(std::int64_t broker_epoch) {
  if (fs_.exists(file(kWrittenName))) TRY(fs_.remove(file(kWrittenName)));
  return fs_.replace_file(file(kCleanName),
                          as_bytes("{\"version\":0,\"brokerEpoch\":" + std::to_string(broker_epoch) + "}"));
}

}  // namespace moldau::log
