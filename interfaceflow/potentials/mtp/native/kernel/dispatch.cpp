// Which kernel runs: chosen once per process.
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel.hpp"

namespace mtp {

namespace portable {
extern const Kernel kernel;
}
#ifdef MTP_X86_KERNELS
namespace avx2 {
extern const Kernel kernel;
}
namespace avx512 {
extern const Kernel kernel;
}
#endif

namespace {

const std::vector<const Kernel*>& runnable() {
  static const std::vector<const Kernel*> kernels = [] {
    std::vector<const Kernel*> found;
#ifdef MTP_X86_KERNELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      found.push_back(&avx512::kernel);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(&avx2::kernel);
#endif
    found.push_back(&portable::kernel);
    return found;
  }();
  return kernels;
}

const Kernel& choose() {
  const char* wanted = std::getenv("INTERFACEFLOW_SIMD");
  if (!wanted || !*wanted) return *runnable().front();
  std::string names;
  for (const Kernel* candidate : runnable()) {
    if (std::string(wanted) == candidate->name) return *candidate;
    names += (names.empty() ? "" : ", ") + std::string(candidate->name);
  }
  throw std::invalid_argument("INTERFACEFLOW_SIMD is '" + std::string(wanted) + "'; this machine can run: " + names);
}

}  // namespace

const Kernel& kernel() {
  static const Kernel& chosen = choose();
  return chosen;
}

int n_kernels() { return static_cast<int>(runnable().size()); }
const Kernel& kernel_at(int index) { return *runnable().at(static_cast<std::size_t>(index)); }

}  // namespace mtp
