// Demo: a city, a province and a nation on this machine, with everybody enrolled, as README and tests use
// them.
//
// Everything is made up: units of division 219900, which no place has.
// Errors:  Stop. demo_up() leaves nothing running when it fails.
#pragma once

#include <string>

namespace xinfu::client {

// The contract's section 6: returns when all three nodes are ready and every person has a password.
void demo_up(const std::string& directory);
// Ends the nodes whose configuration lies in the directory. The files stay.
void demo_down(const std::string& directory);

}  // namespace xinfu::client
