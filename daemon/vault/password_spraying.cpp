#include "daemon/vault/password_spraying.hpp"

#include <algorithm>
#include <set>

#include <boost/asio/ip/address.hpp>

namespace xinfu::vault {
namespace {

constexpr std::size_t kPrefixBytes = 8;

}  // namespace

std::string PasswordSpraying::network_of(std::string_view source) {
    namespace ip = boost::asio::ip;
    boost::system::error_code error;
    const auto address = ip::make_address(source, error);
    if (error) {
        return std::string(source);
    }
    if (address.is_v4()) {
        return address.to_string();
    }
    if (address.to_v6().is_v4_mapped()) {
        return ip::make_address_v4(ip::v4_mapped, address.to_v6()).to_string();
    }
    auto bytes = address.to_v6().to_bytes();
    std::fill(bytes.begin() + kPrefixBytes, bytes.end(), static_cast<unsigned char>(0));
    return ip::make_address_v6(bytes).to_string() + "/64";
}

std::optional<std::uint32_t> PasswordSpraying::refused(std::string_view source, storage::Milliseconds now) const {
    const auto found = sources_.find(network_of(source));
    if (found == sources_.end() || !found->second.refused_since ||
        !is_within(*found->second.refused_since, kRefused, now)) {
        return std::nullopt;
    }
    const auto left = std::chrono::ceil<std::chrono::seconds>(*found->second.refused_since + kRefused - now);
    return static_cast<std::uint32_t>(left.count());
}

bool PasswordSpraying::has_failed(std::string_view source, std::string_view account, storage::Milliseconds now) const {
    const auto found = sources_.find(network_of(source));
    return found != sources_.end() && std::ranges::any_of(found->second.failures, [&](const Failure& failure) {
               return failure.account == account && is_within(failure.time, kWindow, now);
           });
}

std::optional<PasswordSpraying::Alarm> PasswordSpraying::failed(std::string_view source, std::string_view account,
                                                                storage::Milliseconds now) {
    const std::string network = network_of(source);
    if (!sources_.contains(network)) {
        make_room(now);
    }
    Source& from = sources_[network];
    std::erase_if(from.failures, [now](const Failure& failure) { return !is_within(failure.time, kWindow, now); });
    if (from.failures.size() >= kFailures) {
        from.failures.pop_front();
    }
    from.failures.push_back({std::string(account), now});
    if (from.refused_since && is_within(*from.refused_since, kRefused, now)) {
        return std::nullopt;  // told already, and not prolonged
    }
    std::set<std::string_view> accounts;
    for (const auto& failure : from.failures) {
        accounts.insert(failure.account);
    }
    if (accounts.size() < kAccounts && from.failures.size() < kFailures) {
        return std::nullopt;
    }
    from.refused_since = now;
    return Alarm{accounts.size(), from.failures.size()};
}

void PasswordSpraying::succeeded(std::string_view source, std::string_view account) {
    const auto found = sources_.find(network_of(source));
    if (found != sources_.end()) {
        std::erase_if(found->second.failures, [&](const Failure& failure) { return failure.account == account; });
    }
}

void PasswordSpraying::make_room(storage::Milliseconds now) {
    std::erase_if(sources_, [now](const auto& entry) {
        const Source& from = entry.second;
        return (from.failures.empty() || !is_within(from.failures.back().time, kWindow, now)) &&
               (!from.refused_since || !is_within(*from.refused_since, kRefused, now));
    });
    if (sources_.size() < kSourcesMax) {
        return;
    }
    const auto last = [](const Source& from) {
        const auto failed = from.failures.empty() ? storage::Milliseconds{} : from.failures.back().time;
        return from.refused_since ? std::max(failed, *from.refused_since) : failed;
    };
    sources_.erase(std::ranges::min_element(sources_, {}, [&](const auto& entry) { return last(entry.second); }));
}

}  // namespace xinfu::vault
