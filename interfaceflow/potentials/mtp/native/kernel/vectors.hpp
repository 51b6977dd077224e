// Part of the kernel (kernel_body.hpp): vectors of lanes, and the memory of one batch.
namespace mtp {
namespace MTP_KERNEL {
namespace {

constexpr int lanes = MTP_LANES;
constexpr int tile = 4;  // neighbours that share one pass over the moments
typedef double vec __attribute__((vector_size(lanes * 8)));

inline vec splat(double value) { return value - vec{}; }

inline vec load(const double* from) {
  vec out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}

inline void store(double* to, vec value) { __builtin_memcpy(to, &value, sizeof value); }

inline vec square_root(vec value) {
  vec out;
  for (int l = 0; l < lanes; ++l) out[l] = __builtin_sqrt(value[l]);
  return out;
}

inline vec magnitude(vec value) { return value < 0.0 ? -value : value; }
inline vec larger(vec a, vec b) { return a > b ? a : b; }
inline vec not_positive(vec value) { return value > 0.0 ? vec{} : value; }

// Tiles may begin at any slot, so there is room for a whole one behind the last.
int padded(int n_slots) { return (n_slots + 2 * tile - 1) / tile * tile; }

// The scratch memory, divided up. Slots are padded to whole tiles.
struct Work {
  vec *unit, *inverse_length;  // [slot][3], [slot]
  vec *value, *slope;          // [slot][radial function]: f and df/dr
  vec* monomial;               // [monomial][tile]
  vec* monomial_rate;          // the same, its derivative along a direction; or its adjoint
  vec *moment, *adjoint;       // [moment]
  vec *rate, *rate_adjoint;    // [moment]
};

struct Divider {
  vec* next;
  vec* take(long n) {
    vec* out = next;
    next += n;
    return out;
  }
};

Work divide(const ModelView& m, int n_slots, vec* scratch, long* size = nullptr) {
  const long slots = padded(n_slots);
  Divider divider{scratch};
  Work w;
  w.unit = divider.take(3 * slots);
  w.inverse_length = divider.take(slots);
  w.value = divider.take(slots * m.n_radial_functions);
  w.slope = divider.take(slots * m.n_radial_functions);
  w.monomial = divider.take(static_cast<long>(m.n_monomials) * tile);
  w.monomial_rate = divider.take(static_cast<long>(m.n_monomials) * tile);
  w.moment = divider.take(m.n_moments);
  w.adjoint = divider.take(m.n_moments);
  w.rate = divider.take(m.n_moments);
  w.rate_adjoint = divider.take(m.n_moments);
  if (size) *size = divider.next - scratch;
  return w;
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
