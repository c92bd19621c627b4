#include "loadgen/meter.h"

namespace moldau::bench {

Result<Meter::Sample> Meter::sample() const {
  Sample sample;
  if (pid_ > 0) {
    TRY_ASSIGN(usage, process_usage(pid_));
    sample.broker = usage;
  }
  sample.at_ns = now_ns();
  sample.own_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  return sample;
}

Status Meter::begin() {
  TRY_ASSIGN(now, sample());
  before_ = now;
  before_->at_ns = now_ns();  // sampling takes a while with many threads: the work starts behind it
  work = {};
  return {};
}

Status Meter::end() {
  const std::int64_t at_ns = now_ns();
  TRY_ASSIGN(now, sample());
  after_ = now;
  after_.at_ns = at_ns;
  work.elapsed_ns = after_.at_ns - before_->at_ns;
  return {};
}

double Meter::broker_cpu_s() const {
  return static_cast<double>(after_.broker.cpu_ns - before_->broker.cpu_ns) / kSecond;
}

void Meter::report_to(Report& report) const {
  add_work(report, work);
  report.add("generator_cpu_s", static_cast<double>(after_.own_cpu_ns - before_->own_cpu_ns) / kSecond);
  if (pid_ > 0) add_usage(report, work, before_->broker, after_.broker);
}

}  // namespace moldau::bench
