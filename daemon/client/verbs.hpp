// Verbs: each adds itself to the command line and, when chosen, leaves what is to be done.
#pragma once

#include <functional>

#include "daemon/client/text.hpp"

namespace CLI {
class App;
}

namespace xinfu::client {

struct Chosen {
    std::function<Exit()> run;
    bool json = false;  // errors as JSON, too
};

void add_account_verbs(CLI::App& app, Chosen& chosen);    // account, request
void add_authority_verbs(CLI::App& app, Chosen& chosen);  // ca
void add_demo_verbs(CLI::App& app, Chosen& chosen);       // demo
void add_envelope_verbs(CLI::App& app, Chosen& chosen);   // envelope
void add_evidence_verbs(CLI::App& app, Chosen& chosen);   // receipt, log
void add_explain_verb(CLI::App& app, Chosen& chosen);     // explain
void add_hand_in_verbs(CLI::App& app, Chosen& chosen);    // push, check
void add_init_verb(CLI::App& app, Chosen& chosen);        // init
void add_node_verbs(CLI::App& app, Chosen& chosen);       // status, sync, records, password
void add_paths_verbs(CLI::App& app, Chosen& chosen);      // paths
void add_policy_verbs(CLI::App& app, Chosen& chosen);     // policy
void add_quality_verb(CLI::App& app, Chosen& chosen);     // quality
void add_search_verb(CLI::App& app, Chosen& chosen);      // log search; after the evidence verbs
void add_trace_verb(CLI::App& app, Chosen& chosen);       // trace

}  // namespace xinfu::client
