// What the broker counts, under Kafka's names (kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec …).
// Counting is one relaxed add, from any thread; whoever exports the figures (an endpoint, a test) visits
// them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

namespace moldau::broker {

// A number that only grows. Kafka's meters are this count and its rates.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// How many of something there are now.
class Gauge {
 public:
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

inline constexpr std::size_t kApiKeys = 93;  // keys 0 to 92 of Kafka 4.3

// kafka.network:type=RequestMetrics,request=… : sums of µs, from the frame's arrival to the reply's
// hand-over.
struct ApiMetrics {
  Counter requests;       // RequestsPerSec
  Counter request_bytes;  // RequestBytes
  Counter total_time_us;  // TotalTimeMs
  Counter errors;         // ErrorsPerSec, any error but NONE at the top of a reply or one of its parts
};

struct Metrics {
  std::array<ApiMetrics, kApiKeys> apis;

  Counter messages_in, bytes_in, bytes_out, bytes_rejected;
  Counter total_produce, failed_produce, total_fetch, failed_fetch;
  Counter produce_conversions, fetch_conversions;
  Counter invalid_crc, invalid_magic, invalid_sequence, no_key_compacted;
  Counter malformed_requests;
  Counter sessions_evicted;
  Counter cold_lookups;  // times that a request went on only when parts of files had been read in
  Gauge waiting_fetches, waiting_produces, connections;

  // Every figure with its MBean name and its attribute ("Count" or "Value"), in no particular order.
  void visit(const std::function<void(std::string_view mbean, std::string_view attribute,
                                      std::int64_t value)>& each) const;
};

}  // namespace moldau::broker
