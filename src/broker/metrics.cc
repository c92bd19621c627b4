#include "broker/metrics.h"

#include <string>

#include "wire/api.h"

namespace moldau::broker {

void Metrics::visit(const std::function<void(std::string_view, std::string_view, std::int64_t)>& each) const {
  const auto count = [&](std::string_view mbean, const Counter& c) {
    each(mbean, "Count", static_cast<std::int64_t>(c.value()));
  };
  const auto topics = [&](std::string_view name, const Counter& c) {
    count("kafka.server:type=BrokerTopicMetrics,name=" + std::string(name), c);
  };
  topics("MessagesInPerSec", messages_in);
  topics("BytesInPerSec", bytes_in);
  topics("BytesOutPerSec", bytes_out);
  topics("BytesRejectedPerSec", bytes_rejected);
  topics("TotalProduceRequestsPerSec", total_produce);
  topics("FailedProduceRequestsPerSec", failed_produce);
  topics("TotalFetchRequestsPerSec", total_fetch);
  topics("FailedFetchRequestsPerSec", failed_fetch);
  topics("ProduceMessageConversionsPerSec", produce_conversions);
  topics("FetchMessageConversionsPerSec", fetch_conversions);
  topics("InvalidMessageCrcRecordsPerSec", invalid_crc);
  topics("InvalidMagicNumberRecordsPerSec", invalid_magic);
  topics("InvalidOffsetOrSequenceRecordsPerSec", invalid_sequence);
  topics("NoKeyCompactedTopicRecordsPerSec", no_key_compacted);
  count("kafka.server:type=FetchSessionCache,name=IncrementalFetchSessionEvictionsPerSec", sessions_evicted);
  count("moldau.server:type=ColdReads,name=DeferredRequestsPerSec", cold_lookups);
  const std::string purgatory =
      "kafka.server:type=DelayedOperationPurgatory,name=NumDelayedOperations,delayedOperation=";
  each(purgatory + "Fetch", "Value", waiting_fetches.value());
  each(purgatory + "Produce", "Value", waiting_produces.value());
  each("kafka.server:type=socket-server-metrics,name=connection-count", "Value", connections.value());
  for (std::size_t key = 0; key < kApiKeys; ++key) {
    const ApiMetrics& api = apis[key];
    if (api.requests.value() == 0) continue;
    const std::string name(wire::find_api(static_cast<std::int16_t>(key))->name);
    const std::string prefix = "kafka.network:type=RequestMetrics,request=" + name + ",name=";
    count(prefix + "RequestsPerSec", api.requests);
    count(prefix + "RequestBytes", api.request_bytes);
    count(prefix + "ErrorsPerSec", api.errors);
    each(prefix + "TotalTimeMs", "Count", static_cast<std::int64_t>(api.requests.value()));
    each(prefix + "TotalTimeMs", "Sum", static_cast<std::int64_t>(api.total_time_us.value() / 1000));
  }
}

}  // namespace moldau::broker
