#!/usr/bin/env bash
# Reads the log of Lota with bash and nothing else: no client library, no other program.
#
#   subscribe.sh [--follow] [FILTER]
#
# Prints one JSON document a line, {"position", "subject", "event"}, in the order of the log: to the
# end of what is stored or, with --follow, on until Ctrl-C. FILTER is a subject with wildcards, by
# default lota.ev.> for everything. LOTA_SERVER is nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT], without
# TLS.
#
# It speaks the NATS protocol over /dev/tcp: a consumer of its own on the stream LOTA, from which it
# asks for a batch of messages whenever it has printed the last, so a slow reader is no burden. A
# message that holds a NUL byte, which no JSON does, is more than bash can read and ends it.

set -euo pipefail
export LC_ALL=C # lengths are bytes
trap '' PIPE    # a server that has gone is told of, not died of

follow=
filter='lota.ev.>'
for word in "$@"; do
  case $word in
    --follow) follow=yes ;;
    -*) echo "subscribe.sh: there is no option $word" >&2; exit 2 ;;
    *) filter=$word ;;
  esac
done

fail() {
  echo "subscribe.sh: $*" >&2
  exit 1
}

# The server

address=${LOTA_SERVER:-nats://127.0.0.1:4222}
address=${address%%,*} # the first of several
address=${address#*://}
login=
if [[ $address == *@* ]]; then
  login=${address%@*}
  address=${address##*@}
fi
address=${address%%/*}
host=${address%:*}
port=4222
if [[ $address == *:* ]]; then
  port=${address##*:}
fi
{ exec 3<>"/dev/tcp/$host/$port"; } 2>/dev/null || fail "no server answers at $host:$port"

tell() { # what to send, as for printf
  # shellcheck disable=SC2059
  printf "$@" 2>/dev/null >&3 || fail "the server has closed the connection"
}

# One line from the server, without its line break; a PING among them is answered.
receive() {
  while IFS= read -r -u 3 line || fail "the server has closed the connection"; do
    line=${line%$'\r'}
    case $line in
      PING) tell 'PONG\r\n' ;;
      INFO*) ;;
      -ERR*) fail "the server says ${line#-ERR }" ;;
      *) return ;;
    esac
  done
}

# The next message: its subject, whom an answer would go to, the status in its headers, its body.
message() {
  local words head=0 first
  while receive && [[ $line == +OK ]]; do :; done
  read -ra words <<<"$line"
  subject=${words[1]} reply=
  case "${words[0]} ${#words[@]}" in
    "MSG 4") ;;
    "MSG 5") reply=${words[3]} ;;
    "HMSG 5") head=${words[3]} ;;
    "HMSG 6") reply=${words[3]} head=${words[4]} ;;
    *) fail "cannot read ${line:0:60}" ;;
  esac
  IFS= read -r -u 3 -N "${words[-1]}" body || fail "the server has closed the connection"
  IFS= read -r -u 3 _
  first=${body:0:head}
  first=${first%%$'\r\n'*}
  status=${first#NATS/1.0}
  status=${status# }
  body=${body:head}
}

# One message of the log as a line of JSON. Nothing that Lota writes breaks lines or needs escapes,
# but others may have written, too.
show() {
  local position=$1
  if [[ $body != '{'* ]]; then
    echo "subscribe.sh: skipped $position $subject: no JSON document" >&2
    return
  fi
  subject=${subject//\\/\\\\}
  subject=${subject//\"/\\\"}
  printf '{"position":%s,"subject":"%s","event":%s}\n' \
    "$position" "$subject" "${body//[$'\r\n']/ }"
}

send() { # subject, reply, body
  tell 'PUB %s %s %d\r\n%s\r\n' "$1" "$2" "${#3}" "$3"
}

# The session

options='"verbose":true,"pedantic":false,"name":"subscribe.sh","lang":"bash","version":"1"'
options+=',"headers":true,"no_responders":true'
case $login in
  '') ;;
  *:*) options+=",\"user\":\"${login%%:*}\",\"pass\":\"${login#*:}\"" ;;
  *) options+=",\"auth_token\":\"$login\"" ;;
esac
inbox="_INBOX_subscribe-sh.$$.$RANDOM$RANDOM"
tell 'CONNECT {%s}\r\n' "$options"
while receive && [[ $line != +OK ]]; do :; done # nothing else before: a refusal would be lost
tell 'SUB %s.* 1\r\n' "$inbox"

# A consumer that the server forgets when nobody asks it for anything for five minutes.
config='"deliver_policy":"all","ack_policy":"none","replay_policy":"instant","num_replicas":1'
config+=",\"mem_storage\":true,\"filter_subject\":\"$filter\",\"inactive_threshold\":300000000000"
send '$JS.API.CONSUMER.CREATE.LOTA' "$inbox.made" \
  "{\"stream_name\":\"LOTA\",\"action\":\"create\",\"config\":{$config}}"
message
[[ $status == 503* ]] && fail "the server at $host:$port has no JetStream"
[[ $body =~ \"error\":\{.*\"description\":\"([^\"]*)\" ]] && fail "the log: ${BASH_REMATCH[1]}"
[[ $body =~ \"name\":\"([^\"]+)\" ]] || fail "cannot read ${body:0:60}"
consumer=${BASH_REMATCH[1]}

# Reading

batch=500
wanted="\"batch\":$batch,\"max_bytes\":4194304"
if [[ $follow ]]; then
  wanted+=',"expires":30000000000' # ask again after half a minute of silence
else
  wanted+=',"no_wait":true'
fi
left=0
number=0
while true; do
  if ((left == 0)); then
    number=$((number + 1)) # so that the last words of an earlier batch are told from this one's
    send "\$JS.API.CONSUMER.MSG.NEXT.LOTA.$consumer" "$inbox.$number" "{$wanted}"
    left=$batch
  fi
  message
  if [[ $reply == '$JS.ACK.'* ]]; then
    # $JS.ACK.<stream>.<consumer>.<deliveries>.<position>.<number>.<time>.<pending>
    IFS=. read -ra place <<<"$reply"
    show "${place[-4]}"
    left=$((left - 1))
    continue
  fi
  [[ $subject == "$inbox.$number" ]] || continue
  case $status in
    404* | 408*) # nothing is there, or nothing more has come
      [[ $follow ]] || exit 0
      left=0
      ;;
    "409 Batch Completed"* | "409 Message Size"*) left=0 ;; # it is as full as it may be
    100*) ;;
    *) fail "the log: $status" ;;
  esac
done
