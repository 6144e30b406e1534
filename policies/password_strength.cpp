// What a password is worth: zxcvbn, whose dictionaries are in the library, and the words below. A file of its own,
// since only programs that look at passwords carry the library.
#include <algorithm>
#include <array>
#include <iterator>

#include <zxcvbn.h>

#include "policies/password_policy.hpp"
#include "policies/text.hpp"

namespace xinfu::policies {
namespace {

// What the library's dictionaries, which are English, do not know and people here type first: words of the trade, of
// default accounts, and ways over the keyboard.
// clang-format off
constexpr const char* kCommonWords[] = {
    "admin",     "administrator", "root",      "guest",     "test",      "tester",   "user",      "default",
    "temp",      "demo",          "password",  "passwd",    "login",     "system",   "security",  "auditor",
    "operator",  "manager",       "credit",    "xinfu",     "xinyong",   "chengxin", "gongxinyong", "zhengxin",
    "mima",      "kouling",       "guanliyuan", "anquan",   "shenji",    "yonghu",   "ceshi",     "xitong",
    "zhengfu",   "gongshang",     "shichang",  "jianguan",  "zhongguo",  "china",    "shengji",   "shiji",
    "woaini",    "woaizuguo",     "nihao",     "huanying",  "dengni",    "changchun", "jilin",    "beijing",
    "shanghai",  "huawei",        "qwe",       "asd",       "zxc",       "1qaz",     "2wsx",      "3edc",
    "4rfv",      "1q2w3e4r",      "qazwsx",    "qwerasdf",  "密码",      "口令",     "管理员",    "信用",
    "诚信",      "征信",          "用户",      "测试",      "系统",      "安全",     "审计",      "政府",
    "市场监管",  "工商",          "中国",      "我爱你",    "你好",      "欢迎",     "吉林",      "长春",
};
// clang-format on

// Words shorter than this are found in everything.
constexpr std::size_t kOwnWordBytesMin = 3;
constexpr std::size_t kOwnWordsMax = 64;

std::string_view cut(std::string_view text, std::size_t size_max) {
    if (text.size() <= size_max) {
        return text;
    }
    while (size_max > 0 && (static_cast<unsigned char>(text[size_max]) & 0xC0) == 0x80) {
        --size_max;  // not inside a character
    }
    return text.substr(0, size_max);
}

std::uint32_t count_classes(std::string_view password) {
    std::array<bool, 4> seen{};
    for (const char byte : password) {
        const bool small = byte >= 'a' && byte <= 'z';
        const bool capital = byte >= 'A' && byte <= 'Z';
        const bool digit = byte >= '0' && byte <= '9';
        seen[small ? 0 : capital ? 1 : digit ? 2 : 3] = true;
    }
    return static_cast<std::uint32_t>(std::ranges::count(seen, true));
}

}  // namespace

double guess_bits(std::string_view password, std::span<const std::string> own_words) {
    std::vector<const char*> words;
    words.reserve(std::size(kCommonWords) + kOwnWordsMax + 1);
    for (const auto& word : own_words) {  // first: the nearer to the beginning, the sooner it is guessed
        if (word.size() >= kOwnWordBytesMin && words.size() < kOwnWordsMax) {
            words.push_back(word.c_str());
        }
    }
    words.insert(words.end(), std::begin(kCommonWords), std::end(kCommonWords));
    words.push_back(nullptr);
    const std::string estimated{cut(password, kPasswordEstimatedBytes)};  // ends with a zero, as does what has one
    return ::ZxcvbnMatch(estimated.c_str(), words.data(), nullptr);
}

std::optional<PasswordFault> find_fault(const PasswordPolicy& policy, std::string_view password,
                                        std::span<const std::string> own_words) {
    if (count_characters(password) < policy.characters_min) {
        return PasswordFault{"XF-1010", {std::to_string(policy.characters_min)}};
    }
    if (count_classes(password) < policy.classes_min) {
        return PasswordFault{"XF-1023", {std::to_string(policy.classes_min)}};
    }
    if (guess_bits(password, own_words) < policy.guess_bits_min) {
        return PasswordFault{"XF-1024"};
    }
    return std::nullopt;
}

}  // namespace xinfu::policies
