// The two failures of this library; the Python binding turns them into the package's own errors.
#pragma once

#include <stdexcept>
#include <string>

namespace mtp {

// A file is missing, truncated, damaged or of another kind.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// An argument cannot be used.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace mtp
