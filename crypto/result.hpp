// Result: a value, or the error_code that explains its absence.
#pragma once

#include <boost/system/result.hpp>

namespace xinfu {

// Boost's own result may be ignored silently; this one may not.
template <class T>
class [[nodiscard]] Result : public boost::system::result<T> {
public:
    using boost::system::result<T>::result;
};

}  // namespace xinfu
