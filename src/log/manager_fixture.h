// A log manager on a simulated disk, for tests.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "log/log_manager.h"
#include "log/test_batches.h"
#include "record/records.h"
#include "simenv/background.h"
#include "simenv/clock.h"
#include "simenv/disk.h"

namespace moldau::log::testing {

class ManagerFixture {
 public:
  explicit ManagerFixture(std::uint64_t seed = 1)
      : disk(seed, &clock), random(seed), config(std::make_shared<LogConfig>()) {
    options.directories = {"/data"};
    options.boot_id = "boot-1";
    options.config_of = [this](const std::string&) { return config; };
  }

  Status open() {
    auto opened = LogManager::open({disk, clock, random, background, events}, options);
    if (!opened) return std::unexpected(opened.error());
    manager = std::move(*opened);
    auto loaded = manager->load();
    if (!loaded) return std::unexpected(loaded.error());
    report = std::move(*loaded);
    return {};
  }
  void crash(simenv::Crash kind) {
    manager.reset();
    background.drop_all();
    disk.crash(kind);
    if (kind == simenv::Crash::kPower) options.boot_id += "x";
  }
  // One batch of `count` records whose values begin with `tag`.
  static Result<AppendInfo> append(Log& log, const std::string& tag, int count = 1, std::size_t bytes = 50) {
    Bytes batch = make_batch({.count = count, .value_bytes = bytes, .tag = tag});
    return log.append(batch, {.now_ms = 1'700'000'000'000});
  }
  // The values in the log, without padding and number.
  static std::vector<std::string> values(Log& log) {
    std::vector<std::string> found;
    record::Decompressor decompressor;
    for (Offset at = log.start_offset(); at < log.end_offset();) {
      const auto read = log.read(at, 1 << 20, log.end_offset(), true);
      if (!read || read->slice.length == 0) break;
      Bytes bytes(read->slice.length);
      if (!read->slice.file->read_at(read->slice.position, bytes)) break;
      record::BatchIterator batches(bytes);
      while (const auto batch = batches.next()) {
        record::RecordIterator records(*batch, decompressor);
        while (const auto record = records.next())
          if (record->offset >= at) found.emplace_back(as_text(*record->value));
        at = std::max(at, batch->header().next_offset());
      }
    }
    for (std::string& value : found) value = value.substr(0, value.find('.'));
    return found;
  }
  std::string text_of(const std::string& path) {
    auto content = disk.read_file(path);
    return content ? std::string(as_text(*content)) : "<none>";
  }

  simenv::Clock clock;
  simenv::Disk disk;
  simenv::Random random;
  simenv::Background background;
  simenv::EventLog events;
  std::shared_ptr<LogConfig> config;
  LogManagerOptions options;
  std::unique_ptr<LogManager> manager;
  LoadReport report;
};

}  // namespace moldau::log::testing
