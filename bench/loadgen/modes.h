// What the load generator can do. Each mode runs to its end and gives its report, or the first thing that
// went wrong: a broker that answers with an error code, or hangs up, fails the run, for its figures would say
// nothing.
#pragma once

#include "base/result.h"
#include "loadgen/options.h"
#include "loadgen/report.h"

namespace moldau::bench {

Result<Report> run_produce(
    const Options& options);                     // one batch of magic 2 over and over, all partitions in turn
Result<Report> run_mix(const Options& options);  // ApiVersions and Metadata in turn
Result<Report> run_fetch(const Options& options);  // reads all partitions from the start, again and again
Result<Report> run_end_to_end(const Options& options);  // produce to fetch, the latency of each record
Result<Report> run_storm(const Options& options);       // connect, ApiVersions, close, over and over
Result<Report> run_idle(const Options& options);        // many connections that do nothing
Result<Report> run_create(const Options& options);  // creates topics; done when every partition has a leader
Result<Report> run_delete(const Options& options);
Result<Report> run_offsets(
    const Options& options);  // ListOffsets, once all leaders answer: the records in all logs
Result<Report> run_probe(
    const Options& options);  // waits for the port, then for the first produce that succeeds

}  // namespace moldau::bench
