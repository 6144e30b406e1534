#include <CLI/CLI.hpp>

#include "daemon/client/authority.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/json.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

struct Options {
    std::string directory;
    std::string name = "Xinfu demo authority";
    std::string request;
    std::string key;
    std::string certificate;
    std::string out;
    crypto::DistinguishedName subject;
    std::vector<std::string> hosts;
    int days = 365;
    bool encryption = false;
};

Exit make_authority(const Options& options) {
    const Authority authority = Authority::create(options.directory, options.name, options.days);
    say({"authority made: " + authority.certificate_path(), "已建立证书签发机构：" + authority.certificate_path()});
    return Exit::done;
}

void override_with(std::string& value, const std::string& given) {
    if (!given.empty()) {
        value = given;
    }
}

Exit issue(const Options& options) {
    Authority authority = Authority::open(options.directory);
    crypto::CertificateRequest request;
    if (!options.request.empty()) {
        const std::string document = read_file(options.request);
        auto parsed = crypto::parse_request(as_bytes(document));
        if (!parsed) {
            throw Stop{Exit::refused, {options.request + ": " + parsed.error().message(), {}}, {}};
        }
        request = std::move(*parsed);
    } else if (options.key.empty()) {
        throw Stop{Exit::usage,
                   {"give --csr FILE, or --key FILE for a new key", "请给出 --csr 文件，或用 --key 生成新密钥"},
                   {}};
    } else {
        const auto key = crypto::SigningKey::generate_p256();
        request.public_key = key.public_key();
        std::string document = key.to_pem();
        write_file(options.key, document, 0600);
        crypto::wipe({reinterpret_cast<std::uint8_t*>(document.data()), document.size()});
    }
    override_with(request.subject.country, options.subject.country);
    override_with(request.subject.organization, options.subject.organization);
    override_with(request.subject.common_name, options.subject.common_name);
    override_with(request.subject.organization_identifier, options.subject.organization_identifier);
    override_with(request.subject.serial_number, options.subject.serial_number);
    if (request.subject.common_name.empty()) {
        throw Stop{Exit::refused, {"the subject has no common name: give --cn", "主体缺少通用名：请给出 --cn"}, {}};
    }
    const auto& hosts = options.hosts.empty() ? request.hosts : options.hosts;
    const auto certificate =
        authority.issue(request.subject, request.public_key, hosts, options.days, options.encryption);
    if (options.out.empty()) {
        say({certificate.to_pem(), {}});
    } else {
        write_file(options.out, certificate.to_pem());
        say({"issued to " + request.subject.common_name + ": " + options.out,
             "已签发给 " + request.subject.common_name + "：" + options.out});
    }
    return Exit::done;
}

Exit revoke(const Options& options) {
    Authority::open(options.directory).revoke(read_certificate(options.certificate));
    say({"revoked; publish a new list with `xinfu ca crl`", "已吊销；请用 xinfu ca crl 发布新列表"});
    return Exit::done;
}

Exit publish_list(const Options& options) {
    const std::string list = Authority::open(options.directory).revocation_list(options.days);
    if (options.out.empty()) {
        say({list, {}});
    } else {
        write_file(options.out, list);
    }
    return Exit::done;
}

}  // namespace

void add_authority_verbs(CLI::App& app, Chosen& chosen) {
    CLI::App* ca = app.add_subcommand("ca", "a small certificate authority");
    ca->require_subcommand(1);
    const auto add = [&](const std::string& name, const std::string& help, Exit (*act)(const Options&)) {
        auto options = std::make_shared<Options>();
        CLI::App* verb = ca->add_subcommand(name, help);
        verb->add_option("--dir", options->directory, "the authority's directory")->required();
        verb->callback([&chosen, options, act] { chosen = {[options, act] { return act(*options); }, false}; });
        return std::pair(verb, options);
    };
    {
        auto [verb, options] = add("init", "make an authority", make_authority);
        verb->add_option("--name", options->name, "its name");
        options->days = 3650;
        verb->add_option("--days", options->days, "how long it is valid")->check(CLI::Range(1, 36500));
    }
    {
        auto [verb, options] = add("issue", "issue a certificate for a request, or for a new key", issue);
        verb->add_option("--csr", options->request, "the request, PKCS #10");
        verb->add_option("--key", options->key, "without --csr: where a new key goes")->excludes("--csr");
        verb->add_option("--out", options->out, "where the certificate goes (default: standard output)");
        verb->add_option("--cn", options->subject.common_name, "common name, instead of the request's");
        verb->add_option("--organization", options->subject.organization, "the unit's name");
        verb->add_option("--unit", options->subject.organization_identifier, "the unit's unified social credit code");
        verb->add_option("--person", options->subject.serial_number, "a natural person's number");
        verb->add_option("--host", options->hosts, "DNS name or address of a server; may be repeated");
        verb->add_option("--days", options->days, "how long it is valid")->check(CLI::Range(1, 36500));
        verb->add_flag("--encryption", options->encryption, "for a node's envelope key: not for signing, not for TLS");
    }
    {
        auto [verb, options] = add("revoke", "revoke a certificate", revoke);
        verb->add_option("--cert", options->certificate, "the certificate")->required();
    }
    {
        auto [verb, options] = add("crl", "publish the revocation list", publish_list);
        verb->add_option("--out", options->out, "where the list goes (default: standard output)");
        options->days = 7;
        verb->add_option("--days", options->days, "until when the next list is due")->check(CLI::Range(1, 3650));
    }
}

}  // namespace xinfu::client
