// The vault's side of an inspector's connection, for tests: it orders, gathers what is told, and digests the
// spans as the vault would. The inspector runs on a thread over a real socket pair. Files are signed by
// openssl.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "crypto/cms_verify.hpp"
#include "crypto/digest.hpp"
#include "crypto/envelope_key.hpp"
#include "crypto/gcm_stream.hpp"
#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/inspector/session.hpp"

namespace xinfu::inspector::test {

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

// A folder with a key and a certificate; gone with the object.
class Signer {
public:
    Signer() {
        std::string name = (std::filesystem::temp_directory_path() / "xinfu-inspector-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=unit -days 30 -keyout "
            "key.pem -out "
            "cert.pem");
    }
    ~Signer() { std::filesystem::remove_all(folder_); }

    void run(const std::string& arguments) const {
        const auto command = "cd " + folder_.string() + " && openssl " + arguments + " >/dev/null 2>openssl.log";
        if (std::system(command.c_str()) != 0) {
            throw std::runtime_error("openssl " + arguments + ": " + read_file(folder_ / "openssl.log"));
        }
    }
    std::string sign(std::string_view content, const std::string& options = "-binary -nodetach -outform DER") const {
        write_file(folder_ / "content", content);
        run("cms -sign -in content -signer cert.pem -inkey key.pem -out signed " + options);
        return read_file(folder_ / "signed");
    }
    crypto::Certificate certificate() const {
        const auto text = read_file(folder_ / "cert.pem");
        return crypto::Certificate::read(as_bytes(text)).value();
    }
    const std::filesystem::path& folder() const { return folder_; }

private:
    std::filesystem::path folder_;
};

struct Told {
    boundary::Verdict verdict;
    std::vector<std::map<std::string, std::string>> records;
    std::vector<boundary::Record> last_parts;
    std::vector<boundary::Defect> defects;
    std::map<unsigned, boundary::SignerFound> signers;
    std::map<unsigned, std::string> content;  // by layer, the bytes of its spans
    Bytes package;                            // what an envelope contained
    std::uint64_t consumed = 0;
    std::size_t largest_packet = 0;

    std::string code() const { return verdict.problem().code(); }
    std::vector<std::string> findings() const {
        std::vector<std::string> list;
        for (const auto& defect : defects) {
            list.push_back(std::to_string(defect.line()) + " " + defect.field() + " " + defect.code());
        }
        return list;
    }
};

class VaultSide {
public:
    std::optional<crypto::EnvelopeKey> envelope_key;  // who may be asked to unwrap

    VaultSide() {
        auto pair = boundary::make_packet_pair();
        channel_ = std::make_unique<boundary::BlockingChannel>(
            boundary::Connection{std::move(pair->first), {::getuid(), false, 0}});
        thread_ = std::thread([connection = std::make_shared<boundary::Connection>(
                                   boundary::Connection{std::move(pair->second), {::getuid(), true, 0}})] {
            Session session(std::move(*connection));
            const auto ended = session.run();
            EXPECT_TRUE(ended) << ended.error().message();
        });
        load_shipped();
    }
    // The program itself; what it used is known once it has ended.
    VaultSide(const std::string& program, rusage* used) : used_(used) {
        auto pair = boundary::make_packet_pair();
        channel_ = std::make_unique<boundary::BlockingChannel>(
            boundary::Connection{std::move(pair->first), {::getuid(), false, 0}});
        const auto peer = "--peer-fd=" + std::to_string(pair->second.get());
        const auto uid = "--peer-uid=" + std::to_string(::getuid());
        program_ = ::fork();
        if (program_ == 0) {
            ::fcntl(pair->second.get(), F_SETFD, 0);
            ::execl(program.c_str(), program.c_str(), peer.c_str(), uid.c_str(), nullptr);
            ::_exit(127);
        }
        pair->second.reset();
        load_shipped();
    }
    ~VaultSide() {
        channel_->close();
        if (program_ > 0) {
            int status = 0;
            ::wait4(program_, &status, 0, used_);
            EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
        } else {
            thread_.join();
        }
    }
    void load_shipped() {
        load(boundary::LoadPack::CATALOG, "policies/packs/administrative-penalty.yaml");
        load(boundary::LoadPack::CALENDAR, "policies/packs/workdays.yaml");
    }

    std::vector<boundary::InspectorReply> load(boundary::LoadPack::Kind kind, const std::string& path,
                                               const std::string& name = {}) {
        return load_text(kind, read_file(std::string{XINFU_SOURCE_DIR} + "/" + path), name);
    }
    std::vector<boundary::InspectorReply> load_text(boundary::LoadPack::Kind kind, std::string_view text,
                                                    const std::string& name = {}) {
        boundary::InspectorRequest request;
        request.mutable_load_pack()->set_kind(kind);
        request.mutable_load_pack()->set_catalog(name);
        do {
            const auto part = text.substr(0, 40000);
            text.remove_prefix(part.size());
            request.mutable_load_pack()->set_part(std::string{part});
            request.mutable_load_pack()->set_last(text.empty());
            EXPECT_TRUE(channel_->send(request));
        } while (!text.empty());
        std::vector<boundary::InspectorReply> replies;
        do {
            replies.push_back(receive());
        } while (replies.back().has_pack_loaded() && replies.back().pack_loaded().more());
        std::vector<std::string> codes;
        for (const auto& reply : replies) {
            for (const auto& field : reply.pack_loaded().catalog().fields()) {
                codes.push_back(field.code());
            }
        }
        codes_[replies.front().pack_loaded().catalog().version()] = std::move(codes);
        return replies;
    }

    boundary::InspectorReply receive() {
        auto envelope = channel_->receive<boundary::InspectorReply>(std::chrono::seconds{60});
        EXPECT_TRUE(envelope) << envelope.error().message();
        return envelope ? std::move(envelope->message) : boundary::InspectorReply{};
    }
    void send(const boundary::InspectorRequest& request, int descriptor = -1) {
        EXPECT_TRUE(channel_->send(request, descriptor));
    }

    std::string catalog = "administrative-penalty";
    std::vector<std::string> versions;  // of the catalog, as the vault names them
    boundary::InspectorRequest order(bool parcel) const {
        boundary::InspectorRequest request;
        request.mutable_inspect()->set_catalog(catalog);
        request.mutable_inspect()->set_parcel(parcel);
        request.mutable_inspect()->set_today(20779);  // 2026-11-22
        for (const auto& version : versions) {
            request.mutable_inspect()->add_catalog_versions(version);
        }
        return request;
    }

    // The body within the order.
    Told inspect_whole(std::string_view body, bool parcel = false) {
        auto request = order(parcel);
        request.mutable_inspect()->set_body(std::string{body});
        send(request);
        return listen(body);
    }

    // The body through a stream, in pieces.
    Told inspect(std::string_view body, bool parcel = false, std::size_t piece_size = 30000) {
        auto streams = boundary::make_stream_pair();
        send(order(parcel), streams->second.get());
        streams->second.reset();
        std::thread writer([&, fd = std::make_shared<boundary::Descriptor>(std::move(streams->first))] {
            for (std::size_t at = 0; at < body.size(); at += piece_size) {
                auto rest = body.substr(at, piece_size);
                while (!rest.empty()) {
                    const auto size = ::send(fd->get(), rest.data(), rest.size(), MSG_NOSIGNAL);
                    if (size <= 0) {
                        return;  // the verdict came early
                    }
                    rest.remove_prefix(static_cast<std::size_t>(size));
                }
            }
            boundary::InspectorRequest finish;
            finish.mutable_finish_body()->set_length(body.size());
            send(finish);
        });
        auto told = listen(body);
        writer.join();
        return told;
    }

private:
    // The content key of an enveloped body, as the vault would unwrap it.
    void unwrap(const boundary::UnwrapContentKey& question) {
        boundary::InspectorRequest answer;
        const auto bytes = [](const std::string& text) { return to_bytes(text); };
        const crypto::EnvelopeRecipient recipient{bytes(question.issuer()),
                                                  bytes(question.serial()),
                                                  bytes(question.subject_key_identifier()),
                                                  question.agreement(),
                                                  bytes(question.originator_point()),
                                                  bytes(question.user_keying_material()),
                                                  bytes(question.key_wrap_algorithm()),
                                                  bytes(question.encrypted_key())};
        ASSERT_TRUE(envelope_key && envelope_key->is_recipient(recipient));
        const auto key = envelope_key->unwrap(recipient, crypto::system_random());
        opener_.emplace(key.view(), as_bytes(question.nonce()));
        answer.mutable_content_key()->set_key(key.view().data(), key.size());
        send(answer);
    }

    Told listen(std::string_view body) {
        Told told;
        opener_.reset();
        bool open = false;
        for (;;) {
            const auto reply = receive();
            told.largest_packet = std::max(told.largest_packet, reply.ByteSizeLong());
            if (reply.has_progress()) {
                for (const auto& cipher : reply.progress().cipher()) {
                    opener_->update(as_bytes(body.substr(cipher.offset(), cipher.length())), told.package);
                }
                if (!reply.progress().tag().empty()) {
                    EXPECT_TRUE(opener_->finish(as_bytes(reply.progress().tag()), told.package));
                }
                const std::string_view package = opener_ ? as_text(told.package) : body;
                for (const auto& span : reply.progress().spans()) {
                    EXPECT_GE(span.offset(), told.consumed);
                    EXPECT_LE(span.offset() + span.length(), package.size());
                    told.content[span.layer()] += package.substr(span.offset(), span.length());
                }
                told.consumed = std::max(told.consumed, reply.progress().consumed());
            } else if (reply.has_unwrap()) {
                unwrap(reply.unwrap());
            } else if (reply.has_signer()) {
                told.signers[reply.signer().layer()] = reply.signer();
            } else if (reply.has_records()) {
                const auto& codes = codes_.at(reply.records().catalog_version());
                for (const auto& part : reply.records().records()) {
                    if (!open) {
                        told.records.emplace_back();
                    }
                    EXPECT_EQ(part.fields_size(), part.values_size());
                    for (int i = 0; i < part.fields_size(); ++i) {
                        EXPECT_TRUE(told.records.back().emplace(codes.at(part.fields(i)), part.values(i)).second);
                    }
                    open = part.continued();
                    if (!open) {
                        told.last_parts.push_back(part);
                    }
                }
            } else if (reply.has_defects()) {
                told.defects.insert(told.defects.end(), reply.defects().defects().begin(),
                                    reply.defects().defects().end());
            } else {
                EXPECT_TRUE(reply.has_verdict());
                told.verdict = reply.verdict();
                return told;
            }
        }
    }

    std::map<std::string, std::vector<std::string>> codes_;  // of each version of the catalog, in its order
    std::optional<crypto::GcmOpener> opener_;
    std::unique_ptr<boundary::BlockingChannel> channel_;
    std::thread thread_;
    pid_t program_ = 0;
    rusage* used_ = nullptr;
};

// Whether what was told of a layer is a signature of `signer` over exactly the spans' bytes.
inline bool verifies(const Told& told, unsigned layer, const Signer& signer) {
    const auto found = told.signers.find(layer);
    if (found == told.signers.end()) {
        return false;
    }
    const auto bytes = [](const std::string& text) { return to_bytes(text); };
    const auto& said = found->second;
    crypto::CmsSigner cms;
    cms.signed_attributes = bytes(said.signed_attributes());
    cms.signature = bytes(said.signature());
    cms.digest_algorithm = said.digest_algorithm();
    cms.signature_algorithm = said.signature_algorithm();
    cms.signature_parameters = bytes(said.signature_parameters());
    cms.certificate = bytes(said.certificate());
    cms.issuer = bytes(said.issuer());
    cms.serial = bytes(said.serial());
    cms.subject_key_identifier = bytes(said.subject_key_identifier());
    cms.content_type = said.content_type();
    const auto content = told.content.find(layer);
    const auto digest = crypto::sha256(as_bytes(content == told.content.end() ? std::string{} : content->second));
    return verify_cms(cms, digest, signer.certificate()).has_value();
}

}  // namespace xinfu::inspector::test
