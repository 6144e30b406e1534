// DistinguishedName: the attributes of a certificate's subject that Xinfu reads and writes. UTF-8, empty: absent.
//
// Sources: X.520 (country, organization, commonName, serialNumber, organizationIdentifier 2.5.4.97).
#pragma once

#include <string>

namespace xinfu::crypto {

struct DistinguishedName {
    std::string country;       // two letters, "CN"
    std::string organization;  // a unit's name
    std::string common_name;
    std::string organization_identifier;  // 2.5.4.97: a unit's unified social credit code
    std::string serial_number;            // 2.5.4.5: a unit's code where the above is absent; a person's number
};

}  // namespace xinfu::crypto
