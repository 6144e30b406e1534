#!/usr/bin/env bash
# From a clean checkout to a verified receipt: installs, builds, starts a city, a province and a nation on
# loopback, hands in a signed file with openssl and curl, shows the record at all three levels, verifies
# receipt and log offline, and stops. Run it as often as you like.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

say "1/7 Dependencies"
bash packaging/dependencies.sh
say "2/7 Build (release)"
cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release -j "$(nproc)"
PATH=$PWD/build/release/bin:$PATH

work=$(mktemp -d "${TMPDIR:-/tmp}/xinfu-quickstart.XXXXXX")
demo=$work/demo
stop() {
  xinfu demo down --dir "$demo" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap stop EXIT

say "3/7 Three nodes on loopback: city, province, nation"
run xinfu demo up --dir "$demo"
. "$demo/env"

say "4/7 A department signs its penalties file and hands it in, with openssl and curl alone"
cp "$XINFU_SAMPLE_PENALTIES" "$work/penalties.csv"
head -c 300 "$work/penalties.csv"; echo " ..."
run openssl cms -sign -binary -nodetach -stream -in "$work/penalties.csv" -signer "$XINFU_DEPT_CERT" \
  -inkey "$XINFU_DEPT_KEY" -outform DER -out "$work/penalties.p7m"
name=penalties-$(date +%Y%m%d-%H%M%S).p7m
run curl --silent --show-error --fail-with-body --cacert "$XINFU_CA" --cert "$XINFU_DEPT_CERT" --key "$XINFU_DEPT_KEY" \
  --dump-header "$work/headers" --output "$work/receipt" -T "$work/penalties.p7m" \
  "$XINFU_CITY_URL/v1/submissions/administrative-penalty/$name"
say "The receipt"
cat "$work/receipt"
id=$(sed -n 's#^[Ll]ocation: /v1/submissions/\([^[:space:]]*\).*#\1#p' "$work/headers")

say "5/7 Province and nation"
for _ in $(seq 60); do
  curl --silent --cacert "$XINFU_CA" --cert "$XINFU_DEPT_CERT" --key "$XINFU_DEPT_KEY" \
    "$XINFU_CITY_URL/v1/submissions/$id" >"$work/submission.json"
  if python3 - "$work/submission.json" <<'PY'
import json, sys
levels = {a["level"]: a["state"] for a in json.load(open(sys.argv[1]))["acknowledgements"]}
sys.exit(0 if levels.get("province") == levels.get("nation") == "delivered" else 1)
PY
  then break; fi
  printf '.'; sleep 0.5
done
python3 -m json.tool --no-ensure-ascii "$work/submission.json" | grep -vE '"receipt"'

say "6/7 The record at all three levels, as a viewer sees it"
subject=$(python3 - "$XINFU_SAMPLE_PENALTIES" <<'PY'
import csv, sys
print(next(csv.DictReader(open(sys.argv[1], encoding="utf-8-sig")))["CF_XDR_SHXYM"])
PY
)
printf '%s' "$XINFU_VIEWER_PASSWORD" >"$work/password"
for url in "$XINFU_CITY_URL" "$XINFU_PROVINCE_URL" "$XINFU_NATION_URL"; do
  run xinfu records get --url "$url" --ca "$XINFU_CA" --cert "$XINFU_VIEWER_CERT" --key "$XINFU_VIEWER_KEY" \
    --password-file "$work/password" --catalog administrative-penalty --subject "$subject" --purpose "quickstart"
done

say "7/7 Receipt and log, verified offline"
run xinfu receipt verify "$work/receipt" --file "$work/penalties.p7m" --log-key "$XINFU_CITY_LOG_KEY"
for node in CITY PROVINCE NATION; do
  url=XINFU_${node}_URL
  run xinfu log export --out "$work/log-$node" --url "${!url}" --ca "$XINFU_CA" --cert "$XINFU_LOG_READER_CERT" \
    --key "$XINFU_LOG_READER_KEY"
done
run xinfu demo down --dir "$demo"
for node in CITY PROVINCE NATION; do
  key=XINFU_${node}_LOG_KEY
  run xinfu log verify --dir "$work/log-$node" --log-key "${!key}"
done
say "Done: the file is at three levels, and the evidence verifies."
