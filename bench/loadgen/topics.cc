// Creates, deletes and measures topics, and waits for a broker to come up: what stands around the measured
// loads.
#include <chrono>
#include <fmt/format.h>
#include <optional>
#include <thread>

#include "loadgen/batch.h"
#include "loadgen/clock.h"
#include "loadgen/meter.h"
#include "loadgen/modes.h"
#include "loadgen/replies.h"

namespace moldau::bench {
namespace {

constexpr std::int64_t kLatest = -1;
constexpr std::int64_t kEarliest = -2;
constexpr auto kRetryPause = std::chrono::milliseconds(2);

Status create_topic(BlockingClient& client, const Options& options, const std::string& topic) {
  TRY_ASSIGN(reply, client.call(create_topic_frame(topic, options.partitions, options.configs, 0)));
  const auto error = create_topic_error(reply);
  if (!error) return fail(ErrorKind::kCorrupt, "expected a CreateTopics reply, found other bytes");
  if (error->code == 0) return {};
  return fail(ErrorKind::kIo,
              fmt::format("cannot create topic {}: error code {} {}", topic, error->code, error->message));
}

// The sum of all partitions' offsets at `timestamp`, once every partition answers; nullopt while one does
// not.
Result<std::optional<std::int64_t>> sum_offsets(BlockingClient& client, const Options& options,
                                                const std::string& topic, std::int64_t timestamp) {
  TRY_ASSIGN(reply, client.call(list_offsets_frame(topic, options.partitions, timestamp, 0)));
  const auto listed = listed_offsets(reply);
  if (!listed || listed->size() != static_cast<std::size_t>(options.partitions))
    return fail(ErrorKind::kCorrupt, fmt::format("expected the offsets of {} partitions, found another reply",
                                                 options.partitions));
  std::int64_t sum = 0;
  for (const ListedOffset& o : *listed) {
    if (o.error != 0) return std::optional<std::int64_t>{};
    sum += o.offset;
  }
  return std::optional(sum);
}

Status wait_for_leaders(BlockingClient& client, const Options& options, const std::string& topic,
                        std::int64_t until_ns) {
  for (;;) {
    TRY_ASSIGN(sum, sum_offsets(client, options, topic, kLatest));
    if (sum) return {};
    if (now_ns() >= until_ns)
      return fail(ErrorKind::kIo, "expected leaders for all partitions of " + topic + ", found some without");
    std::this_thread::sleep_for(kRetryPause);
  }
}

double ms_since(std::int64_t from_ns) { return static_cast<double>(now_ns() - from_ns) / 1e6; }

bool answers_a_produce(const Options& options, const Batch& batch, std::string& why) {
  auto client = BlockingClient::connect(options.address);
  if (!client) return why = client.error().message, false;
  const Frame frame = produce_frame(9, 1, {{options.topic, 0}}, batch.bytes, 0);
  Bytes bytes(frame.text.begin(), frame.text.begin() + static_cast<std::ptrdiff_t>(frame.cuts[0]));
  bytes.insert(bytes.end(), batch.bytes.begin(), batch.bytes.end());
  bytes.insert(bytes.end(), frame.text.begin() + static_cast<std::ptrdiff_t>(frame.cuts[0]),
               frame.text.end());
  const auto reply = client->call(std::move(bytes));
  if (!reply) return why = reply.error().message, false;
  const std::int16_t code = produce_error(9, *reply);
  if (code != 0) why = "error code " + std::to_string(code);
  return code == 0;
}

bool port_is_open(const Options& options) {
  auto client = BlockingClient::connect(options.address);
  return client && client->call(api_versions_frame(0));
}

}  // namespace

Result<Report> run_create(const Options& options) {
  TRY_ASSIGN(client, BlockingClient::connect(options.address));
  const std::int64_t from = now_ns();
  Meter meter(options.pid);
  TRY(meter.begin());
  const std::vector<std::string> names = topic_names(options);
  for (const std::string& topic : names) TRY(create_topic(client, options, topic));
  const double created_ms = ms_since(from);
  for (const std::string& topic : names)
    TRY(wait_for_leaders(client, options, topic, now_ns() + 120 * kSecond));
  meter.work.requests = static_cast<std::int64_t>(names.size());
  TRY(meter.end());
  Report report;
  report.add("partitions", static_cast<std::int64_t>(names.size()) * options.partitions);
  report.add("created_ms", created_ms);
  report.add("ready_ms", ms_since(from));
  meter.report_to(report);
  return report;
}

Result<Report> run_delete(const Options& options) {
  TRY_ASSIGN(client, BlockingClient::connect(options.address));
  for (const std::string& topic : topic_names(options)) {
    TRY_ASSIGN(reply, client.call(delete_topic_frame(topic, 0)));
    if (const auto code = delete_topic_error(reply); code != 0)
      return fail(ErrorKind::kIo, fmt::format("cannot delete topic {}: error code {}", topic,
                                              code.value_or(kMalformedReply)));
  }
  Report report;
  report.add("topics", std::int64_t{options.topics});
  return report;
}

Result<Report> run_offsets(const Options& options) {
  TRY_ASSIGN(client, BlockingClient::connect(options.address));
  const std::int64_t until = now_ns() + static_cast<std::int64_t>(options.seconds * kSecond);
  std::int64_t records = 0;
  for (const std::string& topic : topic_names(options)) {
    TRY(wait_for_leaders(client, options, topic, until));
    TRY_ASSIGN(end, sum_offsets(client, options, topic, kLatest));
    TRY_ASSIGN(begin, sum_offsets(client, options, topic, kEarliest));
    if (!end || !begin)
      return fail(ErrorKind::kIo, "expected the offsets of all partitions of " + topic + ", found errors");
    records += *end - *begin;
  }
  Report report;
  report.add("records", records);
  return report;
}

Result<Report> run_probe(const Options& options) {
  const std::int64_t until = now_ns() + static_cast<std::int64_t>(options.seconds * kSecond);
  Report report;
  while (!port_is_open(options)) {
    if (now_ns() >= until) return fail(ErrorKind::kIo, "expected an open port in time, found none");
    std::this_thread::sleep_for(kRetryPause);
  }
  report.add("open_at_ns", now_ns());
  const Batch batch = build_batch({.records = 1, .value_bytes = 100, .timestamp_ms = wall_ms()});
  std::string why;
  while (!options.topic.empty() && !answers_a_produce(options, batch, why)) {
    if (now_ns() >= until)
      return fail(ErrorKind::kIo,
                  "expected a produce to " + options.topic + " to succeed in time, found " + why);
    std::this_thread::sleep_for(kRetryPause);
  }
  if (!options.topic.empty()) report.add("produced_at_ns", now_ns());
  return report;
}

}  // namespace moldau::bench
