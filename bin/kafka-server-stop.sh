#!/usr/bin/env bash
# Stops brokers that kafka-server-start.sh started: kafka-server-stop.sh [--process-role=ROLES] [--node-id=ID]
#
# Without options all of them, else those with that node.id, or with exactly those process.roles. Found by their pid files,
# and each is looked at before it is sent a signal ($SIGNAL, default TERM): a process that is not our server with that
# properties file, or that got the pid of one that is gone, is never touched.
set -u

base_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$base_dir/bin/moldau-lib.sh"

role= node=
while [ $# -gt 0 ]; do
  case $1 in
    --process-role=*) role=${1#*=} ;;
    --node-id=*) node=${1#*=} ;;
    --process-role) [ $# -gt 1 ] && role=$2 && shift ;;
    --node-id) [ $# -gt 1 ] && node=$2 && shift ;;
    *)
      echo "USAGE: $0 [--process-role=broker|controller|broker,controller] [--node-id=ID]" >&2
      exit 1
      ;;
  esac
  shift
done
if [ -n "$role" ] && [ -n "$node" ]; then
  echo "When both node-id and process-role are provided, the value for node-id will take precedence"
fi

# wanted PID PROPERTIES: whether the options mean this server.
wanted() {
  if [ -n "$node" ]; then
    local id
    id=$(setting node.id "$1" "$2")
    [ "${id:-$(setting broker.id "$1" "$2")}" = "$node" ]
  elif [ -n "$role" ]; then
    [ "$(setting process.roles "$1" "$2" | tr -d '[:blank:]')" = "${role//[[:blank:]]/}" ]
  fi
}

found=0 failed=0
stop() {
  wanted "$1" "$2" || return
  found=1
  kill -s "${SIGNAL:-TERM}" "$1" || failed=1
}
each_server stop

if [ $found = 0 ]; then
  echo "No kafka server to stop"
  exit 1
fi
exit $failed
