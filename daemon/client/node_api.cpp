#include "daemon/client/node_api.hpp"

#include <termios.h>
#include <unistd.h>

#include <cstdio>

#include <CLI/CLI.hpp>

#include "crypto/secret.hpp"

namespace xinfu::client {
namespace {

std::shared_ptr<const tls::ClientContext> make_context(const NodeOptions& options) {
    const auto required = [](const std::string& value, const char* option, const char* variable) {
        if (value.empty()) {
            throw Stop{Exit::usage,
                       {std::string(option) + " (or " + variable + ") is required",
                        std::string("必须给出 ") + option + "（或环境变量 " + variable + "）"},
                       {}};
        }
    };
    required(options.url, "--url", "XINFU_URL");
    required(options.ca, "--ca", "XINFU_CA");
    required(options.cert, "--cert", "XINFU_CERT");
    required(options.key, "--key", "XINFU_KEY");
    const auto certificates = [](const std::string& path) {
        auto parsed = tls::certificates_from_pem(read_file(path));
        if (!parsed) {
            throw Stop{Exit::usage, {path + " holds no certificate in PEM", path + " 中没有 PEM 格式的证书"}, {}};
        }
        return std::move(*parsed);
    };
    tls::ClientSettings settings;
    settings.certificate_chain = certificates(options.cert);
    settings.trust_anchors = certificates(options.ca);
    std::string key = read_file(options.key);
    settings.private_key = to_bytes(key);
    crypto::wipe({reinterpret_cast<std::uint8_t*>(key.data()), key.size()});
    auto context = tls::ClientContext::create(settings);
    crypto::wipe(settings.private_key);
    if (!context) {
        throw Stop{Exit::usage,
                   {options.key + " is not the unencrypted PKCS #8 key of " + options.cert,
                    options.key + " 不是 " + options.cert + " 的未加密 PKCS #8 私钥"},
                   {}};
    }
    return std::move(*context);
}

HttpsClient make_client(const NodeOptions& options) {
    auto context = make_context(options);  // says first which options are missing
    return {Endpoint::from_url(options.url), std::move(context)};
}

bool is_json(const Answer& answer) {
    return answer.content_type.find("json") != std::string::npos;
}

}  // namespace

void add_node_options(CLI::App& verb, NodeOptions& options) {
    verb.add_option("--url", options.url, "the node, https://host:port")->envname("XINFU_URL");
    verb.add_option("--ca", options.ca, "PEM file: who may have issued the node's certificate")->envname("XINFU_CA");
    verb.add_option("--cert", options.cert, "PEM file: your certificate")->envname("XINFU_CERT");
    verb.add_option("--key", options.key, "PEM file: your key, PKCS #8, unencrypted")->envname("XINFU_KEY");
    verb.add_option("--password-file", options.password_file, "file with your password (persons; asked for otherwise)");
}

std::string read_password(const std::string& file, const Text& prompt) {
    if (!file.empty()) {
        std::string content = read_file(file, 4096);
        content.resize(std::min(content.find_first_of("\r\n"), content.size()));
        return content;
    }
    std::FILE* terminal = std::fopen("/dev/tty", "r+e");
    if (terminal == nullptr) {
        throw Stop{Exit::usage, {"a password is needed: give --password-file", "需要口令：请使用 --password-file"}, {}};
    }
    std::fputs(in_language(prompt).c_str(), terminal);
    std::fflush(terminal);
    termios before{};
    const bool echo = ::tcgetattr(::fileno(terminal), &before) == 0;
    if (echo) {
        termios silent = before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(::fileno(terminal), TCSAFLUSH, &silent);
    }
    std::string password;
    for (int c = std::fgetc(terminal); c != EOF && c != '\n' && password.size() < 4096; c = std::fgetc(terminal)) {
        password.push_back(static_cast<char>(c));
    }
    if (echo) {
        ::tcsetattr(::fileno(terminal), TCSAFLUSH, &before);
    }
    std::fputc('\n', terminal);
    std::fclose(terminal);
    return password;
}

NodeApi::NodeApi(const NodeOptions& options) : options_(options), client_(make_client(options)) {
    if (!options_.password_file.empty()) {
        open_session(read_password(options_.password_file, {}), {});
    }
}

Stop stop_for(const Answer& answer) {
    boost::system::error_code error;
    const json::value parsed = is_json(answer) ? json::parse(answer.body, error) : json::value();
    if (error || !parsed.is_object() || text_of(parsed.get_object(), "code").empty()) {
        return {answer.status >= 500 ? Exit::unreachable : Exit::refused,
                {"the node answered with HTTP status " + std::to_string(answer.status),
                 "节点返回 HTTP 状态 " + std::to_string(answer.status)},
                {}};
    }
    const json::object& problem = parsed.get_object();
    const std::string retry = text_of(problem, "retry");
    Stop stop{retry == "later" || retry == "same" ? Exit::unreachable : Exit::refused,
              {text_of(problem, "title") + ". " + text_of(problem, "detail"), text_of(problem, "detail_zh")},
              text_of(problem, "code")};
    if (answer.retry_after_seconds != 0) {
        const std::string seconds = std::to_string(answer.retry_after_seconds);
        stop.text.en += " Try again in " + seconds + " s.";
        stop.text.zh += " 请在 " + seconds + " 秒后重试。";
    }
    return stop;
}

json::object parse_answer(const Answer& answer) {
    boost::system::error_code error;
    json::value parsed = json::parse(answer.body, error);
    if (error || !parsed.is_object()) {
        throw stop_with_code(Exit::evidence, "XF-8015", {"not a JSON object"});
    }
    return std::move(parsed.get_object());
}

void NodeApi::open_session(const std::string& password, const std::string& new_password) {
    json::object body{{"password", password}};
    if (!new_password.empty()) {
        body["new_password"] = new_password;
    }
    const Answer answer =
        client_.request("POST", "/v1/session", {{"Content-Type", "application/json"}}, json::serialize(body));
    if (answer.status >= 400) {
        throw stop_for(answer);
    }
    const json::object opened = parse_answer(answer);
    token_ = text_of(opened, "token");
    if (const json::value* days = opened.if_contains("password_days_left"); days != nullptr && days->is_number()) {
        const std::string left = json::serialize(*days);
        note({"the password expires in " + left + " days; change it with: xinfu password set",
              "口令将在 " + left + " 天后到期，请用 xinfu password set 更换"});
    }
}

Answer NodeApi::ask(const std::string& method, const std::string& path, const std::string& body,
                    const std::string& type) {
    for (bool asked = false;; asked = true) {
        Headers headers;
        if (!token_.empty()) {
            headers.emplace_back("Authorization", "Bearer " + token_);
        }
        if (!body.empty()) {
            headers.emplace_back("Content-Type", type);
        }
        Answer answer = client_.request(method, path, headers, body);
        if (answer.status < 400) {
            return answer;
        }
        const Stop stop = stop_for(answer);
        if (stop.code != "XF-1006" || asked) {
            throw stop;
        }
        open_session(read_password(options_.password_file, {"Password: ", "口令："}), {});
    }
}

json::object NodeApi::get(const std::string& path) {
    return parse_answer(ask("GET", path, {}));
}

Answer NodeApi::get_answer(const std::string& path) {
    return ask("GET", path, {});
}

json::object NodeApi::post_cms(const std::string& path, ByteView cms) {
    return parse_answer(ask("POST", path, std::string(as_text(cms)), "application/cms"));
}

json::object NodeApi::post(const std::string& path, const json::object& body) {
    return parse_answer(ask("POST", path, json::serialize(body)));
}

Answer NodeApi::upload(const std::string& method, const std::string& path, Headers headers, InputFile& body,
                       std::uint64_t from, const HttpsClient::Progress& progress) {
    return client_.upload(method, path, std::move(headers), body, from, progress);
}

Answer NodeApi::request(const std::string& method, const std::string& path, const Headers& headers) {
    return client_.request(method, path, headers);
}

std::string encode_segment(std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789ABCDEF";
    static constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string encoded;
    for (const char c : text) {
        if (kPlain.find(c) != kPlain.npos) {
            encoded.push_back(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
        }
    }
    return encoded;
}

}  // namespace xinfu::client
