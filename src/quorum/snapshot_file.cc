#include "quorum/snapshot_file.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "quorum/batch_walk.h"
#include "record/batch.h"
#include "record/control.h"
#include "record/records.h"

namespace moldau::quorum {
namespace {

constexpr std::string_view kSuffix = ".checkpoint";
constexpr std::size_t kOffsetDigits = 20, kEpochDigits = 10;
constexpr std::size_t kMaxBatchBytes = 8u << 20;  // KafkaRaftClient.MAX_BATCH_SIZE_BYTES
constexpr std::uint64_t kMaxSnapshotBytes = 4ull << 30;

template <typename T>
bool all_digits(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && text.front() != '-';
}

// The type of the only, or last, record of a control batch.
std::optional<record::ControlType> control_type_of(const record::BatchView& batch) {
  if (!batch.header().control()) return std::nullopt;
  record::Decompressor decompressor;
  record::RecordIterator records(batch, decompressor);
  const auto first = records.next();
  return first ? record::control_type(first->key) : std::nullopt;
}

Status check_frame(ByteView bytes, const std::string& path) {
  record::BatchIterator batches(bytes);
  std::optional<record::BatchView> first = batches.next(), last = first;
  while (auto batch = batches.next()) last = batch;
  if (!first || control_type_of(*first) != record::ControlType::kSnapshotHeader)
    return fail(ErrorKind::kCorrupt, path + ": expected a snapshot header first");
  if (batches.left_over() > 0 || control_type_of(*last) != record::ControlType::kSnapshotFooter)
    return fail(ErrorKind::kCorrupt, path + ": expected a snapshot footer last, the snapshot is cut off");
  return {};
}

}  // namespace

std::string snapshot_name(const SnapshotId& id) {
  char name[64];
  std::snprintf(name, sizeof name, "%020lld-%010d%s", static_cast<long long>(id.end.value), id.epoch.value,
                kSuffix.data());
  return name;
}

std::optional<SnapshotId> parse_snapshot_name(std::string_view name) {
  if (name.size() != kOffsetDigits + 1 + kEpochDigits + kSuffix.size() || !name.ends_with(kSuffix) ||
      name[kOffsetDigits] != '-')
    return std::nullopt;
  SnapshotId id;
  if (!all_digits(name.substr(0, kOffsetDigits), id.end.value) ||
      !all_digits(name.substr(kOffsetDigits + 1, kEpochDigits), id.epoch.value))
    return std::nullopt;
  return id;
}

Result<std::vector<SnapshotEntry>> list_snapshots(env::FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(entries, files.list(folder));
  std::vector<SnapshotEntry> snapshots;
  for (const env::DirEntry& entry : entries) {
    const bool leftover = entry.name.ends_with(".checkpoint.part") ||
                          entry.name.ends_with(".checkpoint.deleted") ||
                          entry.name.ends_with(".checkpoint.part.tmp");
    if (leftover) {
      TRY(files.remove(folder + "/" + entry.name));
    } else if (const auto id = parse_snapshot_name(entry.name)) {
      snapshots.push_back({*id, entry.size});
    }
  }
  std::ranges::sort(snapshots, {}, &SnapshotEntry::id);
  return snapshots;
}

Bytes encode_snapshot(const VoterState& voters, std::int64_t last_contained_timestamp, LeaderEpoch epoch,
                      std::span<const Bytes> records, std::int64_t now_ms) {
  Bytes content = snapshot_header_batch(voters, last_contained_timestamp, epoch, now_ms);
  Offset next{voters.kraft_version >= 1 ? 3 : 1};
  while (!records.empty()) {
    std::size_t count = 0, bytes = 0;
    while (count < records.size() && (count == 0 || bytes + records[count].size() < kMaxBatchBytes))
      bytes += records[count++].size();
    const Bytes batch = data_batch(records.first(count), next, epoch, now_ms);
    content.insert(content.end(), batch.begin(), batch.end());
    records = records.subspan(count);
    next += static_cast<std::int64_t>(count);
  }
  const Bytes footer = snapshot_footer_batch(next, epoch, now_ms);
  content.insert(content.end(), footer.begin(), footer.end());
  return content;
}

Status write_snapshot_file(env::FileSystem& files, const std::string& folder, const std::string& name,
                           ByteView content) {
  const std::string part = folder + "/" + name + ".part";
  {
    TRY_ASSIGN(file, files.open(part, env::OpenMode::kTruncate));
    TRY(file->write_at(0, content));
    TRY(file->sync());
  }
  TRY(files.rename(part, folder + "/" + name));
  return files.sync_directory(folder);
}

Status read_snapshot_file(env::FileSystem& files, const std::string& path, VoterState* voters,
                          const ReplayVisitor* visitor) {
  TRY_ASSIGN(content, files.read_file(path, kMaxSnapshotBytes));
  TRY(check_frame(content, path));
  return walk_batches(content, {path, true, voters, visitor});
}

}  // namespace moldau::quorum
