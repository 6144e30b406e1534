// Codes: every reason Xinfu gives a person, with its sentences in English and Chinese and what to do about
// it. The numbers are stable: logs, receipts and other people's scripts hold them.
//
// Ranges: 1xxx connection and identity; 2xxx permission; 3xxx package, signature and text; 4xxx records;
//         5xxx what a submission means; 6xxx capacity and service; 7xxx levels and parcels; 8xxx evidence,
//         checked by the client; 9xxx faults of ours.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xinfu::policies {

enum class Retry { never, same, later };  // never as it is; the same again is safe and useful; later

struct CodeText {
    std::string_view code;  // "XF-nnnn"
    int http_status;        // what the gateway answers; 0: never leaves as an HTTP status (defects)
    Retry retry;
    std::string_view title;
    std::string_view title_zh;
    std::string_view detail;  // a sentence; {0}, {1} are the problem's arguments
    std::string_view detail_zh;
    std::string_view remedy;
    std::string_view remedy_zh;
};

std::span<const CodeText> all_codes();             // ascending
const CodeText* find_code(std::string_view code);  // nullptr: no such code
std::string fill_in(std::string_view sentence, const std::vector<std::string>& arguments);

}  // namespace xinfu::policies
