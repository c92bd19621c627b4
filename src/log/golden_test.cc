// Data directories that Kafka 0.8.2.2 to 4.3.1 wrote, after clean stops and after kill -9 with torn tails:
// each opens, and serves exactly the records that its own consumers read.
#include "tests/support/golden.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "log/aborted_index.h"
#include "log/checkpoint.h"
#include "log/log.h"
#include "log/producer_state.h"
#include "log/sparse_index.h"
#include "record/records.h"
#include "simenv/disk.h"
#include "tests/support/datadir.h"

namespace moldau::log {
namespace {

namespace json = boost::json;

struct Datadir : testing::TestWithParam<std::string> {
  Datadir() {
    golden::unpack_datadir(GetParam(), disk, "/data");
    expected = golden::datadir_expectation(GetParam());
    clean = disk.exists("/data/.kafka_cleanshutdown");
    recovery_points = *load_offsets(disk, std::string("/data/") + kRecoveryPointName);
    log_starts = *load_offsets(disk, std::string("/data/") + kLogStartName);
  }
  std::unique_ptr<Log> open(const TopicPartition& partition, bool is_clean) {
    OpenOptions options{.clean_shutdown = is_clean, .now_ms = kNow};
    if (const auto point = recovery_points.find(partition); point != recovery_points.end()) {
      options.recovery_point = options.recover_from = point->second;
      options.recovery_point_known = true;
    }
    if (const auto start = log_starts.find(partition); start != log_starts.end())
      options.log_start = start->second;
    auto log =
        Log::open({&disk, &files}, "/data/" + partition.to_string(), std::make_shared<LogConfig>(), options);
    EXPECT_TRUE(log) << log.error().message;
    return log ? std::move(*log) : nullptr;
  }
  // Calls use(partition, what is expected of it).
  template <typename Use>
  void for_each(Use use) {
    for (const auto& [topic, partitions] : expected.at("topics").as_object()) {
      for (const auto& [number, what] : partitions.as_object())
        use(TopicPartition{std::string(topic), PartitionIndex{std::stoi(std::string(number))}},
            what.as_object());
    }
  }

  static constexpr std::int64_t kNow = 1'600'000'100'000;
  simenv::Disk disk{1};
  FileCache files{disk, 20};
  json::object expected;
  bool clean = false;
  OffsetMap recovery_points, log_starts;
};

std::string text_or_null(const record::NullableBytes& bytes) {
  return bytes ? "\"" + std::string(as_text(*bytes)) + "\"" : "null";
}
std::string text_or_null(const json::value& value) {
  return value.is_null() ? "null" : "\"" + std::string(value.as_string()) + "\"";
}

// A record in the words of the expectation, as far as both know it.
std::string render(const record::Record& record, const record::BatchHeader& header,
                   const json::object& like) {
  std::string line =
      std::to_string(record.offset.value) + " " + text_or_null(record.key) + " " + text_or_null(record.value);
  if (like.contains("timestamp")) {
    line += " @" + std::to_string(record.timestamp);
    constexpr const char* kTypes[] = {"NoTimestampType", "CreateTime", "LogAppendTime"};
    line += kTypes[static_cast<int>(header.timestamp_type()) + 1];
    for (const record::HeaderView h : record.headers)
      line += " " + std::string(as_text(h.key)) + "=" + text_or_null(h.value);
    line += " epoch " + std::to_string(header.partition_leader_epoch.value);
  }
  if (like.contains("magic")) line += " magic " + std::to_string(header.magic);
  return line;
}
std::string render(const json::object& record) {
  std::string line = std::to_string(record.at("offset").as_int64()) + " " + text_or_null(record.at("key")) +
                     " " + text_or_null(record.at("value"));
  if (record.contains("timestamp")) {
    line += " @" + std::to_string(record.at("timestamp").as_int64()) +
            std::string(record.at("timestamp_type").as_string());
    for (const auto& header : record.at("headers").as_array())
      line += " " + std::string(header.as_array()[0].as_string()) + "=" + text_or_null(header.as_array()[1]);
    const auto& epoch = record.at("leader_epoch");
    line += " epoch " + std::to_string(epoch.is_null() ? -1 : epoch.as_int64());
  }
  if (record.contains("magic")) line += " magic " + std::to_string(record.at("magic").as_int64());
  return line;
}

// What a consumer sees that reads from the start with fetches of `max_bytes`.
std::vector<std::string> consume(Log& log, std::uint64_t max_bytes, Offset upper, bool committed,
                                 const json::object& like) {
  std::vector<std::string> lines;
  record::Decompressor decompressor;
  Offset next = log.start_offset();
  while (next < upper) {
    auto read = log.read(next, max_bytes, upper, true);
    if (!read || read->error != wire::ErrorCode::kNone || read->slice.length == 0) break;
    Bytes bytes(read->slice.length);
    EXPECT_EQ(*read->slice.file->read_at(read->slice.position, bytes), bytes.size());
    std::multimap<Offset, ProducerId> aborted;  // by first offset
    if (committed)
      for (const auto& one : *log.aborted_transactions(next, read->end_bound))
        aborted.emplace(one.first_offset, one.producer);
    std::set<ProducerId> hidden;
    record::BatchIterator batches(bytes);
    while (const auto batch = batches.next()) {
      const auto& header = batch->header();
      while (!aborted.empty() && aborted.begin()->first <= header.last_offset) {
        hidden.insert(aborted.begin()->second);
        aborted.erase(aborted.begin());
      }
      record::RecordIterator records(*batch, decompressor);
      while (const auto record = records.next()) {
        if (header.control()) {
          if (record::end_txn_marker(*record)->type == record::ControlType::kAbort)
            hidden.erase(header.producer_id);
        } else if (record->offset >= next &&
                   !(header.transactional() && hidden.contains(header.producer_id))) {
          lines.push_back(render(*record, header, like));
        }
      }
      EXPECT_TRUE(records.fault().ok()) << records.fault().message;
      EXPECT_LT(header.last_offset, upper);
      next = header.next_offset();
    }
    EXPECT_EQ(batches.left_over(), 0u) << "a slice is cut at a batch's end";
    EXPECT_LE(next, read->end_bound);
  }
  return lines;
}

void expect_records(Log& log, const json::object& what, const std::string& where) {
  std::vector<std::string> all, committed;
  const auto& records = what.at("records").as_array();
  for (const auto& record : records) {
    all.push_back(render(record.as_object()));
    if (!record.as_object().contains("read_committed")) committed.push_back(all.back());
  }
  const json::object like = records.empty() ? json::object() : records[0].as_object();
  EXPECT_EQ(log.start_offset().value, what.at("log_start").as_int64()) << where;
  EXPECT_EQ(log.end_offset().value, what.at("log_end").as_int64()) << where;
  for (const std::uint64_t max_bytes : {1ull, 100ull, 700ull, 1ull << 20}) {
    EXPECT_EQ(consume(log, max_bytes, log.end_offset(), false, like), all) << where << " by " << max_bytes;
    const Offset stable = *log.last_stable_offset(log.end_offset());
    if (what.contains("lso")) {
      EXPECT_EQ(stable.value, what.at("lso").as_int64()) << where;
    }
    EXPECT_EQ(consume(log, max_bytes, stable, true, like), committed) << where << " by " << max_bytes;
  }
}

TEST_P(Datadir, ServesExactlyItsRecords) {
  for_each([&](const TopicPartition& partition, const json::object& what) {
    auto log = open(partition, clean);
    ASSERT_TRUE(log);
    expect_records(*log, what, partition.to_string());
    EXPECT_TRUE(!clean || log->recovery().notes.empty()) << log->recovery().notes[0];
  });
}

// A clean directory whose marker and checkpoints are lost is recovered from its batches alone.
TEST_P(Datadir, ServesThemAfterAFullRecoveryToo) {
  recovery_points.clear();
  for_each([&](const TopicPartition& partition, const json::object& what) {
    auto log = open(partition, false);
    ASSERT_TRUE(log);
    expect_records(*log, what, partition.to_string());
    EXPECT_TRUE(log->recovery().scanned);
    EXPECT_EQ(log->recovery().bytes_dropped > 0, !log->recovery().why.empty());
  });
}

TEST_P(Datadir, TornTailsAreCut) {
  const auto& torn = expected.at("torn");
  if (torn.is_null()) GTEST_SKIP() << "nothing was torn";
  for (const json::object* cut : {&torn.as_object(), &torn.as_object().at("second").as_object()}) {
    const std::string file(cut->at("file").as_string());
    const std::string folder = file.substr(0, file.find('/'));
    auto log = open(parse_folder_name(folder)->partition, false);
    ASSERT_TRUE(log);
    EXPECT_EQ(log->recovery().bytes_dropped,
              static_cast<std::uint64_t>(cut->at("appended_bytes").as_int64()));
    EXPECT_NE(
        log->recovery().why.find(file + ": at byte " + std::to_string(cut->at("valid_bytes").as_int64())),
        std::string::npos)
        << log->recovery().why;
    EXPECT_EQ(disk.read_file("/data/" + file)->size(),
              static_cast<std::size_t>(cut->at("valid_bytes").as_int64()));
  }
}

// After a close by us, Kafka's clean start finds all it wants, and so do we.
TEST_P(Datadir, CloseAndOpenAgain) {
  for_each([&](const TopicPartition& partition, const json::object& what) {
    auto log = open(partition, clean);
    ASSERT_TRUE(log->last_stable_offset(Offset{0}));
    ASSERT_TRUE(log->close());
    recovery_points[partition] = log->recovery_point();
    EXPECT_EQ(log->recovery_point(), log->end_offset());
    log.reset();
    log = open(partition, true);
    expect_records(*log, what, partition.to_string());
    EXPECT_TRUE(log->recovery().notes.empty());
  });
}

// A snapshot lists its producers in any order.
Bytes in_order(const Bytes& content, const std::string& path) {
  if (!path.ends_with(".snapshot")) return content;
  ProducerState state;
  EXPECT_TRUE(state.load(content, path, 0, kNever)) << path;
  return state.snapshot();
}

// Our indexes of the same batches are Kafka's, byte for byte, where its appends were single batches; so are
// the transaction indexes and the newest snapshots.
TEST_P(Datadir, IndexesAreKafkas) {
  if (!clean) GTEST_SKIP() << "Kafka had not written its indexes";
  std::map<std::string, Bytes> theirs;
  for (const std::string& path : disk.files())
    if (path.ends_with("index") || path.ends_with(".snapshot")) theirs[path] = *disk.read_file(path);
  const auto interval = std::stoi(
      std::string(expected.at("broker_config").as_object().contains("log.index.interval.bytes")
                      ? expected.at("broker_config").as_object().at("log.index.interval.bytes").as_string()
                      : "4096"));
  int compared = 0;
  for_each([&](const TopicPartition& partition, const json::object&) {
    if (partition.topic == "compacted") return;  // the cleaner indexes by its own buffers
    const std::string folder = "/data/" + partition.to_string() + "/";
    for (const auto& [path, bytes] : theirs)
      if (path.starts_with(folder) && !path.ends_with(".snapshot")) {
        ASSERT_TRUE(disk.remove(path));
      }
    LogConfig config;
    // Topics had their own settings; theirs shows in the distance of the first slots.
    config.index_interval_bytes = partition.topic == "plain" ? 200 : interval;
    OpenOptions options{.now_ms = kNow};
    if (log_starts.contains(partition)) options.log_start = log_starts[partition];
    auto log = Log::open({&disk, &files}, "/data/" + partition.to_string(),
                         std::make_shared<LogConfig>(config), options);
    ASSERT_TRUE(log);
    ASSERT_TRUE((*log)->close());
    for (const auto& [path, bytes] : theirs) {
      if (!path.starts_with(folder)) continue;
      if (path.ends_with(".snapshot") &&
          !path.ends_with(std::to_string((*log)->end_offset().value) + ".snapshot"))
        continue;
      auto ours = disk.read_file(path);
      ASSERT_TRUE(ours) << path;
      ++compared;
      EXPECT_EQ(golden::to_hex(in_order(*ours, path)), golden::to_hex(in_order(bytes, path))) << path;
    }
  });
  EXPECT_GT(compared, 5);
}

INSTANTIATE_TEST_SUITE_P(All, Datadir, testing::ValuesIn(golden::datadir_names()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name)
    if (c == '.' || c == '-') c = '_';
  return name;
});

}  // namespace
}  // namespace moldau::log
