// 8xxx evidence, checked by the client; 9xxx faults of ours and of our configuration.
#include "policies/codes_tables.hpp"

namespace xinfu::policies::tables {
namespace {

constexpr CodeText kCodes[] = {
    {"XF-8001", 0, Retry::never, "Receipt unreadable", "回执无法解析",
     "The file is not a receipt in the form c2sp.org/tlog-proof@v1: {0}.",
     "文件不是 c2sp.org/tlog-proof@v1 格式的回执：{0}。", "Use the receipt exactly as it was received.",
     "请使用原样保存的回执。"},
    {"XF-8002", 0, Retry::never, "Unknown version", "版本未知",
     "The evidence is of version {0}, which this program does not know.", "证据版本为 {0}，本程序无法识别。",
     "Use a newer xinfu.", "请使用更新版本的 xinfu。"},
    {"XF-8003", 0, Retry::never, "Not signed by the log", "缺少日志签名",
     "The checkpoint has no valid signature of the log key given.", "检查点没有所给日志密钥的有效签名。",
     "Check that the key is the log's own; otherwise the receipt is not genuine.",
     "请核对日志密钥是否正确；若正确，则回执不可信。"},
    {"XF-8004", 0, Retry::never, "Not in the tree", "包含证明不成立",
     "The inclusion proof does not lead from the entry to the signed root.", "包含证明无法由条目推导至所签树根。",
     "The receipt was changed or is forged; ask the node for it again.", "回执被改动或系伪造；请向节点重新获取。"},
    {"XF-8005", 0, Retry::never, "Receipt for another file", "回执与文件不符",
     "The receipt is for content with another digest than this file's.", "回执所载摘要与该文件不一致。",
     "Find the file that belongs to the receipt.", "请找到与回执对应的文件。"},
    {"XF-8006", 0, Retry::never, "Too few witnesses", "见证数量不足", "{0} of the required {1} witnesses co-signed.",
     "要求 {1} 个见证方，实际只有 {0} 个。", "Ask the node for the newest receipt: witnesses sign a little later.",
     "请向节点获取最新回执：见证签名会稍后加入。"},
    {"XF-8007", 0, Retry::never, "Unverified signature lines", "存在未验证的签名行",
     "The checkpoint has signature lines that no given key covers: {0}.", "检查点含有未提供密钥验证的签名行：{0}。",
     "Give those keys, or leave out --strict.", "请提供相应密钥，或去掉 --strict。"},
    {"XF-8008", 0, Retry::never, "Entries differ from the tree", "条目与树不符",
     "Entry {0} of the log does not have the digest its tree says.", "日志第 {0} 条与树中摘要不一致。",
     "The log was changed: keep the copy and tell the auditors.", "日志被改动：请保存副本并告知审计人员。"},
    {"XF-8009", 0, Retry::never, "Log is not a continuation", "日志不连续",
     "The log is not an extension of the earlier checkpoint.", "日志不是先前检查点的延续。",
     "History was rewritten: keep both checkpoints and tell the auditors.",
     "历史被改写：请保存两个检查点并告知审计人员。"},
    {"XF-8010", 0, Retry::never, "Export damaged", "导出内容不完整",
     "The file {0} of the export is missing, changed or not listed.", "导出中的文件 {0} 缺失、被改动或未列入清单。",
     "Make or copy the export again.", "请重新导出或复制。"},
    {"XF-8011", 0, Retry::never, "Part of the log missing", "日志缺失",
     "The log does not serve {0}, which its checkpoint covers.", "日志未提供检查点所覆盖的 {0}。",
     "Try again; if it stays so, tell the auditors.", "请重试；如仍缺失，请告知审计人员。"},
    {"XF-8012", 0, Retry::never, "Entry malformed", "条目格式有误", "The log entry is not the JSON expected: {0}.",
     "日志条目不是所需的 JSON：{0}。", "Use a newer xinfu, or treat the receipt as damaged.",
     "请使用更新版本的 xinfu，否则视为回执损坏。"},
    {"XF-8013", 0, Retry::never, "Log went backwards", "日志回退", "The log has {0} entries; earlier it had {1}.",
     "日志现有 {0} 条，先前为 {1} 条。", "An older state is being shown: keep both checkpoints and tell the auditors.",
     "所示为旧状态：请保存两个检查点并告知审计人员。"},
    {"XF-8014", 0, Retry::never, "Another log", "日志来源不同", "The checkpoint is of the log {0}, not of {1}.",
     "检查点属于日志 {0}，而非 {1}。", "Check address and key.", "请核对地址和密钥。"},
    {"XF-8015", 0, Retry::never, "Answer not expected", "答复不符合预期",
     "The node's answer is not what was asked for: {0}.", "节点答复与请求不符：{0}。",
     "Check the address; compare the versions.", "请核对地址和版本。"},
    {"XF-8016", 0, Retry::never, "Key unreadable", "密钥无法读取",
     "{0} is not a verifier key in the form name+hash+base64.", "{0} 不是“名称+散列+base64”格式的验证密钥。",
     "Copy the key as `xinfu status` prints it.", "请复制 xinfu status 显示的密钥。"},

    {"XF-9001", 500, Retry::same, "Fault in the node", "节点内部故障",
     "Something went wrong inside the node; nothing was half done.", "节点内部出现故障；不会出现只处理一半的情况。",
     "Send the same request again; if it stays, tell the credit centre the time.",
     "请重新发送同一请求；如仍失败，请将发生时间告知信用中心。"},
    {"XF-9002", 500, Retry::same, "Processes disagree", "进程间通信异常",
     "One process of the node sent another what it must not; the connection between them was closed.",
     "节点的一个进程向另一进程发送了不允许的内容，连接已关闭。",
     "Send the same request again; the event is on the log.", "请重新发送同一请求；该事件已记入日志。"},
    {"XF-9003", 500, Retry::never, "Stored data damaged", "存储数据损坏",
     "Something stored is not what was written; it is not given out.", "存储的数据与写入时不一致，不予提供。",
     "Tell the credit centre: its journal names the damaged piece, which has to come back from a backup.",
     "请告知信用中心：其日志已指明损坏之处，需从备份恢复。"},
    {"XF-9004", 0, Retry::never, "Clock was set", "系统时钟被调整",
     "The machine's clock was set by more than five minutes, or is behind the log. The node's time goes on as it was "
     "until "
     "the new one has stood for a quarter of an hour; the log's never goes back.",
     "系统时钟被调整超过五分钟，或落后于日志时间。新时间持续十五分钟之前，节点仍按原时间运行；日志时间从不倒退。",
     "Set the machine's clock right, and let a time server keep it.", "请校正系统时钟，并由时间服务器保持同步。"},
    {"XF-9101", 0, Retry::never, "Policy pack has mistakes", "策略包有误", "The policy pack has mistakes: {0}",
     "策略包有误：{0}", "Correct the lines named and load it again.", "请更正所列各行后重新加载。"},
};

}  // namespace

std::span<const CodeText> evidence() {
    return kCodes;
}

}  // namespace xinfu::policies::tables
