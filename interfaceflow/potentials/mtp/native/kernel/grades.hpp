// Part of the kernel (kernel_body.hpp): extrapolation grades of many atoms, a matrix product and a maximum.
namespace mtp {
namespace MTP_KERNEL {
namespace {

MTP_INLINE wide magnitude(wide value) { return value < 0.0 ? -value : value; }
MTP_INLINE wide larger(wide a, wide b) { return a > b ? a : b; }

// Columns of the inverse that are summed at once, for `groups` batches, all in registers.
constexpr int columns = MTP_LANES == 8 ? 8 : 4;

template <int groups>
void grades_of(int n_rows, int n_columns, const double* rows, const double* inverse, double* result) {
  wide best[groups];
  for (int g = 0; g < groups; ++g) best[g] = wide{};
  const long stride = static_cast<long>(n_rows) * lanes;
  for (int column = 0; column < n_columns; column += columns) {
    wide sum[groups][columns];
    for (int g = 0; g < groups; ++g)
      for (int k = 0; k < columns; ++k) sum[g][k] = wide{};
    for (int c = 0; c < n_rows; ++c) {
      const double* coefficients = inverse + static_cast<long>(c) * n_columns + column;
      for (int g = 0; g < groups; ++g) {
        const wide value = load_wide(rows + g * stride + c * lanes);
        for (int k = 0; k < columns; ++k) sum[g][k] += value * coefficients[k];
      }
    }
    for (int g = 0; g < groups; ++g)
      for (int k = 0; k < columns; ++k) best[g] = larger(best[g], magnitude(sum[g][k]));
  }
  for (int g = 0; g < groups; ++g) store_wide(result + g * lanes, best[g]);
}

void grades(int n_groups, int n_rows, int n_columns, const double* rows, const double* inverse, double* result) {
  for (int g = 0; g < n_groups; g += 2) {
    const double* own = rows + static_cast<long>(g) * n_rows * lanes;
    if (g + 1 < n_groups)
      grades_of<2>(n_rows, n_columns, own, inverse, result + g * lanes);
    else
      grades_of<1>(n_rows, n_columns, own, inverse, result + g * lanes);
  }
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
