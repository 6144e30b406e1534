#include "daemon/gateway/management_json.hpp"

#include <algorithm>
#include <utility>

#include <boost/json.hpp>

#include "daemon/gateway/json_parts.hpp"
#include "daemon/tls/context.hpp"

namespace xinfu::gateway {
namespace {

namespace json = boost::json;

constexpr std::size_t kJsonDepthMax = 6;
constexpr std::size_t kTextBytesMax = 16 * 1024;  // of one member: a certificate, PEM
constexpr std::size_t kPackBytesMax = 48 * 1024;
constexpr std::size_t kListMax = 1000;

// Members of one object, each asked for once; what nobody asked for is a fault.
class Members {
public:
    Members(const json::value& value, std::string& fault) : fault_(fault) {
        if (value.is_object()) {
            object_ = &value.as_object();
        } else {
            fault_ = "an object is expected";
        }
    }
    std::string text(std::string_view name, bool required = true, std::size_t size_max = kTextBytesMax) {
        const auto* member = find(name, required);
        if (member == nullptr) {
            return {};
        }
        if (!member->is_string() || member->as_string().size() > size_max) {
            fault_ = name;
            return {};
        }
        return std::string(member->as_string());
    }
    std::vector<std::string> texts(std::string_view name) {
        std::vector<std::string> list;
        const auto* member = find(name, false);
        if (member == nullptr) {
            return list;
        }
        if (!member->is_array() || member->as_array().size() > kListMax) {
            fault_ = name;
            return list;
        }
        for (const auto& one : member->as_array()) {
            if (!one.is_string() || one.as_string().size() > kTextBytesMax) {
                fault_ = name;
                return list;
            }
            list.emplace_back(one.as_string());
        }
        return list;
    }
    const json::value* find(std::string_view name, bool required) {
        const auto* member = object_ != nullptr ? object_->if_contains(name) : nullptr;
        if (member != nullptr) {
            ++asked_;
        } else if (required && fault_.empty()) {
            fault_ = name;
        }
        return member;
    }
    void finish() {
        if (fault_.empty() && object_ != nullptr && asked_ != object_->size()) {
            fault_ = "a member that is not known";
        }
    }

private:
    const json::object* object_ = nullptr;
    std::size_t asked_ = 0;
    std::string& fault_;
};

// A whole number, not negative.
std::optional<std::uint64_t> number(Members& members, std::string_view name, std::string& fault) {
    const auto* member = members.find(name, false);
    if (member == nullptr) {
        return std::nullopt;
    }
    boost::system::error_code error;
    const auto value = member->to_number<std::uint64_t>(error);
    if (error || member->is_double()) {
        fault = name;
        return std::nullopt;
    }
    return value;
}

template <class Field>
void copy(std::vector<std::string> list, Field& field) {
    for (auto& one : list) {
        *field.Add() = std::move(one);
    }
}

bool boolean(Members& members, std::string_view name, bool required, std::string& fault) {
    const auto* member = members.find(name, required);
    if (member != nullptr && !member->is_bool() && fault.empty()) {
        fault = name;
    }
    return member != nullptr && member->is_bool() && member->as_bool();
}

void parse_form(const json::value& value, boundary::AccountForm& form, std::string& fault) {
    Members members(value, fault);
    form.set_kind(members.text("kind"));
    form.set_unit(members.text("unit"));
    form.set_unit_name(members.text("unit_name"));
    form.set_name(members.text("name"));
    form.set_post(members.text("post", false));
    form.set_phone(members.text("phone", false));
    copy(members.texts("roles"), *form.mutable_roles());
    copy(members.texts("catalogs"), *form.mutable_catalogs());
    copy(members.texts("units"), *form.mutable_units());
    copy(members.texts("sources"), *form.mutable_sources());
    form.set_valid_until(members.text("valid_until", false));
    form.set_reset_password(boolean(members, "reset_password", false, fault));
    for (const auto& pem : members.texts("certificates")) {
        const auto certificates = tls::certificates_from_pem(pem);
        if (!certificates || certificates->size() != 1) {
            fault = "certificates";
            return;
        }
        form.add_certificates(std::string(as_text(certificates->front())));
    }
    members.finish();
}

void parse_policy(const json::value& value, boundary::PolicyForm& form, std::string& fault) {
    Members members(value, fault);
    if (const auto* packs = members.find("packs", false); packs != nullptr) {
        if (!packs->is_array() || packs->as_array().size() > kListMax) {
            fault = "packs";
            return;
        }
        for (const auto& one : packs->as_array()) {
            Members pack(one, fault);
            auto& told = *form.add_packs();
            told.set_kind(pack.text("kind"));
            told.set_text(pack.text("text", true, kPackBytesMax));
            pack.finish();
        }
    }
    copy(members.texts("remove"), *form.mutable_remove());
    members.finish();
}

// Each element of a list of objects that may be left out.
template <class Read>
void each(Members& members, std::string_view name, std::string& fault, const Read& read) {
    const auto* list = members.find(name, false);
    if (list == nullptr) {
        return;
    }
    if (!list->is_array() || list->as_array().size() > kListMax) {
        fault = name;
        return;
    }
    for (const auto& one : list->as_array()) {
        Members element(one, fault);
        read(element);
        element.finish();
    }
}

void parse_paths(const json::value& value, boundary::PathsForm& form, std::string& fault) {
    Members members(value, fault);
    copy(members.texts("listen"), *form.mutable_listen());
    form.set_metrics(members.text("metrics"));
    form.set_tls12(boolean(members, "tls12", true, fault));
    each(members, "routes", fault, [&](Members& told) {
        auto& route = *form.add_routes();
        route.set_name(told.text("name"));
        route.set_level(told.text("level"));
        route.set_node(told.text("node"));
        route.set_url(told.text("url"));
        route.set_anchors(told.text("anchors"));
        route.set_log_key(told.text("log_key"));
        route.set_envelope(told.text("envelope"));
        route.set_witness_key(told.text("witness_key", false));
        each(told, "onward", fault, [&](Members& beyond) {
            auto& onward = *route.add_onward();
            onward.set_level(beyond.text("level"));
            onward.set_node(beyond.text("node"));
            onward.set_log_key(beyond.text("log_key"));
        });
    });
    each(members, "witnessed", fault, [&](Members& told) {
        auto& log = *form.add_witnessed();
        log.set_node(told.text("node"));
        log.set_log_key(told.text("log_key"));
    });
    members.finish();
}

json::array texts(const google::protobuf::RepeatedPtrField<std::string>& list) {
    json::array array;
    for (const auto& text : list) {
        array.push_back(safe(text));
    }
    return array;
}

json::object request_object(const boundary::RequestView& view) {
    json::object object{{"id", safe(view.id())},
                        {"act", safe(view.act())},
                        {"state", safe(view.state())},
                        {"applicant", safe(view.applicant())},
                        {"unit", safe(view.unit())},
                        {"object", safe(view.object())},
                        {"reason", safe(view.reason())},
                        {"digest", safe(view.digest())},
                        {"created", time_or_null(view.created_ms())},
                        {"expires", time_or_null(view.expires_ms())},
                        {"leaf", view.leaf()},
                        {"strength", safe(view.strength())},
                        {"approvers", view.approvers()},
                        {"missing", view.missing()}};
    json::array decisions;
    for (const auto& decision : view.decisions()) {
        decisions.push_back({{"account", safe(decision.account())},
                             {"role", safe(decision.role())},
                             {"decision", decision.approves() ? "approve" : "reject"},
                             {"strength", safe(decision.strength())},
                             {"reason", safe(decision.reason())},
                             {"time", time_or_null(decision.time_ms())},
                             {"leaf", decision.leaf()}});
    }
    object["decisions"] = std::move(decisions);
    if (!view.change().empty()) {
        // As text, not as an object: its digest is over these very bytes.
        object["change"] = safe(view.change());
        json::array differences;
        for (const auto& difference : view.differences()) {
            differences.push_back({{"field", safe(difference.field())},
                                   {"before", safe(difference.before())},
                                   {"after", safe(difference.after())}});
        }
        object["differences"] = std::move(differences);
    }
    if (!view.receipt().empty()) {
        object["receipt"] = safe(view.receipt());
    }
    return object;
}

json::object account_object(const boundary::AccountView& view) {
    json::object object{{"id", safe(view.id())},
                        {"kind", safe(view.kind())},
                        {"state", safe(view.state())},
                        {"unit", safe(view.unit())},
                        {"unit_name", safe(view.unit_name())},
                        {"name", safe(view.name())},
                        {"roles", texts(view.roles())},
                        {"valid_until", safe(view.valid_until())},
                        {"created", time_or_null(view.created_ms())},
                        {"approval", safe(view.approval())}};
    if (view.has_last_login_ms()) {
        object["last_login"] = time_or_null(view.last_login_ms());
        object["unused"] = view.unused();
    }
    if (view.certificates().empty()) {
        return object;
    }
    object["post"] = safe(view.post());
    object["phone"] = safe(view.phone());
    object["catalogs"] = texts(view.catalogs());
    object["units"] = texts(view.units());
    object["sources"] = texts(view.sources());
    json::array certificates;
    for (const auto& certificate : view.certificates()) {
        certificates.push_back({{"digest", safe(certificate.digest())},
                                {"subject", safe(certificate.subject())},
                                {"not_after", time_or_null(certificate.not_after_ms())},
                                {"revoked", certificate.revoked()}});
    }
    object["certificates"] = std::move(certificates);
    return object;
}

}  // namespace

std::optional<boundary::SearchLog> parse_search(std::string_view body, std::string& fault) {
    json::parse_options options;
    options.max_depth = kJsonDepthMax;
    boost::system::error_code error;
    const auto value = json::parse(body, error, {}, options);
    if (error) {
        fault = "an object is expected";
        return std::nullopt;
    }
    boundary::SearchLog search;
    Members members(value, fault);
    search.set_subject(members.text("subject", false));
    search.set_actor(members.text("actor", false));
    search.set_unit(members.text("unit", false));
    search.set_role(members.text("role", false));
    search.set_action(members.text("action", false));
    search.set_result(members.text("result", false));
    search.set_catalog(members.text("catalog", false));
    search.set_object(members.text("object", false));
    search.set_approval(members.text("approval", false));
    search.set_from(members.text("from", false));
    search.set_until(members.text("until", false));
    if (const auto before = number(members, "before", fault)) {
        search.set_before(*before);
    }
    const auto limit = number(members, "limit", fault).value_or(0);
    search.set_limit(static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, UINT32_MAX)));
    members.finish();
    return fault.empty() ? std::optional(std::move(search)) : std::nullopt;
}

std::optional<boundary::OpenRequest> parse_request(std::string_view body, std::string& fault) {
    json::parse_options options;
    options.max_depth = kJsonDepthMax;
    boost::system::error_code error;
    const auto value = json::parse(body, error, {}, options);
    if (error) {
        fault = "an object is expected";
        return std::nullopt;
    }
    boundary::OpenRequest request;
    Members members(value, fault);
    request.set_act(members.text("act"));
    request.set_reason(members.text("reason"));
    request.set_account(members.text("account", false));
    const bool policy = request.act() == "policy";
    const bool unmask = request.act() == "unmask";
    const bool paths = request.act() == "paths";
    const std::string_view member = policy ? "policy" : unmask ? "unmask" : paths ? "paths" : "form";
    if (const auto* form = members.find(member, true); form != nullptr && fault.empty()) {
        if (policy) {
            parse_policy(*form, *request.mutable_policy(), fault);
        } else if (paths) {
            parse_paths(*form, *request.mutable_paths(), fault);
        } else if (unmask) {
            Members asked(*form, fault);
            request.mutable_unmask()->set_catalog(asked.text("catalog"));
            request.mutable_unmask()->set_subject(asked.text("subject"));
            asked.finish();
        } else {
            parse_form(*form, *request.mutable_form(), fault);
        }
    }
    members.finish();
    if (!fault.empty()) {
        return std::nullopt;
    }
    return request;
}

Response render_request(const boundary::RequestView& view, unsigned status) {
    auto response = json_response(request_object(view), status);
    if (status == 201) {
        response.headers.emplace_back("Location", "/v1/requests/" + view.id());
    }
    return response;
}

Response render_requests(const std::vector<boundary::RequestView>& views) {
    json::array requests;
    for (const auto& view : views) {
        requests.push_back(request_object(view));
    }
    return json_response({{"requests", std::move(requests)}});
}

Response render_account(const boundary::AccountView& view) {
    return json_response(account_object(view));
}

Response render_accounts(const std::vector<boundary::AccountView>& views) {
    json::array accounts;
    for (const auto& view : views) {
        accounts.push_back(account_object(view));
    }
    return json_response({{"accounts", std::move(accounts)}});
}

Response render_policies(const boundary::PolicyView& view) {
    json::array packs;
    for (const auto& pack : view.packs()) {
        packs.push_back({{"kind", safe(pack.kind())},
                         {"catalog", safe(pack.catalog())},
                         {"digest", safe(pack.digest())},
                         {"size", pack.size()}});
    }
    return json_response({{"digest", safe(view.digest())}, {"packs", std::move(packs)}});
}

Response render_clearance(const boundary::ClearanceSlip& slip) {
    return json_response({{"account", account_object(slip.account())},
                          {"requests", texts(slip.requests())},
                          {"sessions", slip.sessions()},
                          {"connections", slip.connections()},
                          {"time", time_or_null(slip.time_ms())},
                          {"receipt", safe(slip.receipt())}});
}

}  // namespace xinfu::gateway
