#include "grade_table.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace mtp {

namespace {

constexpr std::size_t panel = grade_panel;
std::size_t padded(std::size_t n) { return (n + panel - 1) / panel * panel; }
std::size_t place_in_panels(std::size_t n_rows, std::size_t row, std::size_t column) {
  return (column / panel * n_rows + row) * panel + column % panel;
}

// Dense, row by row.
struct Matrix {
  std::size_t n_rows, n_columns;
  std::vector<double> values;
  Matrix(std::size_t rows, std::size_t columns) : n_rows(rows), n_columns(columns), values(rows * columns, 0.0) {}
  double& at(std::size_t i, std::size_t j) { return values[i * n_columns + j]; }
  double at(std::size_t i, std::size_t j) const { return values[i * n_columns + j]; }
};

// Rows chosen from a matrix, and every other row as a combination of them.
struct RowBasis {
  std::vector<std::size_t> basis, others;
  Matrix combinations;  // [other][basis row]
};

// Gaussian elimination with complete pivoting, so that no multiplier is larger than 1.
RowBasis basis_of_rows(Matrix rows) {
  const std::size_t n = rows.n_rows, most = std::min(n, rows.n_columns);
  std::vector<std::size_t> place(n);  // rows in the order of their pivots, then those without one
  std::iota(place.begin(), place.end(), 0);
  Matrix multipliers(n, most);
  std::size_t rank = 0;
  for (double first_pivot = 0.0; rank < most; ++rank) {
    std::size_t pivot_row = rank, pivot_column = 0;
    for (std::size_t i = rank; i < n; ++i)
      for (std::size_t j = 0; j < rows.n_columns; ++j)
        if (std::fabs(rows.at(place[i], j)) > std::fabs(rows.at(place[pivot_row], pivot_column))) {
          pivot_row = i;
          pivot_column = j;
        }
    std::swap(place[rank], place[pivot_row]);
    const double pivot = rows.at(place[rank], pivot_column);
    if (rank == 0) first_pivot = std::fabs(pivot);
    if (!(std::fabs(pivot) > 1e-14 * first_pivot)) break;
    multipliers.at(place[rank], rank) = 1.0;
    for (std::size_t i = rank + 1; i < n; ++i) {
      const double multiplier = rows.at(place[i], pivot_column) / pivot;
      multipliers.at(place[i], rank) = multiplier;
      if (multiplier == 0.0) continue;
      for (std::size_t j = 0; j < rows.n_columns; ++j) rows.at(place[i], j) -= multiplier * rows.at(place[rank], j);
      rows.at(place[i], pivot_column) = 0.0;
    }
  }
  RowBasis out{{place.begin(), place.begin() + static_cast<std::ptrdiff_t>(rank)},
               {place.begin() + static_cast<std::ptrdiff_t>(rank), place.end()},
               Matrix(n - rank, rank)};
  // Row = multipliers . reduced pivot rows, and pivot rows = unit triangle . reduced ones: solve for the triangle.
  for (std::size_t i = 0; i < out.others.size(); ++i)
    for (std::size_t k = rank; k-- > 0;) {
      double value = multipliers.at(out.others[i], k);
      for (std::size_t l = k + 1; l < rank; ++l) value -= out.combinations.at(i, l) * multipliers.at(out.basis[l], k);
      out.combinations.at(i, k) = value;
    }
  return out;
}

// Columns of the inverse that belong to rows of the active set about atoms of one other species. A row of this species has
// zeros where that species' radial coefficients are, and that ties some of the columns' products to the rest of them.
struct Tie {
  std::vector<std::size_t> free, bound;
  Matrix factors;  // product of a bound column = sum over free ones of product * factor [free][bound]
};

// The species of each row of the active set; none for rows without radial coefficients. No value at all where a row has
// those of several species, as rows of configurations have.
std::optional<std::vector<int>> species_of_rows(const Selection& s, std::size_t n, std::size_t n_species,
                                                std::size_t per_species) {
  std::vector<int> out(n, -1);
  for (std::size_t row = 0; row < n; ++row)
    for (std::size_t c = 0; c < n_species * per_species; ++c) {
      if (s.matrix[row * n + c] == 0.0) continue;
      const int species = static_cast<int>(c / per_species);
      if (out[row] >= 0 && out[row] != species) return std::nullopt;
      out[row] = species;
    }
  return out;
}

Tie tie_of(const Selection& s, std::size_t n, const std::vector<std::size_t>& columns, std::size_t first_coefficient,
           std::size_t per_species) {
  Matrix rows(columns.size(), per_species);
  for (std::size_t i = 0; i < columns.size(); ++i)
    for (std::size_t c = 0; c < per_species; ++c) rows.at(i, c) = s.matrix[columns[i] * n + first_coefficient + c];
  const RowBasis found = basis_of_rows(std::move(rows));
  Tie tie{{}, {}, Matrix(found.others.size(), found.basis.size())};
  for (const std::size_t i : found.others) tie.free.push_back(columns[i]);
  for (const std::size_t i : found.basis) tie.bound.push_back(columns[i]);
  for (std::size_t k = 0; k < tie.factors.values.size(); ++k) tie.factors.values[k] = -found.combinations.values[k];
  return tie;
}

// Whether the tie gives the products that the inverse gives, for the rows of the active set about atoms of `central`.
bool holds(const Tie& tie, const Selection& s, std::size_t n, const std::vector<int>& species, int central) {
  constexpr double tolerance = 1e-7;
  const auto product = [&s, n](std::size_t row, std::size_t column) {
    double sum = 0.0;
    for (std::size_t c = 0; c < n; ++c) sum += s.matrix[row * n + c] * s.inverse[c * n + column];
    return sum;
  };
  for (std::size_t row = 0; row < n; ++row) {
    if (species[row] != central) continue;
    std::vector<double> of_free;
    for (const std::size_t column : tie.free) of_free.push_back(product(row, column));
    for (std::size_t k = 0; k < tie.bound.size(); ++k) {
      double expected = 0.0;
      for (std::size_t i = 0; i < tie.free.size(); ++i) expected += of_free[i] * tie.factors.at(i, k);
      if (!(std::fabs(product(row, tie.bound[k]) - expected) < tolerance)) return false;
    }
  }
  return true;
}

std::vector<Tie> ties_of(const Model& model, const Selection& s, std::size_t n, int central) {
  const std::size_t n_species = static_cast<std::size_t>(model.view().n_species);
  const std::size_t per_species = model.n_rows() - 1 - model.n_scalars();
  const std::optional<std::vector<int>> species = species_of_rows(s, n, n_species, per_species);
  std::vector<Tie> ties;
  if (!species) return ties;
  for (std::size_t other = 0; other < n_species; ++other) {
    if (static_cast<int>(other) == central) continue;
    std::vector<std::size_t> columns;
    for (std::size_t k = 0; k < n; ++k)
      if ((*species)[k] == static_cast<int>(other)) columns.push_back(k);
    Tie tie = tie_of(s, n, columns, other * per_species, per_species);
    if (holds(tie, s, n, *species, central)) ties.push_back(std::move(tie));
  }
  return ties;
}

}  // namespace

GradeTable::GradeTable(const Model& model, const Selection& selection, int central) {
  const std::vector<int> own = model.coefficients_of(central);
  const std::size_t n = static_cast<std::size_t>(std::llround(std::sqrt(static_cast<double>(selection.inverse.size()))));
  const std::vector<Tie> ties = ties_of(model, selection, n, central);

  // Columns whose products are computed: first those in no tie, then the free ones of each tie.
  std::vector<bool> tied(n, false);
  for (const Tie& tie : ties)
    for (const std::vector<std::size_t>* columns : {&tie.free, &tie.bound})
      for (const std::size_t k : *columns) tied[k] = true;
  std::vector<std::size_t> columns;
  for (std::size_t k = 0; k < n; ++k)
    if (!tied[k]) columns.push_back(k);
  std::size_t bound_size = 0;
  for (const Tie& tie : ties) {
    const std::size_t n_bound = padded(tie.bound.size());
    blocks_.push_back({static_cast<int>(columns.size()), static_cast<int>(tie.free.size()), static_cast<int>(n_bound),
                       static_cast<long>(bound_size)});
    columns.insert(columns.end(), tie.free.begin(), tie.free.end());
    bound_size += tie.free.size() * n_bound;
  }
  const std::size_t n_direct = padded(columns.size());
  direct_.assign(own.size() * n_direct, 0.0);
  for (std::size_t row = 0; row < own.size(); ++row)
    for (std::size_t k = 0; k < columns.size(); ++k)
      direct_[place_in_panels(own.size(), row, k)] = selection.inverse[static_cast<std::size_t>(own[row]) * n + columns[k]];
  for (const Tie& tie : ties) {
    const std::size_t n_bound = padded(tie.bound.size()), begin = bound_.size();
    bound_.resize(begin + tie.free.size() * n_bound, 0.0);
    for (std::size_t i = 0; i < tie.free.size(); ++i)
      for (std::size_t k = 0; k < tie.bound.size(); ++k) bound_[begin + place_in_panels(tie.free.size(), i, k)] = tie.factors.at(i, k);
  }
  view_ = {static_cast<int>(own.size()), static_cast<int>(n_direct),      direct_.data(),
           static_cast<int>(blocks_.size()), blocks_.data(), bound_.data()};
}

std::vector<GradeTable> grade_tables(const Model& model, const Selection& selection) {
  std::vector<GradeTable> tables;
  tables.reserve(static_cast<std::size_t>(model.view().n_species));
  for (int central = 0; central < model.view().n_species; ++central) tables.emplace_back(model, selection, central);
  return tables;
}

}  // namespace mtp
