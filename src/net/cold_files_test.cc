// Parts of files that are not in memory: no loop waits for them.
#include <algorithm>
#include <deque>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mutex>
#include <string>
#include <unistd.h>

#include "net/event_loop.h"
#include "net/file_warmth.h"
#include "net/testing.h"

namespace moldau::net::testing {
namespace {

using std::chrono::seconds;

// Jobs that wait until they are told to run.
class HeldBackground final : public env::Background {
 public:
  bool submit(std::uint64_t, std::move_only_function<void()> job) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    jobs_.push_back(std::move(job));
    return true;
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return jobs_.size();
  }
  bool run_one() {
    std::unique_lock lock(mutex_);
    if (jobs_.empty()) return false;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    return true;
  }

  bool full = false;

 private:
  std::mutex mutex_;
  std::deque<std::move_only_function<void()>> jobs_;
};

// One file of which [0, warm) is in memory; reading brings in more.
class ColdFile final : public env::File {
 public:
  ColdFile(std::uint64_t size, std::uint64_t warm) : pattern_(size), warm_(warm) {}
  Result<std::size_t> read_at(std::uint64_t position, MutableBytes out) const override {
    const auto got = pattern_.read_at(position, out);
    if (got) warm_ = std::max(warm_.load(), position + *got);
    return got;
  }
  Status write_at(std::uint64_t, std::span<const ByteView>) override { return {}; }
  Status truncate(std::uint64_t size) override { return pattern_.truncate(size); }
  Status sync() override { return {}; }
  Result<std::uint64_t> size() const override { return pattern_.size(); }
  int native_handle() const override { return pattern_.native_handle(); }
  std::uint64_t warm() const { return warm_; }
  void warm_up_to(std::uint64_t position) { warm_ = position; }

 private:
  PatternFile pattern_;
  mutable std::atomic<std::uint64_t> warm_;
};

class CacheOfColdFile final : public PageCache {
 public:
  Run run(const env::File& file, std::uint64_t position, std::uint64_t length) const override {
    ++runs;
    const std::uint64_t warm = static_cast<const ColdFile&>(file).warm();
    return {warm > position ? std::min(length, warm - position) : 0,
            warm == *file.size() && warm <= position + length};
  }
  bool has(const env::File& file, std::uint64_t position) const override {
    ++probes;
    return position < static_cast<const ColdFile&>(file).warm();
  }
  mutable std::atomic<int> runs{0}, probes{0};
};

struct ColdServer {
  explicit ColdServer(std::uint64_t size, std::uint64_t warm = 0)
      : file(std::make_shared<ColdFile>(size, warm)),
        test(one_loop(), {{"PLAINTEXT", "127.0.0.1"}},
             [this](Server& s) { s.read_cold_files_with(background, cache); }) {
    test.handler.file = file;
  }
  static Options one_loop() {
    Options options;
    options.loops = 1;
    return options;
  }
  HeldBackground background;
  CacheOfColdFile cache;
  std::shared_ptr<ColdFile> file;
  TestServer test;
};

void expect_reply(const Client& client, std::uint64_t position, std::uint64_t length) {
  const std::string reply = client.receive();
  ASSERT_EQ(reply.size(), length + 4);
  for (std::uint64_t i = 0; i < length; ++i) {
    ASSERT_EQ(static_cast<std::uint8_t>(reply[2 + i]), PatternFile::pattern(position + i)) << i;
  }
}

TEST(ColdFiles, OthersAreServedWhileADiskIsRead) {
  ColdServer s(5u << 20);
  const Client cold = s.test.connect(), other = s.test.connect();
  ASSERT_TRUE(cold.send(send_file(1000, 3u << 20)));
  ASSERT_TRUE(eventually([&] { return s.background.waiting() == 1; }));
  EXPECT_EQ(other.ask(echo("served meanwhile")), "served meanwhile");
  EXPECT_EQ(s.test.server->stats().bytes_sent_by_file, 0u);
  std::jthread runner([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) s.background.run_one();
  });
  expect_reply(cold, 1000, 3u << 20);
  EXPECT_EQ(s.test.server->stats().cold_reads, 2u) << "2 MiB at a time";
}

TEST(ColdFiles, ASliceTooSmallForSendfileIsReadInToo) {
  ColdServer s(5u << 20);
  const Client client = s.test.connect();
  ASSERT_TRUE(client.send(send_file(70'000, 100)));
  ASSERT_TRUE(eventually([&] { return s.background.waiting() == 1; }));
  ASSERT_TRUE(s.background.run_one());
  expect_reply(client, 70'000, 100);
  EXPECT_EQ(s.file->warm(), 70'000 + FileWarmth::kReadAtLeast) << "what is asked for next comes along";
}

TEST(ColdFiles, TheEndsOfWhatIsAskedForNextAreReadInToo) {
  ColdServer s(5u << 20);
  const Client client = s.test.connect();
  ASSERT_TRUE(client.send(send_file(0, 300'000)));
  ASSERT_TRUE(eventually([&] { return s.background.waiting() == 1; }));
  ASSERT_TRUE(s.background.run_one());
  expect_reply(client, 0, 300'000);
  EXPECT_EQ(s.file->warm(), 600'000 + (64u << 10));
}

TEST(ColdFiles, WhatIsInMemoryIsSentBeforeTheRestIsRead) {
  ColdServer s(5u << 20, 50'000);
  const Client client = s.test.connect();
  ASSERT_TRUE(client.send(send_file(0, 100'000)));
  ASSERT_TRUE(eventually([&] { return s.background.waiting() == 1; }));
  EXPECT_EQ(s.test.server->stats().bytes_sent_by_file, 50'000u);
  ASSERT_TRUE(s.background.run_one());
  expect_reply(client, 0, 100'000);
}

TEST(ColdFiles, ABackgroundWithoutRoomDelaysNobody) {
  ColdServer s(1u << 20);
  s.background.full = true;
  const Client client = s.test.connect();
  ASSERT_TRUE(client.send(send_file(0, 500'000)));
  expect_reply(client, 0, 500'000);
}

TEST(ColdFiles, ASliceBeyondTheEndEndsItsConnectionAndNotTheLoop) {
  ColdServer s(1000);
  const Client client = s.test.connect(), other = s.test.connect();
  ASSERT_TRUE(client.send(send_file(5000, 100'000)));
  ASSERT_TRUE(eventually([&] { return s.background.waiting() == 1; }));
  ASSERT_TRUE(s.background.run_one());
  EXPECT_EQ(client.receive(), "<closed>");
  EXPECT_EQ(other.ask(echo("hi")), "hi");
}

TEST(ColdFiles, AJobMayOutliveItsConnectionAndTheServer) {
  HeldBackground background;
  CacheOfColdFile cache;
  {
    TestServer test({}, {{"PLAINTEXT", "127.0.0.1"}},
                    [&](Server& server) { server.read_cold_files_with(background, cache); });
    test.handler.file = std::make_shared<ColdFile>(1u << 20, 0);
    const Client left = test.connect();
    {
      const Client gone = test.connect();
      ASSERT_TRUE(gone.send(send_file(0, 100'000)));
      ASSERT_TRUE(eventually([&] { return background.waiting() == 1; }));
    }
    ASSERT_TRUE(background.run_one());
    test.handler.file = std::make_shared<ColdFile>(1u << 20, 0);
    ASSERT_TRUE(left.send(send_file(0, 100'000)));
    ASSERT_TRUE(eventually([&] { return background.waiting() == 1; }));
  }
  EXPECT_TRUE(background.run_one());
}

// The reader of a file's tail, and one who reads through what is in memory, ask the kernel hardly ever.
struct Warmth : ::testing::Test {
  Warmth() { warmth.use(background, cache, 1); }
  ManualClock clock;
  EventLoop loop{clock, std::make_unique<TestRandom>(1)};
  HeldBackground background;
  CacheOfColdFile cache;
  FileWarmth warmth{loop};
};

TEST_F(Warmth, ATailIsAskedAboutOnce) {
  const auto file = std::make_shared<ColdFile>(10'000, 10'000);
  EXPECT_EQ(warmth.sendable({file, 0, 10'000}), 10'000u);
  for (std::uint64_t end = 20'000; end <= 100'000; end += 10'000) {
    EXPECT_EQ(warmth.sendable({file, end - 10'000, 10'000}), 10'000u);
  }
  EXPECT_EQ(cache.runs, 1);
  EXPECT_EQ(cache.probes, 0);
}

TEST_F(Warmth, AReaderOfWhatIsInMemoryAsksOncePerFourMiB) {
  const auto file = std::make_shared<ColdFile>(64u << 20, 64u << 20);
  for (std::uint64_t at = 0; at < (32u << 20); at += 1u << 20) {
    EXPECT_EQ(warmth.sendable({file, at, 1u << 20}), 1u << 20);
  }
  EXPECT_EQ(cache.runs, 1);
  EXPECT_LE(cache.probes, 8);
}

TEST_F(Warmth, WhereMemoryEndsIsSeen) {
  const auto file = std::make_shared<ColdFile>(64u << 20, 6'500'000);
  std::uint64_t at = 0;
  while (at < 6'500'000) {
    const std::uint64_t bytes = warmth.sendable({file, at, 1u << 20});
    ASSERT_GT(bytes, 0u) << at;
    at += bytes;
  }
  EXPECT_EQ(at, 6'500'000u);
  EXPECT_EQ(warmth.sendable({file, at, 1u << 20}), 0u);
}

TEST(KernelPageCache, SeesWhatTheKernelHasLetGo) {
  std::string path = "page-cache-XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  unlink(path.c_str());
  struct Opened final : env::File {
    explicit Opened(int f) : fd(f) {}
    ~Opened() override { ::close(fd); }
    Result<std::size_t> read_at(std::uint64_t, MutableBytes) const override { return 0; }
    Status write_at(std::uint64_t, std::span<const ByteView>) override { return {}; }
    Status truncate(std::uint64_t) override { return {}; }
    Status sync() override { return {}; }
    Result<std::uint64_t> size() const override { return 0; }
    int native_handle() const override { return fd; }
    int fd;
  } file(fd);
  const Bytes content(1'000'000, 7);
  ASSERT_EQ(write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  const KernelPageCache cache;
  EXPECT_EQ(cache.run(file, 5000, 100'000).bytes, 100'000u);
  EXPECT_FALSE(cache.run(file, 5000, 100'000).to_end_of_file);
  EXPECT_TRUE(cache.run(file, 5000, 995'000).to_end_of_file);
  EXPECT_TRUE(cache.has(file, 999'999));
  EXPECT_FALSE(cache.has(file, 1'000'000)) << "behind the end";
  ASSERT_EQ(fsync(fd), 0);
  ASSERT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  if (cache.run(file, 0, 4096).bytes > 0) GTEST_SKIP() << "a file system that keeps all in memory";
  EXPECT_EQ(cache.run(file, 500'000, 100'000).bytes, 0u);
  EXPECT_FALSE(cache.has(file, 500'000));
}

}  // namespace
}  // namespace moldau::net::testing
