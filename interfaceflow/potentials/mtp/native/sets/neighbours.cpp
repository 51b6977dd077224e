#include "neighbours.hpp"

#include <algorithm>
#include <cmath>

#include "../core/errors.hpp"

namespace mtp {

namespace {

constexpr double most_images = 1e5;           // of one atom
constexpr double largest_coordinate = 1e8;   // A; differences of larger ones are no longer exact

Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

double length(const Vector3& a) { return std::sqrt(dot(a, a)); }

Vector3 scaled(const Vector3& a, double factor) { return {a[0] * factor, a[1] * factor, a[2] * factor}; }

// The cell with the vectors of directions without periodicity replaced by unit vectors across the others.
std::array<Vector3, 3> completed_cell(const Structure& s, const std::string& where) {
  std::array<Vector3, 3> cell = s.cell;
  std::array<bool, 3> known = s.periodic;
  for (int a = 0; a < 3; ++a)
    if (known[a] && !(length(cell[a]) > 1e-6))
      throw InputError(where + ": the cell vector " + std::to_string(a) + " of a periodic direction is zero");
  for (int a = 0; a < 3; ++a) {
    if (known[a]) continue;
    const int b = (a + 1) % 3, c = (a + 2) % 3;
    Vector3 across{};
    if (known[b] && known[c]) {
      across = cross(cell[b], cell[c]);
    } else if (known[b] || known[c]) {
      const Vector3& other = known[b] ? cell[b] : cell[c];
      int flattest = 0;
      for (int k = 1; k < 3; ++k)
        if (std::fabs(other[k]) < std::fabs(other[flattest])) flattest = k;
      Vector3 unit{};
      unit[flattest] = 1.0;
      across = cross(other, unit);
    } else {
      across[a] = 1.0;
    }
    if (!(length(across) > 0.0)) throw InputError(where + ": the periodic cell vectors are linearly dependent");
    cell[a] = scaled(across, 1.0 / length(across));
    known[a] = true;
  }
  return cell;
}

struct Image {
  int atom;
  Vector3 position;
};

// The atoms wrapped into the cell, and those images of them that can lie within the cutoff of one in the cell.
struct Surroundings {
  std::vector<Vector3> home;
  std::vector<Image> images;
};

Surroundings surroundings_of(const Structure& s, double cutoff, const std::string& where) {
  const std::size_t n_atoms = s.types.size();
  const std::array<Vector3, 3> cell = completed_cell(s, where);
  const double volume = dot(cell[0], cross(cell[1], cell[2]));
  if (!(std::fabs(volume) > 1e-9 * length(cell[0]) * length(cell[1]) * length(cell[2])))
    throw InputError(where + ": the periodic cell vectors are linearly dependent");
  std::array<Vector3, 3> reciprocal;
  std::array<double, 3> reach{};  // the cutoff in fractional coordinates
  std::array<int, 3> n_images{};
  double images = 1.0;
  for (int a = 0; a < 3; ++a) {
    reciprocal[a] = scaled(cross(cell[(a + 1) % 3], cell[(a + 2) % 3]), 1.0 / volume);
    reach[a] = cutoff * length(reciprocal[a]);
    images *= s.periodic[a] ? 2.0 * std::ceil(reach[a]) + 1.0 : 1.0;
  }
  if (!(images < most_images))
    throw InputError(where + ": the periodic cell is so thin that an atom has more than " +
                     std::to_string(static_cast<long>(most_images)) + " images near; are its vectors in Angstrom?");
  for (int a = 0; a < 3; ++a) n_images[a] = s.periodic[a] ? static_cast<int>(std::ceil(reach[a])) : 0;

  Surroundings out{s.positions, {}};
  std::vector<Vector3> fractional(n_atoms);
  for (std::size_t i = 0; i < n_atoms; ++i)
    for (int a = 0; a < 3; ++a) {
      fractional[i][a] = dot(s.positions[i], reciprocal[a]);
      if (!s.periodic[a]) continue;
      const double turns = std::floor(fractional[i][a]);
      fractional[i][a] -= turns;
      for (int b = 0; b < 3; ++b) out.home[i][b] -= turns * cell[a][b];
    }
  for (int i0 = -n_images[0]; i0 <= n_images[0]; ++i0)
    for (int i1 = -n_images[1]; i1 <= n_images[1]; ++i1)
      for (int i2 = -n_images[2]; i2 <= n_images[2]; ++i2) {
        const std::array<int, 3> shift = {i0, i1, i2};
        for (std::size_t i = 0; i < n_atoms; ++i) {
          bool near = true;
          for (int a = 0; a < 3; ++a) {
            const double f = fractional[i][a] + shift[a];
            near = near && (!s.periodic[a] || (f >= -reach[a] - 1e-9 && f <= 1.0 + reach[a] + 1e-9));
          }
          if (!near) continue;
          Vector3 position = out.home[i];
          for (int a = 0; a < 3; ++a)
            for (int b = 0; b < 3; ++b) position[b] += shift[a] * cell[a][b];
          out.images.push_back({static_cast<int>(i), position});
        }
      }
  return out;
}

// Images sorted into boxes at least a cutoff wide, so that neighbours are in the same box or the next.
class Boxes {
 public:
  Boxes(const std::vector<Image>& images, double cutoff) {
    Vector3 high = images.front().position;
    low_ = high;
    for (const Image& image : images)
      for (int a = 0; a < 3; ++a) {
        low_[a] = std::min(low_[a], image.position[a]);
        high[a] = std::max(high[a], image.position[a]);
      }
    for (int a = 0; a < 3; ++a) {
      n_[a] = static_cast<int>(std::clamp((high[a] - low_[a]) / cutoff, 1.0, 100.0));
      width_[a] = std::max((high[a] - low_[a]) / n_[a], 1e-12) * (1.0 + 1e-12);
    }
    members_.resize(static_cast<std::size_t>(n_[0]) * static_cast<std::size_t>(n_[1]) * static_cast<std::size_t>(n_[2]));
    for (std::size_t k = 0; k < images.size(); ++k) {
      const Vector3& x = images[k].position;
      members_[index(box_of(x, 0), box_of(x, 1), box_of(x, 2))].push_back(static_cast<int>(k));
    }
  }

  // Calls visit(k) for each image k that may lie within the cutoff of a position.
  template <class Visit>
  void visit_near(const Vector3& position, const Visit& visit) const {
    std::array<int, 3> from{}, to{};
    for (int a = 0; a < 3; ++a) {
      from[a] = std::max(box_of(position, a) - 1, 0);
      to[a] = std::min(box_of(position, a) + 1, n_[a] - 1);
    }
    for (int x = from[0]; x <= to[0]; ++x)
      for (int y = from[1]; y <= to[1]; ++y)
        for (int z = from[2]; z <= to[2]; ++z)
          for (const int k : members_[index(x, y, z)]) visit(static_cast<std::size_t>(k));
  }

 private:
  int box_of(const Vector3& position, int a) const {
    return std::clamp(static_cast<int>((position[a] - low_[a]) / width_[a]), 0, n_[a] - 1);
  }
  std::size_t index(int x, int y, int z) const {
    return (static_cast<std::size_t>(x) * static_cast<std::size_t>(n_[1]) + static_cast<std::size_t>(y)) *
               static_cast<std::size_t>(n_[2]) +
           static_cast<std::size_t>(z);
  }

  Vector3 low_{}, width_{};
  std::array<int, 3> n_{};
  std::vector<std::vector<int>> members_;
};

void check(const Structure& s, const std::string& where) {
  const auto bounded = [](const Vector3& v) {
    return std::all_of(v.begin(), v.end(), [](double x) { return std::fabs(x) < largest_coordinate; });
  };
  if (s.positions.size() != s.types.size())
    throw InputError(where + ": " + std::to_string(s.types.size()) + " types but " + std::to_string(s.positions.size()) +
                     " positions");
  for (std::size_t i = 0; i < s.positions.size(); ++i)
    if (!bounded(s.positions[i]))
      throw InputError(where + ": the position of atom " + std::to_string(i) + " is not finite, or beyond 1e8 Angstrom");
  for (const Vector3& row : s.cell)
    if (!bounded(row)) throw InputError(where + ": the cell is not finite, or beyond 1e8 Angstrom");
}

}  // namespace

std::vector<std::size_t> find_neighbours(const Structure& s, double cutoff, const std::string& where,
                                         std::vector<Neighbour>& out) {
  check(s, where);
  const std::size_t n_atoms = s.types.size();
  std::vector<std::size_t> begin(n_atoms + 1, out.size());
  if (n_atoms == 0) return begin;
  const Surroundings around = surroundings_of(s, cutoff, where);
  const Boxes boxes(around.images, cutoff);
  for (std::size_t i = 0; i < n_atoms; ++i) {
    begin[i] = out.size();
    boxes.visit_near(around.home[i], [&](std::size_t k) {
      const Image& image = around.images[k];
      Vector3 d;
      for (int a = 0; a < 3; ++a) d[a] = image.position[a] - around.home[i][a];
      const double distance_squared = dot(d, d);
      if (!(distance_squared < cutoff * cutoff)) return;
      if (distance_squared >= 1e-12)
        out.push_back({image.atom, d});
      else if (image.atom != static_cast<int>(i))
        throw InputError(where + ": atoms " + std::to_string(i) + " and " + std::to_string(image.atom) +
                         " are at the same place");
    });
  }
  begin[n_atoms] = out.size();
  return begin;
}

}  // namespace mtp
