#!/bin/sh
# Asks who is signed in, and follows a job, with nothing but curl. The token comes from standard input, so that no list of processes
# shows it:
#   sh clients/api/examples/stock-clients/curl.sh http://127.0.0.1:8080/graphql JOB < file-with-the-token
set -eu
url=$1
job=$2
read -r token

ask() {
  printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl --silent --show-error --fail-with-body --no-buffer --config - \
      --header 'Content-Type: application/json' --header "Accept: $1" --data "$2" "$url"
}

ask application/json '{ "query": "{ viewer { email } }" }'
echo
ask text/event-stream "{ \"query\": \"subscription (\$jobId: ID!) { jobProgressed(jobId: \$jobId) { job { status } } }\", \"variables\": { \"jobId\": \"$job\" } }"
