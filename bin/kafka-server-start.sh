#!/usr/bin/env bash
# Starts a broker: kafka-server-start.sh [-daemon] server.properties [--override name=value]*
#
# The process is `moldau-server /absolute/path/server.properties --override …`, as ps shows it. With -daemon it goes on in
# the background, its output in $LOG_DIR/kafkaServer.out; a mistake that ends it at once is told here, with its exit code.
# $LOG_DIR (default: logs, beside bin) also holds a pid file for each server, which kafka-server-stop.sh reads.
set -u

base_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$base_dir/bin/moldau-lib.sh"

usage() {
  echo "USAGE: $0 [-daemon] server.properties [--override property=value]*" >&2
  exit 1
}

daemon=no
while [ $# -gt 0 ]; do
  case $1 in
    -daemon) daemon=yes; shift ;;
    -name) [ $# -gt 1 ] || usage; shift 2 ;; # of Kafka's JVM: no use for it
    -loggc) shift ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || usage

server=$(find_server) || exit 1
case $1 in
  --help | --version) exec "$server" "$@" ;;
  -*) usage ;;
esac
if [ ! -f "$1" ] || [ ! -r "$1" ]; then
  echo "kafka-server-start.sh: cannot read the properties file $1" >&2
  exit 1
fi
properties=$(readlink -f -- "$1")
shift

if [ "$daemon" = no ]; then
  # exec keeps the pid.
  write_pid_file "$properties" $$
  exec "$server" "$properties" "$@"
fi

"$server" "$properties" "$@" --check > /dev/null || exit 1
mkdir -p -- "$LOG_DIR" || exit 1
# A new file, unless a server that runs writes to it.
running=0
count() { running=$((running + 1)); }
each_server count
[ $running -gt 0 ] || : > "$LOG_DIR/kafkaServer.out"
before=$(stat -c %s -- "$LOG_DIR/kafkaServer.out")
nohup "$server" "$properties" "$@" >> "$LOG_DIR/kafkaServer.out" 2>&1 < /dev/null &
pid=$!
write_pid_file "$properties" $pid

# What only the start can find, as a directory that another process uses, shows at once: for a second at most it is waited for.
said() { tail -c +$((before + 1)) -- "$LOG_DIR/kafkaServer.out"; }
for ((i = 0; i < 20; i++)); do
  if ! kill -0 $pid 2> /dev/null; then
    wait $pid
    code=$?
    said | grep -v ' INFO ' >&2
    each_server true # its pid file goes
    exit $code
  fi
  said | grep -q 'started (kafka\.server\.' && exit 0
  sleep 0.05
done
exit 0
