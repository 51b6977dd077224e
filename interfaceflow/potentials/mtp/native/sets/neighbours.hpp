// Neighbours of the atoms of one configuration, periodic images included.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "../core/configuration.hpp"

namespace mtp {

struct Neighbour {
  int atom;        // index of the neighbour
  Vector3 vector;  // from the central atom to it, A
};

// The neighbours of some atoms: those of atom i are neighbours[begin[i]] .. neighbours[begin[i + 1]].
struct NeighbourLists {
  std::vector<Neighbour> neighbours;
  std::vector<std::size_t> begin;
};

struct Structure {
  std::vector<int> types;
  std::vector<Vector3> positions;  // A
  std::array<Vector3, 3> cell;     // rows, A
  std::array<bool, 3> periodic;
};

// Appends each atom's neighbours closer than the cutoff to `out` and returns where each atom's list begins (one entry
// more than atoms). Throws InputError, with `where` in its text, if the structure cannot be used.
std::vector<std::size_t> find_neighbours(const Structure& structure, double cutoff, const std::string& where,
                                         std::vector<Neighbour>& out);

}  // namespace mtp
