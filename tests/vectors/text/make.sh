#!/usr/bin/env bash
# The same table in every encoding, by glibc's iconv; the codes of GB 18030-2022 that ICU 72 and Python read otherwise.
set -euo pipefail
cd "$(dirname "$0")"
iconv -f UTF-8 -t GB18030 table.utf8.csv > table.gb18030.csv
{ printf '\xff\xfe'; tr ',' '\t' < table.utf8.csv | iconv -f UTF-8 -t UTF-16LE; } > table.utf16le.txt
{ printf '\xfe\xff'; tr ',' '\t' < table.utf8.csv | iconv -f UTF-8 -t UTF-16BE; } > table.utf16be.txt
for code in A6D9 A6DA A6DB A6DC A6DD A6DE A6DF A6EC A6ED A6F3 FE51 FE52 FE53 FE59 FE61 FE66 FE67 FE6C FE6D FE76 FE7E \
  FE90 FE91 FEA0; do
  printf '%s %s\n' "$code" "$(xxd -r -p <<< "$code" | iconv -f GB18030 -t UTF-8 | xxd -p -u)"
done > gb18030-2022.txt
