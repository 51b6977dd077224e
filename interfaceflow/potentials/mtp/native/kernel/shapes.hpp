// Part of the kernel (kernel_body.hpp): which monomials each radial function is multiplied with.
//
// The monomials x^a y^b z^c up to a degree are in the order of three nested loops, a outermost and ascending, c
// innermost. A Shape tells the degree of each radial function. Those of the usual levels are types, and the compiler
// lays out their loops one by one; any other potential runs through the same code with degrees in memory.
namespace mtp {
namespace MTP_KERNEL {
namespace {

constexpr int n_monomials(int degree) { return (degree + 1) * (degree + 2) * (degree + 3) / 6; }

template <int... list>
struct FixedShape {
  static constexpr int n_functions = sizeof...(list);
  static constexpr int degrees[] = {list...};
  static constexpr int degree(int mu) { return degrees[mu]; }
  static bool fits(const ModelView& m) {
    if (m.n_radial_functions != n_functions) return false;
    for (int mu = 0; mu < n_functions; ++mu)
      if (m.degree[mu] != degrees[mu]) return false;
    return true;
  }
};

struct AnyShape {
  int n_functions;
  const int* degrees;
  int degree(int mu) const { return degrees[mu]; }
};

// Calls work with the model's shape.
template <class Work>
MTP_INLINE void with_shape(const ModelView& m, const Work& work) {
  using Level6 = FixedShape<1, 0>;
  using Level8 = FixedShape<2, 0>;
  using Level10 = FixedShape<3, 1, 0>;
  using Level12 = FixedShape<4, 2, 0>;
  using Level14 = FixedShape<5, 3, 1, 0>;
  using Level16 = FixedShape<6, 4, 2, 0>;
  using Level18 = FixedShape<7, 5, 3, 1, 0>;
  using Level20 = FixedShape<8, 6, 4, 2, 0>;
  if (Level6::fits(m)) return work(Level6{});
  if (Level8::fits(m)) return work(Level8{});
  if (Level10::fits(m)) return work(Level10{});
  if (Level12::fits(m)) return work(Level12{});
  if (Level14::fits(m)) return work(Level14{});
  if (Level16::fits(m)) return work(Level16{});
  if (Level18::fits(m)) return work(Level18{});
  if (Level20::fits(m)) return work(Level20{});
  work(AnyShape{m.n_radial_functions, m.degree});
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
