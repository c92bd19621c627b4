// What a log costs: appends, reads, starts, memory. Nothing but a person runs it: ninja log_bench.
#include <benchmark/benchmark.h>
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <unistd.h>

#include "log/log_manager.h"
#include "log/test_batches.h"
#include "os/filesystem.h"
#include "simenv/background.h"
#include "simenv/clock.h"

namespace {
std::size_t g_allocations = 0;
}

void* operator new(std::size_t size) {
  ++g_allocations;
  if (void* p = std::malloc(size)) return p;
  std::abort();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace moldau::log {
namespace {

using testing::make_batch;

// A disk that takes everything and keeps nothing: what is left is our own work.
class NullFile final : public env::File {
 public:
  Result<std::size_t> read_at(std::uint64_t, MutableBytes) const override { return 0; }
  Status write_at(std::uint64_t, std::span<const ByteView>) override { return {}; }
  Status truncate(std::uint64_t) override { return {}; }
  Status sync() override { return {}; }
  Result<std::uint64_t> size() const override { return 0; }
};
class NullDisk final : public env::FileSystem {
 public:
  Result<std::shared_ptr<env::File>> open(const std::string&, env::OpenMode) override {
    return std::make_shared<NullFile>();
  }
  Result<std::vector<env::DirEntry>> list(const std::string&) override {
    return std::vector<env::DirEntry>{};
  }
  bool exists(const std::string&) override { return false; }
  Status create_directories(const std::string&) override { return {}; }
  Status rename(const std::string&, const std::string&) override { return {}; }
  Status remove(const std::string&) override { return {}; }
  Status remove_all(const std::string&) override { return {}; }
  Status sync_directory(const std::string&) override { return {}; }
  Result<std::uint64_t> free_bytes(const std::string&) override { return 1u << 30; }
  Result<std::uint64_t> total_bytes(const std::string&) override { return 1u << 30; }
  Result<std::unique_ptr<env::FileLock>> lock(const std::string&) override {
    return std::unique_ptr<env::FileLock>();
  }
};

struct Folder {
  Folder() {
    std::string pattern = "/tmp/moldau-bench-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { (void)fs.remove_all(path); }
  os::FileSystem fs;
  std::string path;
};

// arg: 0 on no disk at all, 1 on the real one; arg 1: an idempotent producer.
void Append(benchmark::State& state) {
  Folder folder;
  NullDisk none;
  env::FileSystem& fs = state.range(0) == 0 ? static_cast<env::FileSystem&>(none) : folder.fs;
  FileCache files(fs, 100);
  auto log = *Log::create({&fs, &files}, folder.path + "/t-0", std::make_shared<LogConfig>(), Uuid{}, 1000);
  const bool idempotent = state.range(1) != 0;
  Bytes batch = make_batch({.value_bytes = 100, .producer = idempotent ? ProducerId{7} : kNoProducerId});
  std::int32_t sequence = 0;
  (void)log->append(batch, {.now_ms = 1000});
  const std::size_t before = g_allocations;
  for (auto _ : state) {
    record::set_offset(batch, Offset{0});
    if (idempotent) store_be(batch.data() + record::at::kBaseSequence, ++sequence);
    auto done = log->append(batch, {.now_ms = 1000});
    if (!done || done->error != wire::ErrorCode::kNone) state.SkipWithError("refused");
  }
  state.counters["allocations"] =
      static_cast<double>(g_allocations - before) / static_cast<double>(state.iterations());
}
BENCHMARK(Append)->Args({0, 0})->Args({0, 1})->Args({1, 0})->Args({1, 1});

// arg: 0 at the end, 1 anywhere in a closed segment of 1 GiB.
void Read(benchmark::State& state) {
  Folder folder;
  FileCache files(folder.fs, 100);
  auto config = std::make_shared<LogConfig>();
  auto log = *Log::create({&folder.fs, &files}, folder.path + "/t-0", config, Uuid{}, 1000);
  const Bytes batch = make_batch({.count = 16, .value_bytes = 1024});
  const int batches = state.range(0) == 0 ? 100 : (1 << 29) / static_cast<int>(batch.size());
  for (int i = 0; i < batches; ++i) {
    Bytes copy = batch;
    (void)log->append(copy, {.now_ms = 1000});
  }
  const Offset end = log->end_offset();
  if (state.range(0) != 0) {
    (void)log->roll(1000);
    log->trim_memory(), log->trim_memory();
  }
  std::uint64_t random = 88172645463325252ull;
  const std::size_t before = g_allocations;
  for (auto _ : state) {
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;
    const Offset from =
        state.range(0) == 0
            ? end - 16
            : Offset{static_cast<std::int64_t>(random % static_cast<std::uint64_t>(end.value))};
    auto read = log->read(from, 1 << 20, end, true);
    benchmark::DoNotOptimize(read);
    if (!read || read->slice.length == 0) state.SkipWithError("nothing read");
  }
  state.counters["allocations"] =
      static_cast<double>(g_allocations - before) / static_cast<double>(state.iterations());
}
BENCHMARK(Read)->Arg(0)->Arg(1);

struct Broker {
  explicit Broker(Folder& f) : folder(f) {
    options.directories = {f.path + "/data"};
    options.boot_id = "boot";
    options.config_of = [this](const std::string&) { return config; };
  }
  void open() {
    manager = *LogManager::open({folder.fs, clock, random, background, events}, options);
    report = *manager->load();
  }
  Folder& folder;
  simenv::Clock clock;
  simenv::Random random{1};
  simenv::Background background;
  simenv::EventLog events;
  std::shared_ptr<LogConfig> config = std::make_shared<LogConfig>();
  LogManagerOptions options;
  std::unique_ptr<LogManager> manager;
  LoadReport report;
};

// args: partitions, KiB in each, 0 clean or 1 killed. Time of open() and load(), bytes of memory per
// partition.
void Start(benchmark::State& state) {
  Folder folder;
  {
    Broker first(folder);
    first.open();
    const Bytes batch = make_batch({.count = 16, .value_bytes = 1024});
    for (int i = 0; i < state.range(0); ++i) {
      auto handle = *first.manager->create({"topic", PartitionIndex{i}}, Uuid{});
      for (std::size_t bytes = 0; bytes < static_cast<std::size_t>(state.range(1)) * 1024;
           bytes += batch.size()) {
        Bytes copy = batch;
        (void)LogManager::log(handle).append(copy, {.now_ms = 1000});
      }
    }
    if (state.range(2) == 0) (void)first.manager->close();
    if (state.range(2) == 2) (void)first.manager->write_checkpoints();
  }
  for (auto _ : state) {
    Broker again(folder);
    const auto before = ::mallinfo2().uordblks;
    again.open();
    state.counters["bytes_each"] =
        static_cast<double>(::mallinfo2().uordblks - before) / static_cast<double>(state.range(0));
    state.counters["scanned_MB"] = static_cast<double>(again.report.bytes_scanned) / 1e6;
    state.PauseTiming();
    if (state.range(2) == 0) (void)again.manager->close();
    again.manager.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(Start)
    ->Args({2000, 16, 0})
    ->Args({10000, 16, 0})
    ->Args({2000, 900, 1})
    ->Args({2000, 900, 2})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

}  // namespace
}  // namespace moldau::log

BENCHMARK_MAIN();
