// Revocation lists are files that anybody with access to a folder may write: only their authority's signature counts.
#include "tests/unit/vault/fixture.hpp"

#include <fstream>

#include "crypto/revocation_list.hpp"

namespace xinfu::vault::test {
namespace {

class RevocationTest : public VaultTest {
protected:
    RevocationTest() {
        lists_ = folder_ + "/revocation";
        std::filesystem::create_directory(lists_);
        // Reads a list honestly, as an inspector does.
        inspector_script_ = [](boundary::BlockingChannel& channel) {
            Bytes document;
            for (bool last = false; !last;) {
                auto request = channel.receive<boundary::InspectorRequest>();
                if (!request) {
                    return;
                }
                const auto& part = request->message.read_revocation_list();
                document.insert(document.end(), part.part().begin(), part.part().end());
                last = part.last();
            }
            boundary::InspectorReply reply;
            const auto list = crypto::parse_revocation_list(document);
            if (!list) {
                reply.mutable_problem()->set_code("XF-1018");
            } else {
                auto* said = reply.mutable_revocation_list();
                said->set_issuer(list->issuer.data(), list->issuer.size());
                said->set_to_be_signed(list->to_be_signed.data(), list->to_be_signed.size());
                said->set_signature_algorithm(list->signature_algorithm);
                said->set_signature(list->signature.data(), list->signature.size());
                said->set_this_update_s(list->this_update.time_since_epoch().count());
                said->set_next_update_s(list->next_update ? list->next_update->time_since_epoch().count() : 0);
                for (const auto& serial : list->revoked_serials) {
                    said->add_revoked_serials(serial.data(), serial.size());
                }
            }
            static_cast<void>(channel.send(reply).has_value());
        };
    }
    void put(const std::string& name, const Bytes& bytes) {
        std::ofstream(lists_ + "/" + name, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    Bytes list(const crypto::CertificateAuthority& authority, const std::vector<Bytes>& serials,
               std::chrono::seconds age) {
        std::vector<crypto::CertificateAuthority::Revoked> revoked;
        for (const auto& serial : serials) {
            revoked.push_back({serial, seconds(std::chrono::seconds(-60))});
        }
        return must(authority.revocation_list(revoked, seconds(-age), seconds(std::chrono::hours(24)), 1));
    }
    void look() {
        const std::vector<crypto::Certificate> anchors{authority_.certificate()};
        on_loop([this, &anchors]() -> asio::awaitable<void> {
            auto looking = revocations_.look(*context_, anchors, lists_);
            co_await std::move(looking);
        });
    }
    std::string lists_;
};

TEST_F(RevocationTest, Idn01AListOfTheAuthorityTakesEffectAndOutlivesARestart) {
    const Holder holder = unit_certificate(kUnit);
    look();
    EXPECT_FALSE(revocations_.is_revoked(holder.certificate));

    put("authority.crl", list(authority_, {holder.certificate.serial()}, std::chrono::seconds(10)));
    look();

    EXPECT_TRUE(revocations_.is_revoked(holder.certificate));
    EXPECT_EQ(leaves_with({"revocation_list", "accepted"}), 1);
    look();
    EXPECT_EQ(leaves_with({"revocation_list"}), 1) << "the same file is not news";

    Revocations restarted;
    const auto snapshot = must(ledger_->engine().snapshot());
    must(restarted.load(*snapshot));
    EXPECT_TRUE(restarted.is_revoked(holder.certificate));
}

TEST_F(RevocationTest, Idn01AListThatIsTooOldSaysNothingOfAnyCertificateOfItsIssuer) {
    const Holder holder = unit_certificate(kUnit);
    const auto in = [&](std::chrono::seconds time) { return clock_->now() + time; };
    const auto due = std::chrono::hours(24);
    EXPECT_FALSE(revocations_.is_unknown(holder.certificate, in(std::chrono::hours(24 * 365)))) << "there is none";
    put("authority.crl", list(authority_, {}, std::chrono::seconds(10)));
    look();
    const auto grace = std::chrono::hours(168);
    EXPECT_FALSE(revocations_.is_unknown(holder.certificate, in(due + grace - std::chrono::hours(1))));
    EXPECT_TRUE(revocations_.is_unknown(holder.certificate, in(due + grace + std::chrono::hours(1))));
    EXPECT_FALSE(revocations_.is_revoked(holder.certificate));

    Revocations strict{std::chrono::seconds{0}};
    const auto snapshot = must(ledger_->engine().snapshot());
    must(strict.load(*snapshot));
    EXPECT_FALSE(strict.is_unknown(holder.certificate, in(due - std::chrono::hours(1))));
    EXPECT_TRUE(strict.is_unknown(holder.certificate, in(due + std::chrono::hours(1))));
}

TEST_F(RevocationTest, AnotherAuthoritysListIsNotBelieved) {
    crypto::DistinguishedName same;
    same.common_name = "Test Authority";  // the name alone proves nothing
    const auto impostor = must(
        crypto::CertificateAuthority::create(same, seconds(std::chrono::hours(-72)), seconds(std::chrono::hours(72))));
    const Holder holder = unit_certificate(kUnit);
    put("impostor.crl", list(impostor, {holder.certificate.serial()}, std::chrono::seconds(10)));
    look();
    EXPECT_FALSE(revocations_.is_revoked(holder.certificate));
    EXPECT_EQ(leaves_with({"revocation_list", "refused", "XF-1018"}), 1);
}

TEST_F(RevocationTest, AnOlderListDoesNotBringACertificateBack) {
    const Holder holder = unit_certificate(kUnit);
    put("a.crl", list(authority_, {holder.certificate.serial()}, std::chrono::seconds(10)));
    look();
    put("b.crl", list(authority_, {}, std::chrono::seconds(3600)));
    look();
    EXPECT_TRUE(revocations_.is_revoked(holder.certificate));
}

TEST_F(RevocationTest, AFileThatIsNoListLeavesALeafAndNothingElse) {
    put("noise.crl", to_bytes("not a list"));
    look();
    EXPECT_EQ(revocations_.lists(), 0U);
    EXPECT_EQ(leaves_with({"revocation_list", "refused"}), 1);
}

}  // namespace
}  // namespace xinfu::vault::test
