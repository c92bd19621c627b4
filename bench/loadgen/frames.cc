#include "loadgen/frames.h"

#include <span>

#include "base/varint.h"

namespace moldau::bench {
namespace {

constexpr std::string_view kClientId = "moldau-loadgen";
constexpr std::int32_t kTimeoutMs = 30'000;

// Writes one request; strings, arrays and tag sections take the old or the flexible form as the version has
// it.
class Encoder {
 public:
  Encoder(Api api, std::int16_t version, bool flexible, std::int32_t correlation_id) : flexible_(flexible) {
    number(std::int32_t{0});
    number(static_cast<std::int16_t>(api));
    number(version);
    number(correlation_id);
    number(static_cast<std::int16_t>(kClientId.size()));  // the client id keeps its old form in every version
    raw(kClientId);
    tags();
  }

  template <std::integral T>
  void number(T n) {
    out_.resize(out_.size() + sizeof n);
    store_be(out_.data() + out_.size() - sizeof n, n);
  }
  void boolean(bool b) { out_.push_back(b ? 1 : 0); }
  void text(std::string_view s) {
    if (flexible_)
      uvarint(s.size() + 1);
    else
      number(static_cast<std::int16_t>(s.size()));
    raw(s);
  }
  void null_text() {
    if (flexible_)
      uvarint(0);
    else
      number(std::int16_t{-1});
  }
  void count(std::size_t n) {
    if (flexible_)
      uvarint(n + 1);
    else
      number(static_cast<std::int32_t>(n));
  }
  void tags() {
    if (flexible_) out_.push_back(0);
  }

  std::size_t size() const { return out_.size(); }
  // `extra`: bytes that will be sent between the encoded ones.
  Bytes finish(std::size_t extra = 0) {
    store_be(out_.data(), static_cast<std::int32_t>(out_.size() + extra - 4));
    return std::move(out_);
  }

 private:
  void uvarint(std::size_t n) {
    std::uint8_t buffer[kMaxVarintBytes];
    out_.insert(out_.end(), buffer, write_uvarint(buffer, static_cast<std::uint32_t>(n)));
  }
  void raw(std::string_view s) { out_.insert(out_.end(), s.begin(), s.end()); }

  Bytes out_;
  bool flexible_;
};

// The neighbours in `items` that have the same topic, group by group.
template <typename Item, typename TopicOf>
std::vector<std::span<const Item>> by_topic(const std::vector<Item>& items, TopicOf topic_of) {
  std::vector<std::span<const Item>> groups;
  for (std::size_t from = 0, to = 0; from < items.size(); from = to) {
    while (to < items.size() && topic_of(items[to]) == topic_of(items[from])) ++to;
    groups.push_back(std::span(items).subspan(from, to - from));
  }
  return groups;
}

}  // namespace

Frame produce_frame(std::int16_t version, std::int16_t acks, const std::vector<TopicPartition>& to,
                    ByteView batch, std::int32_t correlation_id) {
  Encoder out(Api::kProduce, version, version >= 9, correlation_id);
  Frame frame{.text = {}, .cuts = {}, .batch = batch, .correlation_id = correlation_id};
  out.null_text();  // transactional id
  out.number(acks);
  out.number(kTimeoutMs);
  const auto topics = by_topic(to, [](const TopicPartition& p) { return p.topic; });
  out.count(topics.size());
  for (const auto& partitions : topics) {
    out.text(partitions.front().topic);
    out.count(partitions.size());
    for (const TopicPartition& p : partitions) {
      out.number(p.partition);
      out.count(batch.size());  // `records` is counted like an array of bytes, in both forms
      frame.cuts.push_back(out.size());
      out.tags();
    }
    out.tags();
  }
  out.tags();
  frame.text = out.finish(frame.cuts.size() * batch.size());
  return frame;
}

Bytes fetch_frame(std::int16_t version, const FetchLimits& limits, FetchSession session,
                  const std::vector<FetchPosition>& positions, std::int32_t correlation_id) {
  Encoder out(Api::kFetch, version, version >= 12, correlation_id);
  out.number(std::int32_t{-1});  // replica id: a consumer
  out.number(limits.max_wait_ms);
  out.number(limits.min_bytes);
  out.number(limits.max_bytes);
  out.number(std::int8_t{0});  // read uncommitted
  out.number(session.id);
  out.number(session.epoch);
  const auto topics = by_topic(positions, [](const FetchPosition& p) { return p.at.topic; });
  out.count(topics.size());
  for (const auto& partitions : topics) {
    out.text(partitions.front().at.topic);
    out.count(partitions.size());
    for (const FetchPosition& p : partitions) {
      out.number(p.at.partition);
      out.number(std::int32_t{-1});  // current leader epoch
      out.number(p.offset);
      if (version >= 12) out.number(std::int32_t{-1});  // last fetched epoch
      out.number(std::int64_t{-1});                     // log start offset
      out.number(limits.partition_max_bytes);
      out.tags();
    }
    out.tags();
  }
  out.count(0);  // forgotten topics
  out.text("");  // rack
  out.tags();
  return out.finish();
}

Bytes api_versions_frame(std::int32_t correlation_id) {
  Encoder out(Api::kApiVersions, 3, true, correlation_id);
  out.text("moldau-loadgen");
  out.text("1");
  out.tags();
  return out.finish();
}

Bytes metadata_frame(std::string_view topic, std::int32_t correlation_id) {
  Encoder out(Api::kMetadata, 9, true, correlation_id);
  out.count(1);
  out.text(topic);
  out.tags();
  out.boolean(false);  // allow auto topic creation
  out.boolean(false);  // include cluster authorized operations
  out.boolean(false);  // include topic authorized operations
  out.tags();
  return out.finish();
}

Bytes create_topic_frame(std::string_view topic, std::int32_t partitions,
                         const std::vector<std::pair<std::string, std::string>>& configs,
                         std::int32_t correlation_id) {
  Encoder out(Api::kCreateTopics, 4, false, correlation_id);
  out.count(1);
  out.text(topic);
  out.number(partitions);
  out.number(std::int16_t{1});
  out.count(0);  // assignments
  out.count(configs.size());
  for (const auto& [name, value] : configs) out.text(name), out.text(value);
  out.number(kTimeoutMs);
  out.boolean(false);  // validate only
  return out.finish();
}

Bytes delete_topic_frame(std::string_view topic, std::int32_t correlation_id) {
  Encoder out(Api::kDeleteTopics, 3, false, correlation_id);
  out.count(1);
  out.text(topic);
  out.number(kTimeoutMs);
  return out.finish();
}

Bytes list_offsets_frame(std::string_view topic, std::int32_t partitions, std::int64_t timestamp,
                         std::int32_t correlation_id) {
  Encoder out(Api::kListOffsets, 4, false, correlation_id);
  out.number(std::int32_t{-1});  // replica id
  out.number(std::int8_t{0});    // read uncommitted
  out.count(1);
  out.text(topic);
  out.count(static_cast<std::size_t>(partitions));
  for (std::int32_t p = 0; p < partitions; ++p) {
    out.number(p);
    out.number(std::int32_t{-1});  // current leader epoch
    out.number(timestamp);
  }
  return out.finish();
}

}  // namespace moldau::bench
