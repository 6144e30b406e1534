#include "daemon/client/demo.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <thread>

#include "crypto/random.hpp"
#include "daemon/client/authority.hpp"
#include "daemon/client/demo_samples.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/node_init.hpp"
#include "daemon/client/processes.hpp"

namespace xinfu::client {
namespace {

constexpr std::chrono::seconds kReadyLimit{20};
constexpr std::chrono::seconds kEndLimit{25};
constexpr int kDays = 365;

struct Unit {
    const char* code;  // unified social credit codes of division 219900
    const char* name;
};
constexpr Unit kDepartment{"112199000000000198", "示例市市场监督管理局"};
constexpr Unit kSecondDepartment{"112199000000000273", "示例市交通运输局"};
constexpr Unit kCentre{"11219900000000107N", "示例市信用中心"};
constexpr Unit kBank{"91219900000003113Q", "示例银行"};

struct Participant {
    const char* variable;  // XINFU_<variable>_CERT and so on
    const char* role;
    Unit unit;
    bool person;
    bool everywhere;  // at all three levels, or at the city alone
};
constexpr std::array kParticipants{Participant{"DEPT", "submitter", kDepartment, false, false},
                                   Participant{"DEPT2", "submitter", kSecondDepartment, false, false},
                                   Participant{"LOG_READER", "log_reader", kCentre, false, true},
                                   Participant{"RECIPIENT", "recipient", kBank, false, true},
                                   Participant{"APPROVER", "approver", kDepartment, true, true},
                                   Participant{"VIEWER", "viewer", kCentre, true, true},
                                   Participant{"AUDITOR", "auditor", kCentre, true, true},
                                   Participant{"SECURITY_ADMIN", "security_administrator", kCentre, true, true},
                                   Participant{"SYSTEM_ADMIN", "system_administrator", kCentre, true, true},
                                   Participant{"DATA_ADMIN", "data_administrator", kCentre, true, true}};

std::string file_stem(const Participant& participant) {
    std::string stem = participant.variable;
    std::ranges::transform(stem, stem.begin(),
                           [](unsigned char c) { return c == '_' ? '-' : static_cast<char>(std::tolower(c)); });
    return stem;
}

struct Identity {
    std::string certificate_path;
    std::string key_path;
    std::string password;  // persons
    crypto::Certificate certificate;
};

struct Level {
    std::string name;      // "city"
    std::string variable;  // "CITY"
    std::string directory;
    int port = 0;
    int metrics_port = 0;
    config::Config config;
    MadeNode made;
    std::vector<crypto::Certificate> certificates;  // TLS and parcels: how the level above knows it
    std::string envelope_path() const { return directory + "/envelope.pem"; }
    std::string envelope_rsa_path() const { return directory + "/envelope-rsa.pem"; }
    std::string url() const { return "https://127.0.0.1:" + std::to_string(port); }
};

class Demo {
public:
    explicit Demo(const std::string& directory) : directory_(absolute(directory)) {}

    void up();

private:
    void make_identities(Authority& authority);
    void make_level(std::size_t index, Authority& authority);
    void start_and_wait();
    void set_passwords(const Level& level) const;
    void write_environment() const;

    std::string directory_;
    std::map<std::string, Identity> identities_;  // by variable
    std::array<Level, 3> levels_;                 // city, province, nation
};

void Demo::make_identities(Authority& authority) {
    make_directory(directory_ + "/identities");
    for (const Participant& participant : kParticipants) {
        const std::string stem = directory_ + "/identities/" + file_stem(participant);
        const auto key = crypto::SigningKey::generate_p256();
        const crypto::DistinguishedName subject{
            .country = "CN",
            .organization = participant.unit.name,
            .common_name = "demo " + file_stem(participant),
            .organization_identifier = participant.unit.code,
            .serial_number = participant.person ? "demo-" + file_stem(participant) : std::string()};
        auto certificate = authority.issue(subject, key.public_key(), {}, kDays);
        write_file(stem + ".key", key.to_pem(), 0600);
        write_file(stem + ".pem", certificate.to_pem());
        std::string password;
        if (participant.person) {
            password = "Xf-" + to_hex(crypto::system_random().array<12>());  // three kinds of characters
        }
        identities_.emplace(participant.variable,
                            Identity{stem + ".pem", stem + ".key", password, std::move(certificate)});
    }
}

void Demo::make_level(std::size_t index, Authority& authority) {
    Level& level = levels_[index];
    NodePlan plan;
    plan.directory = level.directory;
    plan.config = level.config;
    plan.hosts = {"127.0.0.1"};
    plan.anchors = {authority.certificate()};
    for (const Participant& participant : kParticipants) {
        if (index == 0 || participant.everywhere) {
            plan.enrolments.push_back(
                {participant.person ? storage::AccountKind::person : storage::AccountKind::machine,
                 participant.role,
                 {identities_.at(participant.variable).certificate},
                 {}});
        }
    }
    if (index > 0) {
        plan.enrolments.push_back({storage::AccountKind::platform,
                                   "platform",
                                   levels_[index - 1].certificates,
                                   {kDepartment.code, kSecondDepartment.code}});
    }
    level.made = make_node(plan);
    const auto install = [&](const std::string& request_path, const std::string& name) {
        const std::string document = read_file(request_path);
        const auto request = crypto::parse_request(as_bytes(document));
        auto certificate = authority.issue(request->subject, request->public_key, request->hosts, kDays);
        write_file(level.directory + "/state/certificates/" + name, certificate.to_pem());
        level.certificates.push_back(std::move(certificate));
    };
    install(level.made.tls_request, "tls.pem");
    install(level.made.parcel_request, "parcel.pem");
    // For senders one file each, as `openssl cms -recip` takes them; for the node both.
    std::string both;
    for (const auto& [request_path, path] :
         {std::pair(level.made.envelope_requests.at(0), level.envelope_path()),
          std::pair(level.made.envelope_requests.at(1), level.envelope_rsa_path())}) {
        const std::string document = read_file(request_path);
        const auto request = crypto::parse_request(as_bytes(document));
        const auto certificate = authority.issue(request->subject, request->public_key, {}, kDays, true);
        write_file(path, certificate.to_pem());
        both += certificate.to_pem();
    }
    write_file(level.directory + "/state/certificates/envelope.pem", both);
}

void Demo::start_and_wait() {
    const std::string supervisor = program_directory() + "/xinfud";
    std::vector<int> pids;
    try {
        for (const Level& level : levels_) {
            pids.push_back(start_detached({supervisor, "run", "--config", level.directory + "/xinfu.yaml", "--pid-file",
                                           level.directory + "/pids"},
                                          level.directory + "/xinfud.log"));
        }
        const auto until = std::chrono::steady_clock::now() + kReadyLimit;
        for (std::size_t i = 0; i < levels_.size(); ++i) {
            while (!answers_ok(levels_[i].metrics_port, "/readyz")) {
                if (!is_running(pids[i]) || std::chrono::steady_clock::now() > until) {
                    throw Stop{
                        Exit::unreachable,
                        {"the " + levels_[i].name + " did not start: see " + levels_[i].directory + "/xinfud.log",
                         levels_[i].name + " 未能启动：请查看 " + levels_[i].directory + "/xinfud.log"},
                        {}};
                }
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
        }
        std::vector<std::exception_ptr> failures(levels_.size());
        {
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < levels_.size(); ++i) {
                threads.emplace_back([&, i] {
                    try {
                        set_passwords(levels_[i]);
                    } catch (...) {
                        failures[i] = std::current_exception();
                    }
                });
            }
        }
        for (const std::exception_ptr& failure : failures) {
            if (failure) {
                std::rethrow_exception(failure);
            }
        }
    } catch (...) {
        end_processes(pids, kEndLimit);
        throw;
    }
}

// Every person's first login, as each would do it.
void Demo::set_passwords(const Level& level) const {
    for (const Participant& participant : kParticipants) {
        if (!participant.person) {
            continue;
        }
        const Identity& identity = identities_.at(participant.variable);
        NodeApi({.url = level.url(),
                 .ca = directory_ + "/ca/ca.pem",
                 .cert = identity.certificate_path,
                 .key = identity.key_path,
                 .password_file = {}})
            .open_session({}, identity.password);
    }
}

void Demo::write_environment() const {
    std::string text;
    const auto set = [&](const std::string& name, const std::string& value) {
        std::string quoted;
        for (const char c : value) {
            quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
        }
        text += "XINFU_" + name + "='" + quoted + "'\n";
    };
    for (const Level& level : levels_) {
        set(level.variable + "_URL", level.url());
        set(level.variable + "_LOG_KEY", level.made.log_key);
        set(level.variable + "_STATE", level.directory + "/state");
        set(level.variable + "_ENVELOPE", level.envelope_path());
        set(level.variable + "_ENVELOPE_RSA", level.envelope_rsa_path());
        if (level.variable != "CITY") {
            set(level.variable + "_WITNESS_KEY", level.made.witness_key);
        }
    }
    set("CA", directory_ + "/ca/ca.pem");
    for (const auto& [variable, identity] : identities_) {
        set(variable + "_CERT", identity.certificate_path);
        set(variable + "_KEY", identity.key_path);
        if (!identity.password.empty()) {
            set(variable + "_PASSWORD", identity.password);
        }
    }
    set("CITY_PIDS", levels_[0].directory + "/pids");
    set("SAMPLE_PENALTIES", directory_ + "/samples/penalties.csv");
    set("SAMPLE_LICENCES", directory_ + "/samples/licences.csv");
    write_file(directory_ + "/env", text, 0600);
}

void Demo::up() {
    std::error_code ignored;
    if (exists(directory_) && !std::filesystem::is_empty(directory_, ignored)) {
        throw Stop{Exit::refused, {directory_ + " is not empty", directory_ + " 不是空目录"}, {}};
    }
    make_directory(directory_);
    Authority authority = Authority::create(directory_ + "/ca", "Xinfu demo authority", 10 * kDays);
    make_identities(authority);
    make_directory(directory_ + "/samples");
    write_file(directory_ + "/samples/penalties.csv", sample_penalties(kDepartment.code, kDepartment.name));
    write_file(directory_ + "/samples/licences.csv", sample_licences(kDepartment.code, kDepartment.name));

    const std::vector<int> ports = free_ports(2 * levels_.size());
    static constexpr std::array<std::pair<const char*, const char*>, 3> kNames{
        {{"city", "CITY"}, {"province", "PROVINCE"}, {"nation", "NATION"}}};
    for (std::size_t i = 0; i < levels_.size(); ++i) {
        Level& level = levels_[i];
        level.name = kNames[i].first;
        level.variable = kNames[i].second;
        level.directory = directory_ + "/" + level.name;
        level.port = ports[2 * i];
        level.metrics_port = ports[2 * i + 1];
        level.config.node = level.name;
        level.config.gateway.listen = {"127.0.0.1:" + std::to_string(level.port)};
        level.config.gateway.metrics = "127.0.0.1:" + std::to_string(level.metrics_port);
        // Everybody who tries the demo out has the same address, scripts open a connection a file, and load programs
        // keep as many open as one address may have by default.
        level.config.gateway.limits.connections_per_source = 256;
        level.config.gateway.limits.handshakes_per_source_minute = 100'000;
        level.config.vault.map_size_bytes = std::uint64_t{16} << 30;
        level.config.vault.disk_reserve_bytes = std::uint64_t{128} << 20;
        level.config.courier.retry_min_ms = std::chrono::milliseconds(100);
        level.config.courier.retry_max_ms = std::chrono::milliseconds(2000);
        level.config.supervisor.restart_delay_ms = std::chrono::milliseconds(0);
        make_level(i, authority);
    }
    for (std::size_t i = 0; i + 1 < levels_.size(); ++i) {
        const Level& upper = levels_[i + 1];
        config::Route route{.name = upper.name,
                            .level = upper.name,
                            .node = upper.name,
                            .url = upper.url(),
                            .anchors = "certificates/route-" + upper.name + ".pem",
                            .log_key = upper.made.log_key,
                            .witness_key = upper.made.witness_key,
                            .envelope = "certificates/envelope-" + upper.name + ".pem",
                            .onward = {}};
        for (std::size_t further = i + 2; further < levels_.size(); ++further) {
            route.onward.push_back({levels_[further].name, levels_[further].name, levels_[further].made.log_key});
        }
        write_file(levels_[i].directory + "/state/" + route.anchors, authority.certificate().to_pem());
        write_file(levels_[i].directory + "/state/" + route.envelope, read_file(upper.envelope_path()));
        levels_[i].config.routes.push_back(std::move(route));
        levels_[i + 1].config.witnessed.push_back({levels_[i].name, levels_[i].made.log_key});
    }
    for (const Level& level : levels_) {
        write_configuration(level.directory, level.config);
    }
    start_and_wait();
    write_environment();
}

}  // namespace

void demo_up(const std::string& directory) {
    Demo(directory).up();
}

void demo_down(const std::string& directory) {
    // By configuration file, not by a remembered id: whoever restarted a node by hand is found as well.
    std::vector<int> pids;
    for (const char* level : {"city", "province", "nation"}) {
        const std::string configuration = absolute(directory) + "/" + level + "/xinfu.yaml";
        const auto found = find_processes("xinfud", configuration);
        pids.insert(pids.end(), found.begin(), found.end());
    }
    end_processes(pids, kEndLimit);
}

}  // namespace xinfu::client
