// How fast a table is read and checked: the text, the rows and every check of the penalties' catalog, without
// the boundary and without the vault. Bytes are those of the file.
//   build/release/bin/check_bench
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <benchmark/benchmark.h>

#include "daemon/inspector/row_reader.hpp"
#include "policies/catalog.hpp"

namespace {

using namespace xinfu;

constexpr std::size_t kRecords = 100000;

const policies::Catalog& catalog() {
    static const auto loaded = [] {
        std::ifstream file(std::string{XINFU_SOURCE_DIR} + "/policies/packs/administrative-penalty.yaml");
        std::ostringstream text;
        text << file.rdbuf();
        return policies::load_catalog(text.str());
    }();
    return loaded.value.value();
}

// Records as departments write them: short cells and one paragraph.
std::string penalties(bool quoted) {
    std::string text =
        "CF_XDR_MC,CF_XDR_LB,CF_XDR_SHXYM,CF_FRDB,CF_WSH,CF_WFXW,CF_SY,CF_YJ,CF_CFLB,CF_NR,CF_NR_FK,CF_JDRQ,"
        "CF_YXQ,CF_GSJZQ,CF_CFJG,CF_CFJGDM,CF_SJLY,CF_SJLYDM,BZ\r\n";
    const std::string quote = quoted ? "\"" : "";
    for (std::size_t i = 0; i < kRecords; ++i) {
        text += "示例甲贸易有限公司,法人及非法人组织,91219900000005012E,钱某甲,示市监罚〔2026〕" + std::to_string(i) +
                "号,未按规定公示价格," + quote +
                "当事人在经营场所销售商品未按规定明码标价，经责令改正后仍未改正，违反了明码标价的规定。"
                "执法人员现场拍照取证并制作笔录，当事人对事实无异议。" +
                quote +
                ",《中华人民共和国价格法》第四十二条,警告;罚款,给予警告并处罚款二千元,0.2,2026/11/20,2099/12/31,"
                "2027/11/20,示例市市场监督管理局,11219900000000107N,示例市市场监督管理局,11219900000000107N,\r\n";
    }
    return text;
}

void read_and_check(benchmark::State& state, const std::string& text) {
    const policies::WorkingDays calendar;
    const policies::Day today{std::chrono::days{20779}};
    policies::CheckedRecord checked;
    std::size_t usable = 0;
    for (auto _ : state) {
        std::vector<std::size_t> columns;
        std::vector<std::string_view> by_field(catalog().fields.size());
        inspector::RowReader reader([&](const inspector::Row& row) -> std::optional<inspector::Refusal> {
            if (columns.empty()) {
                for (const auto cell : row.cells) {
                    columns.push_back(catalog().find_column(cell));
                }
                return std::nullopt;
            }
            std::fill(by_field.begin(), by_field.end(), std::string_view{});
            for (std::size_t i = 0; i < columns.size(); ++i) {
                by_field[columns[i]] = row.cells[i];
            }
            policies::check_record(catalog(), calendar, today, by_field, checked);
            usable += checked.defective ? 0 : 1;
            return std::nullopt;
        });
        constexpr std::size_t kPiece = 128 * 1024;
        for (std::size_t at = 0; at < text.size(); at += kPiece) {
            if (reader.feed(std::string_view{text}.substr(at, kPiece))) {
                std::abort();
            }
        }
        (void)reader.finish();
    }
    if (usable == 0) {
        std::abort();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRecords));
}

void plain_utf8(benchmark::State& state) {
    read_and_check(state, penalties(false));
}
void quoted_utf8(benchmark::State& state) {
    read_and_check(state, penalties(true));
}
BENCHMARK(plain_utf8)->Unit(benchmark::kMillisecond);
BENCHMARK(quoted_utf8)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
