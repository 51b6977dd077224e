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
namespace portable_mixed {
extern const Kernel kernel;
}
#ifdef MTP_X86_KERNELS
namespace avx2 {
extern const Kernel kernel;
}
namespace avx2_mixed {
extern const Kernel kernel;
}
namespace avx512 {
extern const Kernel kernel;
}
namespace avx512_mixed {
extern const Kernel kernel;
}
#endif

namespace {

struct Precisions {
  const Kernel *in_double, *mixed;
};

const std::vector<Precisions>& runnable() {
  static const std::vector<Precisions> kernels = [] {
    std::vector<Precisions> found;
#ifdef MTP_X86_KERNELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      found.push_back({&avx512::kernel, &avx512_mixed::kernel});
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back({&avx2::kernel, &avx2_mixed::kernel});
#endif
    found.push_back({&portable::kernel, &portable_mixed::kernel});
    return found;
  }();
  return kernels;
}

const Precisions& choose() {
  const char* wanted = std::getenv("INTERFACEFLOW_SIMD");
  if (!wanted || !*wanted) return runnable().front();
  std::string names;
  for (const Precisions& candidate : runnable()) {
    const char* name = candidate.in_double->name;
    if (std::string(wanted) == name) return candidate;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw std::invalid_argument("INTERFACEFLOW_SIMD is '" + std::string(wanted) + "'; this machine can run: " + names);
}

const Precisions& chosen() {
  static const Precisions& kernels = choose();
  return kernels;
}

}  // namespace

const Kernel& kernel() { return *chosen().in_double; }
const Kernel& mixed_kernel() { return *chosen().mixed; }

int n_kernels() { return static_cast<int>(runnable().size()); }
const Kernel& kernel_at(int index) { return *runnable().at(static_cast<std::size_t>(index)).in_double; }

}  // namespace mtp
