#include "daemon/vault/inspector_pool.hpp"

#include "tests/unit/vault/fixture.hpp"

namespace xinfu::vault::test {
namespace {

storage::Pack pack(storage::PackKind kind, std::string_view text) {
    return {kind, to_bytes(text)};
}

boundary::CatalogDescription described(const std::string& name, std::string_view bytes) {
    boundary::CatalogDescription catalog;
    catalog.set_name(name);
    const auto digest = crypto::sha256(as_bytes(bytes));
    catalog.set_pack_digest(digest.data(), digest.size());
    return catalog;
}

// An inspector that says of every pack that it was loaded, and tells which it got.
class InspectorPool : public VaultTest {
protected:
    InspectorPool() {
        auto set = std::make_shared<PolicySet>();
        set->digest = crypto::sha256(as_bytes("set"));
        using enum storage::PackKind;
        set->packs = {pack(access, "access"), pack(catalog, "penalty 2"), pack(catalog, "penalty 1"),
                      pack(catalog, "licence"), pack(calendar, "days")};
        set->catalogs.emplace("penalty", described("penalty", "penalty 2"));
        set->older["penalty"].push_back(described("penalty", "penalty 1"));
        set->catalogs.emplace("licence", described("licence", "licence"));
        set_ = set;
        inspector_script_ = [this](boundary::BlockingChannel& channel) {
            while (auto request = channel.receive<boundary::InspectorRequest>()) {
                const auto& load = request->message.load_pack();
                loaded_.push_back(load.part());
                boundary::InspectorReply reply;
                if (load.kind() == boundary::LoadPack::CALENDAR) {
                    reply.mutable_calendar();
                } else if (load.part() == refused_) {
                    reply.mutable_problem()->set_code("XF-9101");
                } else {
                    reply.mutable_pack_loaded();
                }
                if (!channel.send(reply)) {
                    return;
                }
            }
        };
    }
    ~InspectorPool() override {
        on_loop([this]() -> asio::awaitable<void> {
            inspectors_->stop();
            co_return;
        });
    }

    // What an instance was given before it was lent.
    std::vector<std::string> take(const std::string& catalog, bool expected = true) {
        loaded_.clear();
        on_loop([this, catalog, expected]() -> asio::awaitable<void> {
            auto taking = inspectors_->take("m-0001", set_, catalog);
            auto lease = co_await std::move(taking);
            EXPECT_EQ(lease.has_value(), expected);
            if (lease) {
                lease->keep();
            }
        });
        return loaded_;
    }

    std::shared_ptr<const PolicySet> set_;
    std::vector<std::string> loaded_;  // written before the reply that the loop waits for
    std::string refused_;
};

using Packs = std::vector<std::string>;

TEST_F(InspectorPool, GivesAnInspectorAllVersionsOfTheCatalogItNeedsAndNoOtherPack) {
    EXPECT_EQ(take("penalty"), (Packs{"penalty 2", "penalty 1", "days"}));
    EXPECT_EQ(take("penalty"), Packs{}) << "the same instance has them";
    EXPECT_EQ(take("licence"), Packs{"licence"});
    EXPECT_EQ(take("licence"), Packs{});
    EXPECT_EQ(take("penalty"), Packs{});
    EXPECT_EQ(inspectors_->instances(), 1U);
}

TEST_F(InspectorPool, LendsNoInspectorThatRefusedAPack) {
    EXPECT_EQ(take("licence"), (Packs{"licence", "days"}));
    refused_ = "penalty 1";
    take("penalty", false);
    EXPECT_EQ(inspectors_->instances(), 0U);
    EXPECT_EQ(inspectors_->crashes(), 1U);
}

}  // namespace
}  // namespace xinfu::vault::test
