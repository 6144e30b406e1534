#include "daemon/client/authority.hpp"

#include "crypto/pem.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

constexpr std::chrono::minutes kSlowClock{5};

Stop unreadable(const std::string& path, const std::string& why) {
    return {Exit::usage, {path + ": " + why, path + "：" + why}, {}};
}

Stop failed(const boost::system::error_code& error) {
    return {Exit::refused, {error.message(), {}}, {}};
}

}  // namespace

crypto::UtcSeconds now_seconds() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::vector<crypto::Certificate> read_certificate_bundle(const std::string& path) {
    const std::string content = read_file(path);
    auto certificates = crypto::read_certificates(as_bytes(content));
    if (!certificates) {
        throw unreadable(path, certificates.error().message());
    }
    return std::move(*certificates);
}

crypto::Certificate read_certificate(const std::string& path) {
    return read_certificate_bundle(path).front();
}

Authority Authority::create(const std::string& directory, const std::string& common_name, int days) {
    make_directory(directory);
    if (exists(directory + "/ca.key") || exists(directory + "/ca.pem")) {
        throw Stop{Exit::refused, {directory + " holds an authority already", directory + " 中已有证书签发机构"}, {}};
    }
    const auto now = now_seconds();
    crypto::DistinguishedName subject;
    subject.common_name = common_name;
    auto authority = crypto::CertificateAuthority::create(subject, now - kSlowClock, now + std::chrono::days(days));
    if (!authority) {
        throw failed(authority.error());
    }
    Authority made(directory, std::move(*authority), {});
    made.save();
    std::string key = made.authority_.key().to_pem();
    write_file(directory + "/ca.key", key, 0600);
    crypto::wipe({reinterpret_cast<std::uint8_t*>(key.data()), key.size()});
    write_file(made.certificate_path(), made.certificate().to_pem());
    return made;
}

Authority Authority::open(const std::string& directory) {
    std::string document = read_file(directory + "/ca.key");
    auto key = crypto::SigningKey::from_pkcs8(as_bytes(document));
    crypto::wipe({reinterpret_cast<std::uint8_t*>(document.data()), document.size()});
    if (!key) {
        throw unreadable(directory + "/ca.key", key.error().message());
    }
    auto authority = crypto::CertificateAuthority::load(*key, read_certificate(directory + "/ca.pem"));
    if (!authority) {
        throw unreadable(directory + "/ca.pem", authority.error().message());
    }
    auto index = crypto::IssuedIndex::parse(read_file(directory + "/index"));
    if (!index) {
        throw unreadable(directory + "/index", index.error().message());
    }
    return {directory, std::move(*authority), std::move(*index)};
}

void Authority::save() const {
    write_file(directory_ + "/index", index_.format(), 0600);
}

crypto::Certificate Authority::issue(const crypto::DistinguishedName& subject, ByteView public_key,
                                     const std::vector<std::string>& hosts, int days, bool encryption) {
    const auto now = now_seconds();
    auto certificate = authority_.issue(subject, public_key,
                                        {.not_before = now - kSlowClock,
                                         .not_after = now + std::chrono::days(days),
                                         .hosts = hosts,
                                         .encryption = encryption});
    if (!certificate) {
        throw failed(certificate.error());
    }
    // Saved before the certificate leaves: one that is not in the index could never be revoked.
    index_.add(*certificate);
    save();
    return std::move(*certificate);
}

void Authority::revoke(const crypto::Certificate& certificate) {
    if (certificate.issuer() != this->certificate().subject_name() ||
        !index_.revoke(certificate.serial(), now_seconds())) {
        throw Stop{Exit::refused, {"this authority did not issue that certificate", "该证书不是本机构签发的"}, {}};
    }
    save();
}

std::string Authority::revocation_list(int days) {
    ++index_.revocation_list_number;
    save();
    const auto now = now_seconds();
    auto list = authority_.revocation_list(index_.revoked(), now - kSlowClock, now + std::chrono::days(days),
                                           index_.revocation_list_number);
    if (!list) {
        throw failed(list.error());
    }
    return crypto::to_pem("X509 CRL", *list);
}

}  // namespace xinfu::client
