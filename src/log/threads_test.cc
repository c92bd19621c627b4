// What several threads do at once: loading, the cache of open files, compaction. Worth most under the thread
// sanitizer.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>
#include <type_traits>

#include "log/file_cache.h"
#include "log/manager_fixture.h"

namespace moldau::log {
namespace {

// The simulated disk for several threads: one operation at a time.
class SharedDisk final : public env::FileSystem {
 public:
  explicit SharedDisk(simenv::Disk& disk) : disk_(disk) {}

  Result<std::shared_ptr<env::File>> open(const std::string& path, env::OpenMode mode) override {
    const std::scoped_lock lock(mutex_);
    TRY_ASSIGN(file, disk_.open(path, mode));
    return std::make_shared<SharedFile>(mutex_, file);
  }
  Result<std::vector<env::DirEntry>> list(const std::string& path) override {
    return locked([&] { return disk_.list(path); });
  }
  bool exists(const std::string& path) override {
    return locked([&] { return disk_.exists(path); });
  }
  Status create_directories(const std::string& path) override {
    return locked([&] { return disk_.create_directories(path); });
  }
  Status rename(const std::string& from, const std::string& to) override {
    return locked([&] { return disk_.rename(from, to); });
  }
  Status remove(const std::string& path) override {
    return locked([&] { return disk_.remove(path); });
  }
  Status remove_all(const std::string& path) override {
    return locked([&] { return disk_.remove_all(path); });
  }
  Status sync_directory(const std::string& path) override {
    return locked([&] { return disk_.sync_directory(path); });
  }
  Result<std::uint64_t> free_bytes(const std::string& path) override {
    return locked([&] { return disk_.free_bytes(path); });
  }
  Result<std::uint64_t> total_bytes(const std::string& path) override {
    return locked([&] { return disk_.total_bytes(path); });
  }
  Result<std::unique_ptr<env::FileLock>> lock(const std::string& path) override {
    return locked([&] { return disk_.lock(path); });
  }

 private:
  class SharedFile final : public env::File {
   public:
    SharedFile(std::mutex& mutex, std::shared_ptr<env::File> file) : mutex_(mutex), file_(std::move(file)) {}
    Result<std::size_t> read_at(std::uint64_t position, MutableBytes out) const override {
      const std::scoped_lock lock(mutex_);
      return file_->read_at(position, out);
    }
    Status write_at(std::uint64_t position, std::span<const ByteView> pieces) override {
      const std::scoped_lock lock(mutex_);
      return file_->write_at(position, pieces);
    }
    Status truncate(std::uint64_t size) override {
      const std::scoped_lock lock(mutex_);
      return file_->truncate(size);
    }
    Status sync() override {
      const std::scoped_lock lock(mutex_);
      return file_->sync();
    }
    Result<std::uint64_t> size() const override {
      const std::scoped_lock lock(mutex_);
      return file_->size();
    }

   private:
    std::mutex& mutex_;
    std::shared_ptr<env::File> file_;
  };
  template <typename F>
  std::invoke_result_t<F> locked(F f) {
    const std::scoped_lock lock(mutex_);
    return f();
  }

  simenv::Disk& disk_;
  std::mutex mutex_;
};

// A thread for each job.
class Threads final : public env::Background {
 public:
  ~Threads() override {
    for (auto& thread : threads_) thread.join();
  }
  bool submit(std::uint64_t, std::move_only_function<void()> job) override {
    threads_.emplace_back([job = std::move(job)]() mutable { job(); });
    return true;
  }

 private:
  std::vector<std::thread> threads_;
};

TEST(Threads, LoadTogether) {
  testing::ManagerFixture f;
  ASSERT_TRUE(f.open());
  constexpr int kPartitions = 200;
  for (int i = 0; i < kPartitions; ++i) {
    auto log = f.manager->create({"t" + std::to_string(i / 10), PartitionIndex{i}}, Uuid{});
    for (int k = 0; k <= i % 7; ++k) ASSERT_TRUE(testing::ManagerFixture::append(LogManager::log(*log), "x"));
  }
  f.crash(simenv::Crash::kProcess);
  SharedDisk disk(f.disk);
  for (int round = 0; round < 20; ++round) {
    Threads threads;
    simenv::EventLog events;
    auto manager = LogManager::open({disk, f.clock, f.random, threads, events}, f.options);
    ASSERT_TRUE(manager);
    const auto report = (*manager)->load();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->logs, static_cast<std::uint32_t>(kPartitions));
    EXPECT_EQ(report->logs_scanned, static_cast<std::uint32_t>(kPartitions));
    EXPECT_EQ((*manager)->all().size(), static_cast<std::size_t>(kPartitions));
    for (const auto& handle : (*manager)->all())
      EXPECT_EQ(LogManager::log(handle).end_offset(),
                Offset{LogManager::partition(handle).partition.value % 7 + 1});
    manager->reset();  // helpers that come late find nothing to do
  }
}

// Whoever finds it first: the first bad folder is the reason that is told, as with one thread.
TEST(Threads, TellTheFirstTrouble) {
  testing::ManagerFixture f;
  ASSERT_TRUE(f.open());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(f.manager->create({"t", PartitionIndex{i}}, Uuid{}));
  f.crash(simenv::Crash::kProcess);
  for (const char* folder : {"/t-7", "/t-71", "/t-72", "/t-80", "/t-9"})
    f.disk.add_fault({.op = simenv::DiskOp::kList, .path = folder});
  SharedDisk disk(f.disk);
  for (int round = 0; round < 20; ++round) {
    Threads threads;
    simenv::EventLog events;
    auto manager = LogManager::open({disk, f.clock, f.random, threads, events}, f.options);
    ASSERT_TRUE(manager && (*manager)->load());
    const DirectoryStatus status = (*manager)->directories()[0];
    EXPECT_FALSE(status.online);
    EXPECT_TRUE(status.why_offline.starts_with("/data/t-7:")) << status.why_offline;
    EXPECT_TRUE((*manager)->all().empty());
  }
}

TEST(Threads, ShareTheOpenFiles) {
  simenv::Disk disk(1);
  SharedDisk shared(disk);
  FileCache cache(shared, 5);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<FileSlot> slots(8);
      for (int i = 0; i < 2000; ++i) {
        const auto which = static_cast<std::size_t>(i * 7 + t) % slots.size();
        const std::string path = "/f" + std::to_string(t) + "-" + std::to_string(which);
        const auto file = cache.get(slots[which], path, env::OpenMode::kCreate);
        ASSERT_TRUE(file);
        const auto byte = static_cast<std::uint8_t>(i);
        ASSERT_TRUE((*file)->write_at(0, ByteView(&byte, 1)));
        if (i % 50 == 0) cache.drop(slots[which]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(cache.held(), 5u);
}

// ---- compaction
// ---------------------------------------------------------------------------------------------------------------

// Jobs of a few threads, which may queue more.
class Pool final : public env::Background {
 public:
  Pool() {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Pool() override { stop(); }
  bool submit(std::uint64_t, std::move_only_function<void()> job) override {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return false;
    jobs_.push_back(std::move(job));
    changed_.notify_one();
    return true;
  }
  void stop() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }

 private:
  void work() {
    for (std::unique_lock lock(mutex_);;) {
      changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::move_only_function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

class SharedClock final : public env::Clock {
 public:
  env::Instant now() const override { return {std::chrono::milliseconds(ms_.load())}; }
  std::int64_t wall_ms() const override { return 1'700'000'000'000 + ms_.load(); }
  void advance_ms(std::int64_t ms) { ms_ += ms; }

 private:
  std::atomic<std::int64_t> ms_{0};
};

class Deaf final : public env::EventLog {
 public:
  void write(env::Level, std::string_view, std::string) override {}
};

class Owner final : public Exclusion {
 public:
  void run(const std::function<void()>& work) override {
    const std::scoped_lock lock(mutex_);
    work();
  }

 private:
  std::mutex mutex_;
};

// Two cleaners, writers, deletions, checkpoints and a reader at once; the newest value of each key is there.
TEST(Threads, CompactWhileOthersWrite) {
  testing::ManagerFixture f;
  f.config->cleanup_compact = true;
  f.config->cleanup_delete = false;
  f.config->segment_bytes = 10'000;
  f.config->min_cleanable_dirty_ratio = 0.01;
  f.config->file_delete_delay_ms = 100;
  f.options.cleaner_settings = [] { return CleanerSettings{.threads = 2, .backoff_ms = 10}; };
  SharedDisk disk(f.disk);
  SharedClock clock;
  Deaf events;
  Pool pool;
  auto opened = LogManager::open({disk, clock, f.random, pool, events}, f.options);
  ASSERT_TRUE(opened && (*opened)->load());
  LogManager& manager = **opened;
  constexpr int kLogs = 3, kRecords = 3000, kKeys = 10;
  std::vector<std::thread> writers;
  for (int i = 0; i < kLogs; ++i) {
    auto made = manager.create({"t", PartitionIndex{i}}, Uuid{});
    ASSERT_TRUE(made);
    const auto owner = std::make_shared<Owner>();
    LogManager::set_exclusion(*made, owner);
    writers.emplace_back([handle = *made, owner, &clock] {
      record::Compressor compressor;
      Log& log = LogManager::log(handle);
      for (int n = 0; n < kRecords; ++n) {
        record::BatchBuilder builder({});
        const std::string key = "k" + std::to_string(n % kKeys), value = std::to_string(n) + ".";
        builder.append({.timestamp = clock.wall_ms(), .key = as_bytes(key), .value = as_bytes(value)});
        Bytes batch = std::move(builder).finish(compressor);
        owner->run([&] { ASSERT_TRUE(log.append(batch, {.now_ms = clock.wall_ms()})); });
        clock.advance_ms(1);
        // Now and then the cleaners catch up.
        for (bool behind = n % 500 == 499; behind; clock.advance_ms(1), std::this_thread::yield())
          owner->run([&] { behind = log.size_bytes() > 30'000; });
      }
    });
  }
  std::atomic<bool> done{false};
  std::thread ticker([&] {
    while (!done) manager.tick();
  });
  for (std::thread& writer : writers) writer.join();
  done = true;
  ticker.join();
  pool.stop();
  for (int i = 0; i < kLogs; ++i) {
    Log& log = LogManager::log(manager.find({"t", PartitionIndex{i}}));
    const std::vector<std::string> values = testing::ManagerFixture::values(log);
    EXPECT_LT(values.size(), static_cast<std::size_t>(kRecords)) << "nothing was compacted";
    for (int n = kRecords - kKeys; n < kRecords; ++n)
      EXPECT_NE(std::ranges::find(values, std::to_string(n)), values.end()) << n;
  }
  EXPECT_TRUE(manager.close());
}

}  // namespace
}  // namespace moldau::log
