// Times as certificates and signatures carry them: whole seconds, UTC.
#pragma once

#include <chrono>

namespace xinfu::crypto {

using UtcSeconds = std::chrono::sys_seconds;

}  // namespace xinfu::crypto
