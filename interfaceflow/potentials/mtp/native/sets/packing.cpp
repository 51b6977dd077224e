// Building a ConfigurationSet: neighbour lists, then the layout the kernel reads.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "../core/errors.hpp"
#include "configuration_set.hpp"

namespace mtp {

namespace {
constexpr std::size_t atoms_per_block = 256;
}

ConfigurationSet::ConfigurationSet(const std::vector<Structure>& structures, double cutoff)
    : cutoff_(cutoff), lanes_(kernel().lanes) {
  if (!(cutoff > 0.0 && std::isfinite(cutoff))) throw InputError("cutoff is " + std::to_string(cutoff) + ", it must be positive");
  offsets_.push_back(0);
  std::set<int> known;
  for (std::size_t c = 0; c < structures.size(); ++c) {
    types_.insert(types_.end(), structures[c].types.begin(), structures[c].types.end());
    configuration_of_atom_.resize(types_.size(), static_cast<int>(c));
    known.insert(structures[c].types.begin(), structures[c].types.end());
    offsets_.push_back(types_.size());
  }
  configuration_of_atom_.push_back(0);
  known_types_.assign(known.begin(), known.end());
  minimum_distances_.assign(known_types_.size() * known_types_.size(), std::numeric_limits<double>::infinity());

  std::size_t first = 0;
  std::vector<Neighbour> neighbours;
  std::vector<std::size_t> begin;
  for (std::size_t c = 0; c < structures.size(); ++c) {
    if (c == first) {
      neighbours.clear();
      begin.clear();
    } else {
      begin.pop_back();
    }
    const std::vector<std::size_t> own =
        find_neighbours(structures[c], cutoff, "configuration " + std::to_string(c), neighbours);
    begin.insert(begin.end(), own.begin(), own.end());
    // Neighbours are numbered within their configuration; within the set from here on.
    for (std::size_t k = own.front(); k < own.back(); ++k) neighbours[k].atom += static_cast<int>(offsets_[c]);
    if (offsets_[c + 1] - offsets_[first] >= atoms_per_block || c + 1 == structures.size()) {
      pack_block(first, c + 1, neighbours, begin, offsets_[first]);
      first = c + 1;
    }
  }
}

void ConfigurationSet::pack_block(std::size_t first, std::size_t last, const std::vector<Neighbour>& neighbours,
                                  const std::vector<std::size_t>& begin, std::size_t first_atom) {
  const std::size_t n_types = known_types_.size();
  const std::size_t n_lanes = static_cast<std::size_t>(lanes_);
  const int nobody = static_cast<int>(n_atoms());
  const auto type_of = [this](int atom) {
    return static_cast<std::size_t>(std::lower_bound(known_types_.begin(), known_types_.end(), types_[atom]) -
                                    known_types_.begin());
  };
  Block block{first, last, groups_.size(), 0};
  for (std::size_t central = 0; central < n_types; ++central) {
    std::vector<int> members;
    for (std::size_t atom = offsets_[first]; atom < offsets_[last]; ++atom)
      if (type_of(static_cast<int>(atom)) == central) members.push_back(static_cast<int>(atom));
    for (std::size_t at = 0; at < members.size(); at += n_lanes) {
      const std::size_t n = std::min(n_lanes, members.size() - at);
      // Each lane's neighbours by type.
      std::vector<std::vector<const Neighbour*>> sorted(n * n_types);
      std::vector<std::size_t> width(n_types, 0);
      for (std::size_t lane = 0; lane < n; ++lane) {
        const std::size_t local = static_cast<std::size_t>(members[at + lane]) - first_atom;
        for (std::size_t k = begin[local]; k < begin[local + 1]; ++k) {
          const std::size_t type = type_of(neighbours[k].atom);
          sorted[lane * n_types + type].push_back(&neighbours[k]);
          const Vector3& d = neighbours[k].vector;
          double& least = minimum_distances_[central * n_types + type];
          least = std::min(least, std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]));
        }
        for (std::size_t type = 0; type < n_types; ++type)
          width[type] = std::max(width[type], sorted[lane * n_types + type].size());
      }
      Group group{static_cast<int>(central), atom_of_lane_.size(), neighbour_.size() / n_lanes, 0, segments_.size()};
      for (std::size_t lane = 0; lane < n_lanes; ++lane) atom_of_lane_.push_back(lane < n ? members[at + lane] : nobody);
      int slot = 0;
      for (std::size_t type = 0; type < n_types; ++type) {
        segments_.push_back(slot);
        slot += static_cast<int>(width[type]);
        for (std::size_t k = 0; k < width[type]; ++k)
          for (std::size_t lane = 0; lane < n_lanes; ++lane) {
            const bool there = lane < n && k < sorted[lane * n_types + type].size();
            const Neighbour* neighbour = there ? sorted[lane * n_types + type][k] : nullptr;
            neighbour_.push_back(there ? neighbour->atom : members[at + std::min(lane, n - 1)]);
            x_.push_back(there ? neighbour->vector[0] : cutoff_);
            y_.push_back(there ? neighbour->vector[1] : 0.0);
            z_.push_back(there ? neighbour->vector[2] : 0.0);
          }
      }
      segments_.push_back(slot);
      group.n_slots = slot;
      groups_.push_back(group);
    }
  }
  block.last_group = groups_.size();
  blocks_.push_back(block);
}

}  // namespace mtp
