#include "broker/group/loader.h"

#include <string>

#include "base/fault.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/control.h"
#include "record/records.h"

namespace moldau::broker {
namespace {

constexpr std::string_view kLogger = "org.apache.kafka.coordinator.common.runtime.CoordinatorLoaderImpl";
constexpr std::uint64_t kChunkBytes = 1 << 20;
constexpr std::uint64_t kMostUnreadableLines = 10;

class Loader {
 public:
  Loader(group::Machine& machine, replica::SharedPartition& partition, env::EventLog& events)
      : machine_(machine), partition_(partition), events_(events) {}

  Result<GroupLoad> run() {
    TRY(look());
    while (at_ < end_) {
      TRY_ASSIGN(read, partition_.with([&](replica::Partition& p) {
        return p.log().read(at_, kChunkBytes, end_, /*min_one=*/true);
      }));
      if (read.error != wire::ErrorCode::kNone || read.slice.length == 0)
        return fail(ErrorKind::kCorrupt, name_ + ": expected records from offset " +
                                             std::to_string(at_.value) + " to " + std::to_string(end_.value) +
                                             ", found " + std::string(wire::name(read.error)));
      TRY(apply_chunk(read.slice));
    }
    return load_;
  }

 private:
  Status look() {
    return partition_.with([&](replica::Partition& p) -> Status {
      name_ = p.name().to_string();
      TRY(p.log().look());
      at_ = p.log().start_offset();
      end_ = p.log().end_offset();
      return {};
    });
  }

  Status apply_chunk(const env::FileSlice& slice) {
    chunk_.resize(static_cast<std::size_t>(slice.length));
    TRY_ASSIGN(got, slice.file->read_at(slice.position, chunk_));
    const Offset before = at_;
    record::BatchIterator batches(ByteView(chunk_).first(got));
    while (const auto batch = batches.next()) TRY(apply_batch(*batch));
    if (at_ > before) return {};
    return fail(ErrorKind::kCorrupt,
                name_ + ": expected a whole batch at offset " + std::to_string(at_.value) + ", found " +
                    (batches.corrupt().empty() ? "its front only" : std::string(batches.corrupt())));
  }

  Status apply_batch(const record::BatchView& batch) {
    const record::BatchHeader& header = batch.header();
    load_.bytes += batch.bytes().size();
    const Offset next = header.next_offset();
    if (fault_is(Fault::kLoadLosesLast) && next == end_) return void(at_ = next), Status{};
    if (next <= at_) return {};  // the chunk began in its midst
    const auto producer =
        header.transactional() && !header.control() ? std::optional(header.producer_id) : std::nullopt;
    record::RecordIterator records(batch, decompressor_);
    while (const auto record = records.next()) {
      if (record->offset < at_) continue;
      if (header.control()) {
        if (const auto end = record::end_txn_marker(*record))
          machine_.apply_end(header.producer_id, end->type == record::ControlType::kCommit);
        continue;
      }
      apply_record(*record, producer);
    }
    if (!records.fault().ok())
      return fail(ErrorKind::kCorrupt, name_ + ": batch at offset " +
                                           std::to_string(header.base_offset.value) + ": " +
                                           records.fault().message);
    at_ = next;
    return {};
  }

  void apply_record(const record::Record& record, std::optional<ProducerId> producer) {
    ++load_.records;
    if (!record.key) return unreadable(record.offset, "it has no key");
    const Status applied = machine_.apply({*record.key, record.value}, producer);
    if (!applied) unreadable(record.offset, applied.error().message);
  }

  void unreadable(Offset offset, const std::string& why) {
    if (++load_.unreadable > kMostUnreadableLines) return;
    events_.write(env::Level::kError, kLogger,
                  name_ + ": the record at offset " + std::to_string(offset.value) +
                      " cannot be read and is left out: " + why);
  }

  group::Machine& machine_;
  replica::SharedPartition& partition_;
  env::EventLog& events_;
  std::string name_;
  Offset at_{0}, end_{0};
  Bytes chunk_;
  record::Decompressor decompressor_;
  GroupLoad load_;
};

}  // namespace

Result<GroupLoad> load_groups(group::Machine& machine, replica::SharedPartition& partition,
                              env::EventLog& events) {
  return Loader(machine, partition, events).run();
}

}  // namespace moldau::broker
