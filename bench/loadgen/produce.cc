#include "loadgen/batch.h"
#include "loadgen/clock.h"
#include "loadgen/drive.h"
#include "loadgen/modes.h"
#include "loadgen/replies.h"

namespace moldau::bench {
namespace {

std::vector<TopicPartition> all_partitions(const std::vector<std::string>& topics, int partitions) {
  std::vector<TopicPartition> all;
  for (const std::string& topic : topics)
    for (int p = 0; p < partitions; ++p) all.push_back({topic, p});
  return all;
}

// One frame for every `partitions_per_request` partitions.
std::vector<Frame> frames_for(const Options& options, const std::vector<TopicPartition>& all,
                              ByteView batch) {
  std::vector<Frame> frames;
  const auto step = static_cast<std::size_t>(options.partitions_per_request);
  for (std::size_t from = 0; from < all.size(); from += step) {
    const std::size_t to = std::min(all.size(), from + step);
    frames.push_back(produce_frame(
        static_cast<std::int16_t>(options.produce_version), static_cast<std::int16_t>(options.acks),
        {all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to)},
        batch, static_cast<std::int32_t>(frames.size())));
  }
  return frames;
}

Frame plain_frame(Bytes text, std::int32_t correlation_id) {
  return {.text = std::move(text), .cuts = {}, .batch = {}, .correlation_id = correlation_id};
}

}  // namespace

Result<Report> run_produce(const Options& options) {
  const Batch batch = build_batch(
      {.records = options.batch_records, .value_bytes = options.value_bytes, .timestamp_ms = wall_ms()});
  const std::vector<std::string> topics = topic_names(options);
  const std::vector<TopicPartition> all = all_partitions(topics, options.partitions);
  if (all.size() % static_cast<std::size_t>(options.partitions_per_request) != 0)
    return fail(ErrorKind::kInvalid,
                "expected --partitions-per-request to divide the number of partitions, it leaves some over");
  const auto version = static_cast<std::int16_t>(options.produce_version);
  return drive(
      options,
      {.frames = frames_for(options, all, batch.bytes),
       .records_per_frame = std::int64_t{options.batch_records} * options.partitions_per_request,
       .bytes_per_frame = static_cast<std::int64_t>(batch.bytes.size()) * options.partitions_per_request,
       .has_replies = options.acks != 0,
       .error_of = [version](ByteView reply, const Frame&) { return produce_error(version, reply); }});
}

Result<Report> run_mix(const Options& options) {
  Load load;
  load.frames.push_back(plain_frame(api_versions_frame(0), 0));
  load.frames.push_back(plain_frame(metadata_frame(topic_names(options).front(), 1), 1));
  load.error_of = [](ByteView reply, const Frame& frame) {
    return frame.correlation_id == 0 ? api_versions_error(reply) : metadata_error(reply);
  };
  return drive(options, load);
}

}  // namespace moldau::bench
