#include "loadgen/report.h"

#include <algorithm>
#include <fmt/format.h>

#include "loadgen/clock.h"

namespace moldau::bench {
namespace {

constexpr double kSeconds = 1e-9;

void add_if_done(Report& report, std::string_view name, double total, std::int64_t count) {
  if (count > 0) report.add(name, total / static_cast<double>(count));
}

}  // namespace

void Report::add(std::string_view name, std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  fields_.push_back({std::string(name), quoted + "\""});
}

void Report::add(std::string_view name, double value) {
  fields_.push_back({std::string(name), fmt::format("{:.6g}", value)});
}

void Report::add(std::string_view name, std::int64_t value) {
  fields_.push_back({std::string(name), fmt::format("{}", value)});
}

void Report::add_latency(std::string_view prefix, const Histogram& histogram) {
  if (histogram.count() == 0) return;
  const auto add_us = [&](std::string_view suffix, double ns) {
    add(fmt::format("{}_{}_us", prefix, suffix), ns / 1000);
  };
  add_us("mean", histogram.mean());
  add_us("p50", static_cast<double>(histogram.quantile(0.5)));
  add_us("p99", static_cast<double>(histogram.quantile(0.99)));
  add_us("p99_9", static_cast<double>(histogram.quantile(0.999)));
  add_us("max", static_cast<double>(histogram.max()));
}

std::string Report::json() const {
  std::string out = "{";
  for (const Field& f : fields_)
    out += fmt::format("{}\"{}\": {}", out.size() > 1 ? ", " : "", f.name, f.value);
  return out + "}";
}

std::string Report::text() const {
  std::string out;
  for (const Field& f : fields_) out += fmt::format("{:<28} {}\n", f.name, f.value);
  return out;
}

void add_work(Report& report, const Work& work) {
  const double seconds = static_cast<double>(work.elapsed_ns) * kSeconds;
  report.add("seconds", seconds);
  report.add("requests", work.requests);
  report.add("records", work.records);
  report.add("bytes", work.bytes);
  if (seconds <= 0) return;
  report.add("requests_per_s", static_cast<double>(work.requests) / seconds);
  report.add("records_per_s", static_cast<double>(work.records) / seconds);
  report.add("mb_per_s", static_cast<double>(work.bytes) / seconds / 1e6);
}

void add_usage(Report& report, const Work& work, const ProcessUsage& before, const ProcessUsage& after) {
  const auto cpu = static_cast<double>(after.cpu_ns - before.cpu_ns);
  report.add("broker_cpu_s", cpu * kSeconds);
  report.add("broker_user_s", static_cast<double>(after.user_ns - before.user_ns) * kSeconds);
  report.add("broker_system_s", static_cast<double>(after.system_ns - before.system_ns) * kSeconds);
  report.add("broker_queued_s", static_cast<double>(after.queued_ns - before.queued_ns) * kSeconds);
  add_if_done(report, "cpu_s_per_gb", cpu, work.bytes);  // ns per byte is s per GB
  add_if_done(report, "cpu_ns_per_record", cpu, work.records);
  add_if_done(report, "cpu_us_per_request", cpu / 1000, work.requests);
  add_if_done(report, "switches_per_request", static_cast<double>(after.switches - before.switches),
              work.requests);
  report.add("broker_threads", after.threads);
  report.add("broker_rss_mb", static_cast<double>(after.rss_bytes) / 1e6);
  report.add("broker_rss_grown_mb", static_cast<double>(after.rss_bytes - before.rss_bytes) / 1e6);
  report.add("broker_peak_rss_mb", static_cast<double>(after.peak_rss_bytes) / 1e6);
}

}  // namespace moldau::bench
