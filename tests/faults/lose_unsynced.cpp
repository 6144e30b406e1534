// A power cut's second half: lose_unsynced STATE nothing|everything|even|odd, once the node's processes are gone.
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "tests/faults/unsynced_changes.hpp"

int main(int argc, char** argv) {
    using xinfu::faults::Loss;
    const std::string_view wanted = argc == 3 ? argv[2] : "";
    for (const auto& [name, loss] : {std::pair<std::string_view, Loss>("nothing", Loss::nothing),
                                     {"everything", Loss::everything},
                                     {"even", Loss::even},
                                     {"odd", Loss::odd}}) {
        if (name == wanted) {
            const std::string state = argv[1];
            std::printf("%zu\n", xinfu::faults::lose_unsynced(state + "/faults/unsynced", state, loss));
            return 0;
        }
    }
    std::fprintf(stderr, "usage: lose_unsynced STATE nothing|everything|even|odd\n");
    return 2;
}
