#include "daemon/client/signed_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "crypto/cms_reader.hpp"
#include "crypto/cms_verify.hpp"
#include "crypto/cms_writer.hpp"
#include "daemon/client/authority.hpp"
#include "daemon/client/files.hpp"

namespace xinfu::client {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

// Streams into a file that has its final name only when it is whole and synced.
class OutputFile {
public:
    explicit OutputFile(std::string path) : path_(std::move(path)), temporary_(path_ + ".part") {
        fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd_ < 0) {
            stop();
        }
    }
    ~OutputFile() {
        if (fd_ >= 0) {
            ::close(fd_);
            ::unlink(temporary_.c_str());
        }
    }
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(ByteView bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
            if (written < 0) {
                if (errno == EINTR) {
                    continue;
                }
                stop();
            }
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
    }
    void finish() {
        if (::fsync(fd_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
            stop();
        }
        ::close(fd_);
        fd_ = -1;
    }

private:
    [[noreturn]] void stop() const {
        const std::string why = std::strerror(errno);
        throw Stop{Exit::usage, {path_ + ": " + why, path_ + "：" + why}, {}};
    }
    std::string path_;
    std::string temporary_;
    int fd_ = -1;
};

crypto::SigningKey read_key(const std::string& path) {
    std::string document = read_file(path, 64 * 1024);
    auto key = crypto::SigningKey::from_pkcs8(as_bytes(document));
    crypto::wipe({reinterpret_cast<std::uint8_t*>(document.data()), document.size()});
    if (!key) {
        throw Stop{Exit::usage, {path + ": " + key.error().message(), path + "：" + key.error().message()}, {}};
    }
    return std::move(*key);
}

crypto::CmsWriter make_writer(const crypto::SigningKey& key, const crypto::Certificate& certificate,
                              std::uint64_t size) {
    auto writer = crypto::CmsWriter::create(key, certificate, size, now_seconds());
    if (!writer) {
        throw Stop{Exit::refused,
                   {"xinfu signs with P-256 keys only: sign with `openssl cms -sign -binary -nodetach "
                    "-outform DER` and "
                    "hand in what it makes",
                    "xinfu 仅支持 P-256 密钥签名：请用 openssl cms -sign -binary -nodetach -outform DER "
                    "签名后再推送签名文件"},
                   {}};
    }
    return std::move(*writer);
}

void sign(const std::string& path, const NodeOptions& options, const crypto::Certificate& certificate,
          const std::string& out) {
    const crypto::SigningKey key = read_key(options.key);
    InputFile content(path);
    auto writer = make_writer(key, certificate, content.size());
    OutputFile body(out);
    body.write(writer.prefix());
    crypto::Sha256 digest;
    Bytes piece(kPieceBytes);
    std::uint64_t size = 0;
    while (const std::size_t read = content.read(piece)) {
        const ByteView bytes = ByteView(piece).first(read);
        digest.update(bytes);
        body.write(bytes);
        size += read;
    }
    if (size != content.size()) {
        throw Stop{Exit::usage, {path + " changed while it was read", path + " 在读取过程中发生变化"}, {}};
    }
    auto suffix = writer.finish(digest.finish());
    if (!suffix) {
        throw Stop{Exit::refused, {suffix.error().message(), {}}, {}};
    }
    body.write(*suffix);
    body.finish();
}

}  // namespace

Bytes signed_bytes(ByteView content, const NodeOptions& options) {
    const crypto::SigningKey key = read_key(options.key);
    const auto certificate = crypto::Certificate::read(as_bytes(read_file(options.cert)));
    if (!certificate) {
        throw Stop{Exit::usage, {options.cert + ": " + certificate.error().message(), {}}, {}};
    }
    auto writer = make_writer(key, *certificate, content.size());
    Bytes signed_content = writer.prefix();
    signed_content.insert(signed_content.end(), content.begin(), content.end());
    const auto suffix = writer.finish(crypto::sha256(content));
    if (!suffix) {
        throw Stop{Exit::refused, {suffix.error().message(), {}}, {}};
    }
    signed_content.insert(signed_content.end(), suffix->begin(), suffix->end());
    return signed_content;
}

bool is_cms(const std::string& path) {
    // ContentInfo: a SEQUENCE that begins with an object identifier of PKCS #7.
    static constexpr std::array<std::uint8_t, 10> kPkcs7{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07};
    std::array<std::uint8_t, 64> head{};
    InputFile file(path);
    const std::string_view text = as_text(ByteView(head).first(file.read(head)));
    if (text.starts_with("-----BEGIN CMS-----") || text.starts_with("-----BEGIN PKCS7-----")) {
        return true;
    }
    return text.starts_with('\x30') && text.substr(0, 24).find(as_text(kPkcs7)) != text.npos;
}

std::optional<crypto::Digest> content_signed_by(const std::string& path, const crypto::Certificate& certificate) {
    InputFile file(path);
    crypto::CmsReader reader;
    crypto::Sha256 sha256;
    std::optional<crypto::ContentHasher> signers_digest;
    Bytes piece(kPieceBytes);
    std::uint64_t offset = 0;
    while (const std::size_t size = file.read(piece)) {
        const auto taken =
            reader.feed(offset, ByteView(piece).first(size), [&](std::uint64_t, ByteView bytes) -> Result<void> {
                if (!signers_digest && !reader.digest_algorithms().empty()) {
                    auto hasher = crypto::ContentHasher::for_algorithm(reader.digest_algorithms().front());
                    if (!hasher) {
                        return hasher.error();
                    }
                    signers_digest.emplace(std::move(*hasher));
                }
                sha256.update(bytes);
                if (signers_digest) {
                    signers_digest->update(bytes);
                }
                return {};
            });
        if (!taken) {
            return std::nullopt;
        }
        offset += size;
    }
    if (!reader.finish() || !signers_digest) {
        return std::nullopt;
    }
    if (!crypto::verify_cms(reader.signer(), signers_digest->finish(), certificate)) {
        return std::nullopt;
    }
    return sha256.finish();
}

SignedFile signed_file(const std::string& path, const NodeOptions& options, const std::string& out) {
    if (is_cms(path)) {
        return {path, digest_of_file(path), false};
    }
    const crypto::Certificate certificate = read_certificate(options.cert);
    if (exists(out) && content_signed_by(out, certificate) == digest_of_file(path)) {
        return {out, digest_of_file(out), false};
    }
    sign(path, options, certificate, out);
    return {out, digest_of_file(out), true};
}

}  // namespace xinfu::client
