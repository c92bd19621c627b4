# What the start and stop scripts share. Sourced with $base_dir set: the folder that bin stands in.

LOG_DIR=${LOG_DIR:-$base_dir/logs}

# find_server: prints the path of the executable: of $MOLDAU_HOME, of this installation, or of this tree's release build.
find_server() {
  local path
  for path in ${MOLDAU_HOME:+"$MOLDAU_HOME/libexec/moldau-server"} "$base_dir/libexec/moldau-server" \
    "$base_dir/build/release/src/server/moldau-server"; do
    if [ -x "$path" ]; then
      echo "$path"
      return
    fi
  done
  echo "kafka-server-start.sh: there is no moldau-server yet: \`make\` builds it (looked for $path)" >&2
  return 1
}

# start_time PID: when the process began, in ticks since boot; with the pid it names one process for ever.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2> /dev/null) || return 1
  stat=${stat##*) } # the name in parentheses may hold blanks
  set -- $stat
  echo "${20}"
}

# A pid file has three lines: pid, start time, properties path. One for each server, as one properties file may serve several
# with different --override; `moldau-HASH OF THE PATH-PID.pid`.

# write_pid_file PROPERTIES PID
write_pid_file() {
  local hash
  hash=$(printf %s "$1" | cksum | cut -d' ' -f1)
  mkdir -p -- "$LOG_DIR" && printf '%s\n%s\n%s\n' "$2" "$(start_time "$2")" "$1" > "$LOG_DIR/moldau-$hash-$2.pid"
}

# each_server COMMAND...: calls COMMAND PID PROPERTIES for each server that runs; removes the pid files of those that ended.
each_server() {
  local file pid started properties
  for file in "$LOG_DIR"/moldau-*.pid; do
    [ -f "$file" ] || continue
    { read -r pid && read -r started && IFS= read -r properties; } < "$file" || continue
    if is_our_server "$pid" "$started" "$properties"; then
      "$@" "$pid" "$properties"
    else
      rm -f -- "$file"
    fi
  done
}

# is_our_server PID STARTED PROPERTIES: whether that process is `…/moldau-server PROPERTIES …`, and still the same one.
is_our_server() {
  [[ $1 =~ ^[0-9]+$ && -n $2 ]] && [ "$(start_time "$1")" = "$2" ] || return 1
  local arguments i
  mapfile -d '' -t arguments 2> /dev/null < "/proc/$1/cmdline" || return 1
  for ((i = 0; i + 1 < ${#arguments[@]} && i < 2; i++)); do
    [ "${arguments[i]##*/}" = moldau-server ] && [ "${arguments[i + 1]}" = "$3" ] && return 0
  done
  return 1
}

# setting NAME PID PROPERTIES: the value that server was started with: the last --override, else the file's last line of it.
setting() {
  local name=$1 arguments i value
  mapfile -d '' -t arguments 2> /dev/null < "/proc/$2/cmdline"
  for ((i = ${#arguments[@]} - 1; i >= 0; i--)); do
    value=${arguments[i]#--override=}
    case $value in
      "$name="*)
        echo "${value#*=}"
        return
        ;;
    esac
  done
  sed -n "s/^[[:blank:]]*${name//./\\.}[[:blank:]]*[=:][[:blank:]]*\(.*[^[:blank:]]\)[[:blank:]]*$/\1/p" "$3" 2> /dev/null | tail -n 1
}
