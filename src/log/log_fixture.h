// One log on a simulated disk, for tests.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "log/log.h"
#include "log/test_batches.h"
#include "record/records.h"
#include "simenv/disk.h"

namespace moldau::log::testing {

struct LogTest : ::testing::Test {
  static constexpr const char* kFolder = "/data/t-0";
  static constexpr std::int64_t kNow = 1'700'000'000'000;

  simenv::Clock clock{kNow};
  simenv::Disk disk{1, &clock};
  FileCache files{disk, 10};
  std::shared_ptr<LogConfig> config = std::make_shared<LogConfig>();
  std::unique_ptr<Log> log;

  void SetUp() override { create(); }
  void create(Offset start = Offset{0}) {
    log.reset();
    EXPECT_TRUE(disk.remove_all(kFolder));
    auto made = Log::create({&disk, &files}, kFolder, config, Uuid{}, kNow, start);
    ASSERT_TRUE(made) << made.error().message;
    log = std::move(*made);
  }
  void reopen(OpenOptions options) {
    log.reset();
    options.now_ms = kNow;
    auto opened = Log::open({&disk, &files}, kFolder, config, options);
    ASSERT_TRUE(opened) << opened.error().message;
    log = std::move(*opened);
  }
  AppendInfo append(Bytes batch, AppendOptions options = {}) {
    if (options.now_ms == 0) options.now_ms = clock.wall_ms();
    const auto done = log->append(batch, options);
    EXPECT_TRUE(done) << done.error().message;
    return done ? *done : AppendInfo{};
  }
  Bytes read_all(Offset from, Offset upper) {
    Bytes all;
    for (Offset at = from; at < upper;) {
      const auto read = log->read(at, 1 << 20, upper, true);
      if (!read || read->slice.length == 0) break;
      Bytes piece(read->slice.length);
      EXPECT_EQ(*read->slice.file->read_at(read->slice.position, piece), piece.size());
      record::BatchIterator batches(piece);
      while (const auto batch = batches.next()) at = batch->header().next_offset();
      all.insert(all.end(), piece.begin(), piece.end());
    }
    return all;
  }
  std::vector<std::string> segment_files() {
    std::vector<std::string> names;
    for (const auto& entry : *disk.list(kFolder))
      if (entry.name.ends_with(".log")) names.push_back(std::to_string(std::stoll(entry.name)));
    return names;
  }
};

}  // namespace moldau::log::testing
