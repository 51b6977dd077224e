// Part of the kernel (kernel_body.hpp): vectors of lanes, and the memory of one batch.
namespace mtp {
namespace MTP_KERNEL {
namespace {

#define MTP_INLINE inline __attribute__((always_inline))

typedef MTP_REAL real;
constexpr int lanes = MTP_LANES;
typedef real vec __attribute__((vector_size(lanes * sizeof(real))));
typedef double wide __attribute__((vector_size(lanes * sizeof(double))));

// Neighbours that share one pass over the moments: on the way to them, and on the way back.
constexpr int tile = MTP_TILE;
constexpr int back_tile = MTP_BACK_TILE;
constexpr int max_functions = 100;
constexpr int max_chebyshev = 128;

MTP_INLINE vec splat(real value) { return value - vec{}; }

// Arguments and results are in double precision, whatever is computed in between.
MTP_INLINE wide load_wide(const double* from) {
  wide out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
MTP_INLINE void store_wide(double* to, wide value) { __builtin_memcpy(to, &value, sizeof value); }
MTP_INLINE vec load(const double* from) { return __builtin_convertvector(load_wide(from), vec); }
MTP_INLINE void store(double* to, vec value) { store_wide(to, __builtin_convertvector(value, wide)); }

MTP_INLINE vec square_root(vec value) {
  vec out;
  for (int l = 0; l < lanes; ++l) out[l] = __builtin_sqrt(value[l]);
  return out;
}

MTP_INLINE vec not_positive(vec value) { return value > 0 ? vec{} : value; }

inline void clear(vec* values, int n) {
  for (int i = 0; i < n; ++i) values[i] = vec{};
}

// Tiles may begin at any slot, so there is room for a whole one behind the last.
int padded(int n_slots) { return (n_slots + 2 * tile - 1) / tile * tile; }

inline const Coefficients<double>& numbers_of(const ModelView& m, double) { return m.in_double; }
inline const Coefficients<float>& numbers_of(const ModelView& m, float) { return m.in_single; }
inline const Coefficients<real>& numbers(const ModelView& m) { return numbers_of(m, real{}); }

// The scratch memory, divided up. Slots are padded to whole tiles.
struct Work {
  vec *x, *y, *z;                   // [slot]: unit vector
  vec *length, *inverse_length;     // [slot]: distance and its inverse
  vec *value, *slope;               // [slot][radial function]: f and df/dr
  vec *by_value, *by_slope;         // [slot][radial function]: derivatives of the functional with respect to these
  vec *chebyshev, *chebyshev_slope; // [slot][Chebyshev]
  vec *along;                       // [slot]: the distance's rate of change
  vec *turn;                        // [slot][x, y, z]: the unit vector's
  vec *moment, *adjoint;            // [moment]
  vec *rate, *rate_adjoint;         // [moment]
  vec *support_adjoint;             // [entry of ModelView::made_of]; of the basic ones only
  vec *jacobian;                    // [basic moment][x, y, z]
};

struct Divider {
  vec* next;
  vec* take(long n) {
    vec* out = next;
    next += n;
    return out;
  }
};

Work divide(const ModelView& m, int n_slots, Scratch scratch, long* size = nullptr) {
  const long slots = padded(n_slots);
  Divider divider{static_cast<vec*>(scratch)};
  Work w;
  w.x = divider.take(slots);
  w.y = divider.take(slots);
  w.z = divider.take(slots);
  w.length = divider.take(slots);
  w.inverse_length = divider.take(slots);
  w.value = divider.take(slots * m.n_radial_functions);
  w.slope = divider.take(slots * m.n_radial_functions);
  w.by_value = divider.take(slots * m.n_radial_functions);
  w.by_slope = divider.take(slots * m.n_radial_functions);
  w.chebyshev = divider.take(slots * m.n_chebyshev);
  w.chebyshev_slope = divider.take(slots * m.n_chebyshev);
  w.along = divider.take(slots);
  w.turn = divider.take(3 * slots);
  w.moment = divider.take(m.n_moments);
  w.adjoint = divider.take(m.n_moments);
  w.rate = divider.take(m.n_moments);
  w.rate_adjoint = divider.take(m.n_moments);
  w.support_adjoint = divider.take(m.n_made_of);
  w.jacobian = divider.take(3L * m.basic_begin[m.n_radial_functions]);
  if (size) *size = divider.next - static_cast<vec*>(scratch);
  return w;
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
