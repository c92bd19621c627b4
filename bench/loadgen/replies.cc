#include "loadgen/replies.h"

#include "base/varint.h"

namespace moldau::bench {
namespace {

// Reads from the front; after the first failure every read gives zero and ok() stays false.
class Decoder {
 public:
  Decoder(ByteView reply, bool flexible, bool header_tags) : rest_(reply), flexible_(flexible) {
    number<std::int32_t>();  // correlation id
    if (header_tags) tags();
  }

  bool ok() const { return ok_; }

  template <std::integral T>
  T number() {
    const ByteView bytes = take(sizeof(T));
    return ok_ ? load_be<T>(bytes.data()) : T{};
  }
  // -1 for null. Never more than the bytes left, so a loop over it ends.
  std::int64_t count() {
    const std::int64_t n = length();
    if (n > static_cast<std::int64_t>(rest_.size())) ok_ = false;
    return ok_ ? n : 0;
  }
  ByteView bytes() {
    const std::int64_t n = length();
    return n <= 0 ? ByteView{} : take(static_cast<std::size_t>(n));
  }
  std::string_view text() {
    if (flexible_) return as_text(bytes());
    const auto n = number<std::int16_t>();
    return n <= 0 ? std::string_view{} : as_text(take(static_cast<std::size_t>(n)));
  }
  void tags() {
    if (!flexible_) return;
    for (std::uint32_t n = uvarint(); n > 0 && ok_; --n) {
      uvarint();
      take(uvarint());
    }
  }

 private:
  std::int64_t length() {
    return flexible_ ? static_cast<std::int64_t>(uvarint()) - 1 : std::int64_t{number<std::int32_t>()};
  }
  std::uint32_t uvarint() {
    std::uint32_t n = 0;
    const std::size_t taken = ok_ ? read_uvarint(rest_, n) : 0;
    if (taken == 0) ok_ = false;
    rest_ = rest_.subspan(taken);
    return n;
  }
  ByteView take(std::size_t n) {
    if (n > rest_.size()) ok_ = false;
    if (!ok_) return {};
    const ByteView front = rest_.first(n);
    rest_ = rest_.subspan(n);
    return front;
  }

  ByteView rest_;
  bool flexible_;
  bool ok_ = true;
};

void keep_first(std::int16_t& first, std::int16_t error) {
  if (first == 0) first = error;
}

}  // namespace

std::int32_t correlation_id_of(ByteView reply) { return load_be<std::int32_t>(reply.data()); }

std::int16_t produce_error(std::int16_t version, ByteView reply) {
  Decoder in(reply, version >= 9, version >= 9);
  std::int16_t first = 0;
  for (auto topics = in.count(); topics > 0; --topics) {
    in.text();
    for (auto partitions = in.count(); partitions > 0; --partitions) {
      in.number<std::int32_t>();
      keep_first(first, in.number<std::int16_t>());
      in.number<std::int64_t>();                    // base offset
      in.number<std::int64_t>();                    // log append time
      if (version >= 5) in.number<std::int64_t>();  // log start offset
      if (version >= 8) {
        for (auto records = in.count(); records > 0; --records)
          in.number<std::int32_t>(), in.text(), in.tags();
        in.text();
      }
      in.tags();
    }
    in.tags();
  }
  return in.ok() ? first : kMalformedReply;
}

bool read_fetch_reply(std::int16_t version, ByteView reply, FetchReply& out) {
  Decoder in(reply, version >= 12, version >= 12);
  out.partitions.clear();
  in.number<std::int32_t>();  // throttle time
  out.error = in.number<std::int16_t>();
  out.session_id = in.number<std::int32_t>();
  for (auto topics = in.count(); topics > 0; --topics) {
    const std::string_view topic = in.text();
    for (auto partitions = in.count(); partitions > 0; --partitions) {
      FetchedPartition& p = out.partitions.emplace_back();
      p.topic = topic;
      p.partition = in.number<std::int32_t>();
      p.error = in.number<std::int16_t>();
      p.high_watermark = in.number<std::int64_t>();
      in.number<std::int64_t>();  // last stable offset
      in.number<std::int64_t>();  // log start offset
      for (auto aborted = in.count(); aborted > 0; --aborted)
        in.number<std::int64_t>(), in.number<std::int64_t>(), in.tags();
      in.number<std::int32_t>();  // preferred read replica
      p.records = in.bytes();
      in.tags();
    }
    in.tags();
  }
  return in.ok();
}

std::optional<TopicError> create_topic_error(ByteView reply) {
  Decoder in(reply, false, false);
  in.number<std::int32_t>();  // throttle time
  if (in.count() != 1) return std::nullopt;
  in.text();
  const auto code = in.number<std::int16_t>();
  TopicError error{code, std::string(in.text())};
  return in.ok() ? std::optional(std::move(error)) : std::nullopt;
}

std::optional<std::int16_t> delete_topic_error(ByteView reply) {
  Decoder in(reply, false, false);
  in.number<std::int32_t>();
  if (in.count() != 1) return std::nullopt;
  in.text();
  const auto code = in.number<std::int16_t>();
  return in.ok() ? std::optional(code) : std::nullopt;
}

std::int16_t api_versions_error(ByteView reply) {
  Decoder in(reply, true, false);  // its reply header never has tags
  const auto code = in.number<std::int16_t>();
  const auto keys = in.count();
  return in.ok() && keys > 0 ? code : kMalformedReply;
}

std::int16_t metadata_error(ByteView reply) {
  Decoder in(reply, true, true);
  std::int16_t first = 0;
  in.number<std::int32_t>();  // throttle time
  for (auto brokers = in.count(); brokers > 0; --brokers) {
    in.number<std::int32_t>(), in.text(), in.number<std::int32_t>(), in.text(), in.tags();
  }
  in.text();  // cluster id
  in.number<std::int32_t>();
  for (auto topics = in.count(); topics > 0; --topics) {
    keep_first(first, in.number<std::int16_t>());
    in.text(), in.number<std::int8_t>();
    for (auto partitions = in.count(); partitions > 0; --partitions) {
      keep_first(first, in.number<std::int16_t>());
      in.number<std::int32_t>(), in.number<std::int32_t>(), in.number<std::int32_t>();
      for (int lists = 0; lists < 3; ++lists)  // replicas, in-sync, offline
        for (auto n = in.count(); n > 0; --n) in.number<std::int32_t>();
      in.tags();
    }
    in.number<std::int32_t>(), in.tags();
  }
  return in.ok() ? first : kMalformedReply;
}

std::optional<std::vector<ListedOffset>> listed_offsets(ByteView reply) {
  Decoder in(reply, false, false);
  in.number<std::int32_t>();
  if (in.count() != 1) return std::nullopt;
  in.text();
  std::vector<ListedOffset> offsets;
  for (auto partitions = in.count(); partitions > 0; --partitions) {
    ListedOffset& o = offsets.emplace_back();
    o.partition = in.number<std::int32_t>();
    o.error = in.number<std::int16_t>();
    in.number<std::int64_t>();  // timestamp
    o.offset = in.number<std::int64_t>();
    in.number<std::int32_t>();  // leader epoch
  }
  return in.ok() ? std::optional(std::move(offsets)) : std::nullopt;
}

}  // namespace moldau::bench
