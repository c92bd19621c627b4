// moldau-loadgen: one load against one broker, one report. See docs/performance.md for how the modes are
// used.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <map>

#include "loadgen/modes.h"

namespace {

using moldau::bench::Options;
using moldau::bench::Report;

struct Mode {
  const char* what;
  moldau::Result<Report> (*run)(const Options&);
};

const std::map<std::string, Mode> kModes = {
    {"produce",
     {"send one pre-encoded batch over and over, to all partitions in turn", moldau::bench::run_produce}},
    {"mix", {"ApiVersions and Metadata in turn", moldau::bench::run_mix}},
    {"fetch", {"read all partitions from the start, again and again", moldau::bench::run_fetch}},
    {"end-to-end",
     {"the latency of each record from its due time to the consumer", moldau::bench::run_end_to_end}},
    {"storm", {"connect, ApiVersions, close: --requests times, --depth at once", moldau::bench::run_storm}},
    {"idle", {"hold --connections open and do nothing", moldau::bench::run_idle}},
    {"create", {"create topics, until every partition has a leader", moldau::bench::run_create}},
    {"delete", {"delete topics", moldau::bench::run_delete}},
    {"offsets", {"count the records of topics by ListOffsets", moldau::bench::run_offsets}},
    {"probe",
     {"wait for the port and for the first produce (to --topic, unless empty) that succeeds",
      moldau::bench::run_probe}},
};

void add_general(CLI::App& app, Options& o) {
  app.add_option("--host", o.address.host, "broker, IPv4")->capture_default_str();
  app.add_option("--port", o.address.port)->capture_default_str();
  app.add_option("--pid", o.pid, "measure this process");
  app.add_option("--cpu", o.cpu, "run on this CPU only");
  app.add_option("--topic", o.topic)->capture_default_str();
  app.add_option("--topics", o.topics, "above 1: <topic>-0000, <topic>-0001 ...")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--partitions", o.partitions, "of each topic")->check(CLI::Range(1, 100'000));
  app.add_option("--config", o.configs, "topic configuration for create: NAME VALUE");
}

void add_load(CLI::App& app, Options& o) {
  app.add_option("--connections", o.connections)->check(CLI::Range(1, 100'000));
  app.add_option("--depth", o.depth, "requests in flight on a connection")->check(CLI::Range(1, 100'000));
  app.add_flag("--burst", o.burst, "send --depth requests at once, then wait for all replies");
  app.add_option("--rate", o.rate, "open loop: requests (end-to-end: records) a second");
  app.add_option("--warmup", o.warmup_seconds, "seconds of the same load before counting");
  app.add_option("--seconds", o.seconds, "longest counted time")->capture_default_str();
  app.add_option("--requests", o.requests, "end the counted part after so many");
  app.add_option("--tick-ms", o.tick_ms, "end-to-end: one batch every so often")->capture_default_str();
  app.add_option("--hold", o.hold_seconds, "idle: seconds")->capture_default_str();
}

void add_payload(CLI::App& app, Options& o) {
  app.add_option("--records", o.batch_records, "in a batch")->check(CLI::Range(1, 1'000'000));
  app.add_option("--size", o.value_bytes, "of a record's value")->check(CLI::Range(0, 100'000'000));
  app.add_option("--acks", o.acks)->check(CLI::IsMember({-1, 0, 1}));
  app.add_option("--produce-version", o.produce_version)->check(CLI::Range(3, 9));
  app.add_option("--partitions-per-request", o.partitions_per_request)->check(CLI::Range(1, 100'000));
  app.add_option("--fetch-version", o.fetch_version)->check(CLI::Range(11, 12));
  app.add_flag("--sessions,!--no-sessions", o.sessions, "fetch sessions (on)");
  app.add_option("--max-wait-ms", o.limits.max_wait_ms)->capture_default_str();
  app.add_option("--min-bytes", o.limits.min_bytes)->capture_default_str();
  app.add_option("--max-bytes", o.limits.max_bytes)->capture_default_str();
  app.add_option("--partition-max-bytes", o.limits.partition_max_bytes)->capture_default_str();
}

moldau::Result<Report> run(const Mode& mode, const Options& options) {
  moldau::bench::raise_file_limit();
  if (options.cpu >= 0) TRY(moldau::bench::pin_to_cpu(options.cpu));
  return mode.run(options);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A raw load generator for brokers that speak Kafka's protocol");
  Options options;
  bool json = false;
  app.add_flag("--json", json, "one line of JSON on stdout");
  add_general(app, options);
  add_load(app, options);
  add_payload(app, options);
  app.require_subcommand(1);
  app.fallthrough();
  for (const auto& [name, mode] : kModes) app.add_subcommand(name, mode.what);
  CLI11_PARSE(app, argc, argv);

  const std::string name = app.get_subcommands().front()->get_name();
  const auto report = run(kModes.at(name), options);
  if (!report) {
    fmt::print(stderr, "moldau-loadgen {}: {}\n", name, report.error().message);
    return 1;
  }
  fmt::print("{}", json ? report->json() + "\n" : report->text());
  return 0;
}
