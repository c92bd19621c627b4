// Reads what a fetch brought as a distrustful consumer: whole batches, right CRCs, dense offsets from the
// position on, leader epochs that grow, only records that somebody sent here. Every record is told to the
// ledger.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>

#include "record/batch.h"
#include "sim/ledger.h"

namespace moldau::sim {

class World;

class Reader {
 public:
  // `id`: nothing where the record is rotten.
  using OnRecord = std::function<void(std::int64_t offset, std::optional<RecordId> id)>;

  Reader(World& world, Partition& partition, std::int64_t position)
      : world_(world), partition_(partition), position_(position) {}

  void on_record(OnRecord callback) { on_record_ = std::move(callback); }
  // No record at or above it may come.
  void set_limit(std::int64_t limit) { limit_ = limit; }
  void set_largest_magic(std::int8_t magic) { largest_magic_ = magic; }
  // False: something was wrong; a violation, or rot that cannot be stepped over. `whole`: no batch may be
  // cut.
  bool take(ByteView bytes, bool whole);

  std::int64_t position() const { return position_; }
  bool saw_rot() const { return saw_rot_; }

 private:
  bool take_batch(const record::BatchView& batch);
  bool rotten(std::int64_t next, const char* what);
  bool wrong(const std::string& what);

  World& world_;
  Partition& partition_;
  OnRecord on_record_;
  std::int64_t position_;
  std::int64_t limit_ = std::numeric_limits<std::int64_t>::max();
  std::int8_t largest_magic_ = 2;
  std::int32_t epoch_ = -1;
  bool saw_rot_ = false;
};

}  // namespace moldau::sim
