# Keeps a throw-away PostgreSQL server from outliving the Node.js process that asked for it.
#
#   sh -c "$(cat supervisor.sh)" supervisor FOLDER POSTGRES INITDB [ITS ARGUMENTS]
#
# Takes commands from standard input, a line each, and answers on standard output:
#   initialise  runs INITDB                      -> "initialised EXIT_STATUS"
#   start       starts the server on FOLDER/data -> "exited EXIT_STATUS", whenever it ends
#   stop        stops it, sessions included      -> "stopped"
# It makes FOLDER first ("ready"), which must not exist. Standard input ends when the Node.js process
# does, even by SIGKILL: the server is then stopped and FOLDER removed. So there is no moment in
# which something could be left behind. Runs as the server's own user, who therefore owns FOLDER.

folder=$1 postgres=$2
shift 2
watcher=

stop() {
  [ -n "$watcher" ] || return 0
  kill -s "$1" "$pid" 2>/dev/null
  wait "$watcher"
  watcher=
}

umask 077
mkdir "$folder" || exit 1
# A server whose data is about to be removed may as well be stopped without a checkpoint (SIGQUIT).
trap 'stop QUIT; cd /; rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
# An answer that nobody reads any more must not end this script before it has cleaned up.
trap '' PIPE

cd "$folder" || exit 1
mkfifo "$folder/started"
echo ready
while read -r command; do
  case $command in
    initialise)
      "$@" >"$folder/initdb.log" 2>&1 </dev/null
      echo "initialised $?"
      ;;
    start)
      stop INT
      {
        "$postgres" -D "$folder/data" >>"$folder/server.log" 2>&1 </dev/null &
        echo $! >"$folder/started"
        wait $!
        echo "exited $?"
      } &
      watcher=$!
      read -r pid <"$folder/started"
      ;;
    stop)
      stop INT
      echo stopped
      ;;
  esac
done
