// The one process behind local.h: the metadata log in its folder, its snapshots and quorum-state. Opening is
// in local_inspect.cc and local_open.cc, the log in local.cc, snapshots in local_snapshots.cc. For src/quorum
// alone. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "log/log.h"
#include "quorum/local.h"
#include "quorum/quorum_state.h"
#include "quorum/snapshot_file.h"
#include "quorum/voters.h"

namespace moldau::quorum {

inline constexpr std::size_t kMaxBatchBytes = 8u << 20;  // of one batch of records

class LocalQuorumLog final : public LocalQuorum {
 public:
  LocalQuorumLog(env::FileSystem& files, const env::Clock& clock, LocalOptions options,
                 std::shared_ptr<const log::LogConfig> config)
      : files_(files),
        clock_(clock),
        options_(std::move(options)),
        folder_(options_.directory + "/" + kMetadataFolder),
        cache_(files, 8),
        context_{&files, &cache_},
        config_(std::move(config)) {}

  // --- looking only, on an object that is thrown away then
  Status inspect(const ReplayVisitor& visitor);
  // --- opening, in this order
  Status open_files();
  Status take_leadership();
  Status bootstrap(std::span<const Bytes> given);

  // --- Quorum
  QuorumState state() const override;
  bool leads() const override { return !broken_; }
  Status replay(const ReplayVisitor& visitor) override;
  Result<Offset> append(std::span<const Bytes> records, std::int64_t timestamp_ms) override;
  Status sync() override;
  Offset high_watermark() const override { return high_watermark_; }
  Status reload() override;
  bool wants_snapshot(std::int64_t now_ms) const override;
  Status write_snapshot(Offset last_offset, LeaderEpoch epoch, std::int64_t timestamp_ms,
                        std::span<const Bytes> records, std::int64_t now_ms) override;

  const LocalReport& report() const override { return report_; }
  Status close() override { return log_->close(); }

 private:
  Result<Offset> inspect_snapshot(const ReplayVisitor& visitor);
  Status choose_snapshot();
  Status open_log();
  Status survey();
  Status check_voters(const std::optional<QuorumStateFile>& state) const;
  Result<std::optional<QuorumStateFile>> read_state() const;
  Status read_log(Offset from, VoterState* voters, const ReplayVisitor* visitor);
  Status append_batch(Bytes batch);
  Status drop_old_snapshots(std::int64_t now_ms);
  Result<bool> outlived(const SnapshotEntry& snapshot, std::int64_t now_ms);
  Status drop_log_before(Offset start, std::int64_t now_ms);
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  env::FileSystem& files_;
  const env::Clock& clock_;
  const LocalOptions options_;
  const std::string folder_;
  log::FileCache cache_;
  const log::LogContext context_;
  const std::shared_ptr<const log::LogConfig> config_;

  std::unique_ptr<log::Log> log_;
  VoterState voters_;
  LeaderEpoch epoch_{0};
  Offset high_watermark_{0};
  bool has_data_ = false;                 // any metadata record, in the log or a snapshot
  bool broken_ = false;                   // an append or sync left us not knowing what is on the disk
  std::vector<SnapshotEntry> snapshots_;  // oldest first; the last one is what replay begins with
  std::uint64_t bytes_since_snapshot_ = 0;
  std::int64_t snapshot_time_ms_ = 0;
  LocalReport report_;
};

}  // namespace moldau::quorum
