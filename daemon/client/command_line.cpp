#include "daemon/client/command_line.hpp"

#include <cstdio>

#include <CLI/CLI.hpp>

#include "daemon/client/json.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {

int run_command_line(int argc, const char* const* argv) {
    CLI::App app("Xinfu: hand in, verify, run a node", "xinfu");
    app.set_version_flag("--version", "xinfu " XINFU_VERSION);
    app.require_subcommand(1);
    Chosen chosen;
    add_init_verb(app, chosen);
    add_authority_verbs(app, chosen);
    add_hand_in_verbs(app, chosen);
    add_envelope_verbs(app, chosen);
    add_evidence_verbs(app, chosen);
    add_search_verb(app, chosen);
    add_trace_verb(app, chosen);
    add_node_verbs(app, chosen);
    add_quality_verb(app, chosen);
    add_account_verbs(app, chosen);
    add_paths_verbs(app, chosen);
    add_policy_verbs(app, chosen);
    add_explain_verb(app, chosen);
    add_demo_verbs(app, chosen);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : static_cast<int>(Exit::usage);
    }
    try {
        return static_cast<int>(chosen.run());
    } catch (const Stop& stop) {
        const std::string code = stop.code.empty() ? "" : stop.code + " ";
        std::fputs(("xinfu: " + code + in_language(stop.text) + "\n").c_str(), stderr);
        if (chosen.json) {
            const json::object problem{{"exit", static_cast<int>(stop.exit)},
                                       {"code", stop.code},
                                       {"detail", stop.text.en},
                                       {"detail_zh", stop.text.zh}};
            std::puts(json::serialize(problem).c_str());
        }
        return static_cast<int>(stop.exit);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "xinfu: %s\n", error.what());
        return static_cast<int>(Exit::unreachable);
    }
}

}  // namespace xinfu::client
