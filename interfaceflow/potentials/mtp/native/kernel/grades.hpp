// Part of the kernel (kernel_body.hpp): extrapolation grades of many atoms, a matrix product and a maximum.
namespace mtp {
namespace MTP_KERNEL {
namespace {

MTP_INLINE wide magnitude(wide value) { return value < 0.0 ? -value : value; }
MTP_INLINE wide larger(wide a, wide b) { return a > b ? a : b; }

// Batches whose products are summed at the same time, so that each number of the matrix is used that often.
constexpr int most_groups = 2;

// Products of rows [group][row][lane] with one panel [row][column] of a matrix.
template <int groups>
MTP_INLINE void multiply_panel(int n_rows, long stride, const double* rows, const double* panel,
                               wide (&sum)[groups][grade_panel]) {
  for (int g = 0; g < groups; ++g)
    for (int k = 0; k < grade_panel; ++k) sum[g][k] = wide{};
  for (int c = 0; c < n_rows; ++c, panel += grade_panel)
    for (int g = 0; g < groups; ++g) {
      const wide value = load_wide(rows + g * stride + static_cast<long>(c) * lanes);
      for (int k = 0; k < grade_panel; ++k) sum[g][k] += value * panel[k];
    }
}

template <int groups>
void grades_of(const GradeView& view, Scratch scratch, const double* rows, double* result) {
  const long stride = static_cast<long>(view.n_rows) * lanes, product_stride = static_cast<long>(view.n_direct) * lanes;
  double* products = static_cast<double*>(scratch);  // [group][direct column][lane]
  wide best[groups], poison[groups], sum[groups][grade_panel];
  for (int g = 0; g < groups; ++g) {
    best[g] = poison[g] = wide{};
    for (int c = 0; c < view.n_rows; ++c) poison[g] += 0.0 * load_wide(rows + g * stride + static_cast<long>(c) * lanes);
  }
  for (int k = 0; k < view.n_direct; k += grade_panel) {
    multiply_panel<groups>(view.n_rows, stride, rows, view.direct + static_cast<long>(k) * view.n_rows, sum);
    for (int g = 0; g < groups; ++g)
      for (int l = 0; l < grade_panel; ++l) {
        store_wide(products + g * product_stride + static_cast<long>(k + l) * lanes, sum[g][l]);
        best[g] = larger(best[g], magnitude(sum[g][l]));
      }
  }
  for (int block = 0; block < view.n_blocks; ++block) {
    const GradeBlock& b = view.blocks[block];
    for (int k = 0; k < b.n_bound; k += grade_panel) {
      multiply_panel<groups>(b.n_free, product_stride, products + static_cast<long>(b.first_free) * lanes,
                             view.bound + b.offset + static_cast<long>(k) * b.n_free, sum);
      for (int g = 0; g < groups; ++g)
        for (int l = 0; l < grade_panel; ++l) best[g] = larger(best[g], magnitude(sum[g][l]));
    }
  }
  for (int g = 0; g < groups; ++g) {
    const wide grade = best[g] + poison[g];
    store_wide(result + g * lanes, grade <= largest_grade ? grade : largest_grade - wide{});
  }
}

void grades(const GradeView& view, int n_groups, Scratch scratch, const double* rows, double* result) {
  for (int g = 0; g < n_groups; g += most_groups) {
    const double* own = rows + static_cast<long>(g) * view.n_rows * lanes;
    if (g + 1 < n_groups)
      grades_of<2>(view, scratch, own, result + g * lanes);
    else
      grades_of<1>(view, scratch, own, result + g * lanes);
  }
}

long grade_scratch_size(const GradeView& view) {
  return static_cast<long>(most_groups) * view.n_direct * lanes * static_cast<long>(sizeof(double));
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
