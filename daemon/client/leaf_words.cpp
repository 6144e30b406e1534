#include "daemon/client/leaf_words.hpp"

#include <algorithm>
#include <iterator>
#include <string>

namespace xinfu::client {
namespace {

struct Words {
    std::string_view word;
    std::string_view en;
    std::string_view zh;
};

constexpr Words kActions[] = {
    {"submit", "file handed in", "报送文件"},
    {"check", "file checked without handing in", "预检文件"},
    {"decide_submission", "waiting file decided", "待批文件已决定"},
    {"deliver", "parcel at the level above", "上级答复包裹"},
    {"query", "records queried", "查询记录"},
    {"search_log", "log searched", "检索日志"},
    {"trace_record", "record traced", "追溯记录"},
    {"read_submission", "submission read", "查看报送状态"},
    {"read_receipt", "receipt read", "查看回执"},
    {"read_defects", "defects read", "查看问题清单"},
    {"read_original", "original read", "查看原件"},
    {"read_quality", "quality report read", "查看质量报告"},
    {"read_certificate", "certificate read", "查看证书"},
    {"read_log", "log read", "查看日志"},
    {"read_route", "route read", "查看路由"},
    {"read_status", "status read", "查看节点状态"},
    {"read_catalogs", "catalogs read", "查看目录"},
    {"read_request", "request read", "查看申请"},
    {"read_requests", "requests listed", "查看申请列表"},
    {"read_account", "account read", "查看账户"},
    {"read_accounts", "accounts listed", "查看账户列表"},
    {"read_policies", "policy packs read", "查看策略包"},
    {"read_paths", "paths read", "查看通路"},
    {"open_session", "log-in", "登录"},
    {"close_session", "log-out", "退出登录"},
    {"set_password", "password set", "设置口令"},
    {"confirm_password", "password typed again", "再次输入口令"},
    {"password_spraying", "wrong passwords over many accounts", "口令喷洒"},
    {"request", "approval asked for", "提出申请"},
    {"approve_request", "request approved", "批准申请"},
    {"reject_request", "request rejected", "驳回申请"},
    {"open_account", "account opened", "开立账户"},
    {"change_account", "account changed", "变更账户"},
    {"recover_account", "account recovered", "恢复账户"},
    {"disable_account", "account ended", "停用账户"},
    {"activate_policies", "policy packs in force", "启用策略包"},
    {"approve_paths", "paths approved", "批准通路"},
    {"adopt_paths", "paths adopted", "采用通路"},
    {"check_paths", "paths compared", "核对通路"},
    {"grant_unmasking", "unmasked query allowed", "批准不脱敏查询"},
    {"refuse_connection", "connection refused", "拒绝连接"},
    {"boundary_fault", "process broke the rules between processes", "进程越界"},
    {"revocation_list", "revocation list taken", "载入吊销列表"},
    {"renew_envelope_keys", "envelope keys renewed", "更新加密密钥"},
    {"scrub", "stored data looked through", "巡检存储"},
    {"clock_step", "clock set", "时钟被调整"},
    {"clock_behind", "clock behind the log", "时钟落后于日志"},
    {"bootstrap", "node made", "节点初始化"},
    {"start", "node started", "节点启动"},
    {"stop", "node stopped", "节点停止"},
};

constexpr Words kResults[] = {{"accepted", "accepted", "接受"},
                              {"refused", "refused", "拒绝"},
                              {"pending", "pending", "待定"},
                              {"done", "done", "完成"}};

template <std::size_t kCount>
Text find(const Words (&table)[kCount], std::string_view word) {
    const auto* const found = std::ranges::find(table, word, &Words::word);
    return found == std::end(table) ? Text{std::string(word), std::string(word)}
                                    : Text{std::string(found->en), std::string(found->zh)};
}

}  // namespace

Text words_of_action(std::string_view action) {
    return find(kActions, action);
}

Text words_of_result(std::string_view result) {
    return find(kResults, result);
}

}  // namespace xinfu::client
