// A segment file after a crash, with any content. Recovery keeps a prefix of whole, sound batches with
// growing offsets, and a second start finds nothing more to cut; index files may hold anything, too.
#include "base/check.h"
#include "log/log.h"
#include "record/batch.h"
#include "simenv/disk.h"

using namespace moldau;

namespace {

constexpr const char* kFolder = "/data/fuzz-0";

void put(simenv::Disk& disk, const std::string& name, ByteView content) {
  const auto file = disk.open(std::string(kFolder) + "/" + name, env::OpenMode::kTruncate);
  CHECK(file && (*file)->write_at(0, content), "the simulated disk takes what it is given");
}

std::unique_ptr<log::Log> open(simenv::Disk& disk, log::FileCache& files) {
  auto opened = log::Log::open({&disk, &files}, kFolder, std::make_shared<log::LogConfig>(),
                               {.now_ms = 1'700'000'000'000});
  return opened ? std::move(*opened) : nullptr;
}

Offset read_all(log::Log& log) {
  Offset next = log.start_offset();
  while (next < log.end_offset()) {
    auto read = log.read(next, 1 << 20, log.end_offset(), true);
    CHECK(read.has_value(), "what was kept can be read");
    if (read->slice.length == 0) break;
    Bytes bytes(read->slice.length);
    CHECK(read->slice.file->read_at(read->slice.position, bytes) == bytes.size(),
          "slices lie within their file");
    record::BatchIterator batches(bytes);
    while (const auto batch = batches.next()) {
      CHECK(batch->crc_ok(), "what was kept is sound");
      CHECK(batch->header().last_offset >= next, "offsets grow");
      next = batch->header().next_offset();
    }
    CHECK(batches.left_over() == 0, "slices end with a batch");
  }
  return log.end_offset();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  simenv::Disk disk(1);
  CHECK(disk.create_directories(kFolder), "made");
  const std::size_t index = std::min<std::size_t>(data[0], size - 2);
  const ByteView rest(data + 2, size - 2);
  if (data[1] & 1) put(disk, "00000000000000000000.index", rest.first(index));
  if (data[1] & 2) put(disk, "00000000000000000000.timeindex", rest.first(index));
  if (data[1] & 4) put(disk, "leader-epoch-checkpoint", rest.first(index));
  if (data[1] & 8) put(disk, "00000000000000000000.snapshot", rest.first(index));
  put(disk, "00000000000000000000.log", rest.subspan(index));
  log::FileCache files(disk, 8);
  auto first = open(disk, files);
  if (first == nullptr) return 0;
  const Offset end = read_all(*first);
  first.reset();
  auto second = open(disk, files);
  CHECK(second != nullptr, "a log that was recovered opens again");
  CHECK(second->end_offset() == end && second->recovery().bytes_dropped == 0, "recovery is done once");
  return 0;
}
