// Building a ConfigurationSet: neighbour lists, then the layout the kernel reads.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "../core/errors.hpp"
#include "configuration_set.hpp"

namespace mtp {

namespace {
constexpr std::size_t atoms_per_block = 128;
}

void PackedBlock::clear() {
  groups.clear();
  for (std::vector<int>* list : {&segments, &atom_of_lane, &neighbour}) list->clear();
  for (std::vector<double>* list : {&x, &y, &z}) list->clear();
}

std::size_t PackedBlock::n_bytes() const {
  return groups.size() * sizeof(Group) + (segments.size() + atom_of_lane.size() + neighbour.size()) * sizeof(int) +
         (x.size() + y.size() + z.size()) * sizeof(double);
}

ConfigurationSet::ConfigurationSet(std::vector<Structure> structures, double cutoff, std::size_t memory_limit)
    : cutoff_(cutoff), lanes_(kernel().lanes), structures_(std::move(structures)) {
  if (!(cutoff > 0.0 && std::isfinite(cutoff))) throw InputError("cutoff is " + std::to_string(cutoff) + ", it must be positive");
  offsets_.push_back(0);
  std::set<int> known;
  for (std::size_t c = 0; c < structures_.size(); ++c) {
    types_.insert(types_.end(), structures_[c].types.begin(), structures_[c].types.end());
    configuration_of_atom_.resize(types_.size(), static_cast<int>(c));
    known.insert(structures_[c].types.begin(), structures_[c].types.end());
    offsets_.push_back(types_.size());
  }
  known_types_.assign(known.begin(), known.end());
  minimum_distances_.assign(known_types_.size() * known_types_.size(), std::numeric_limits<double>::infinity());

  std::size_t first = 0, n_bytes = 0;
  NeighbourLists lists;
  PackedBlock packed;
  for (std::size_t c = 0; c < structures_.size(); ++c) {
    if (offsets_[c + 1] - offsets_[first] < atoms_per_block && c + 1 < structures_.size()) continue;
    Block block{first, c + 1, false, {}};
    find_block_neighbours(block, lists);
    note_distances(block, lists);
    packed.clear();
    pack(block, lists, packed);
    for (const Group& group : packed.groups) most_slots_ = std::max(most_slots_, group.n_slots);
    block.is_packed = n_bytes + packed.n_bytes() <= memory_limit;
    if (block.is_packed) {
      n_bytes += packed.n_bytes();
      block.packed = packed;  // a copy, which is no larger than it needs to be
      for (std::size_t k = first; k <= c; ++k) structures_[k] = {};
    }
    blocks_.push_back(std::move(block));
    first = c + 1;
  }
}

std::size_t ConfigurationSet::type_of(int atom) const {
  return static_cast<std::size_t>(std::lower_bound(known_types_.begin(), known_types_.end(), types_[static_cast<std::size_t>(atom)]) -
                                  known_types_.begin());
}

void ConfigurationSet::find_block_neighbours(const Block& block, NeighbourLists& lists) const {
  lists.neighbours.clear();
  lists.begin.assign(1, 0);
  for (std::size_t c = block.first_configuration; c < block.last_configuration; ++c) {
    lists.begin.pop_back();
    const std::vector<std::size_t> own =
        find_neighbours(structures_[c], cutoff_, "configuration " + std::to_string(c), lists.neighbours);
    lists.begin.insert(lists.begin.end(), own.begin(), own.end());
    // Neighbours are numbered within their configuration; within the set from here on.
    for (std::size_t k = own.front(); k < own.back(); ++k) lists.neighbours[k].atom += static_cast<int>(offsets_[c]);
  }
}

void ConfigurationSet::note_distances(const Block& block, const NeighbourLists& lists) {
  const std::size_t first_atom = offsets_[block.first_configuration];
  for (std::size_t atom = first_atom; atom < offsets_[block.last_configuration]; ++atom)
    for (std::size_t k = lists.begin[atom - first_atom]; k < lists.begin[atom - first_atom + 1]; ++k) {
      const Neighbour& n = lists.neighbours[k];
      double& least = minimum_distances_[type_of(static_cast<int>(atom)) * known_types_.size() + type_of(n.atom)];
      least = std::min(least, std::sqrt(n.vector[0] * n.vector[0] + n.vector[1] * n.vector[1] + n.vector[2] * n.vector[2]));
    }
}

void ConfigurationSet::pack(const Block& block, const NeighbourLists& lists, PackedBlock& out) const {
  const std::size_t n_types = known_types_.size(), n_lanes = static_cast<std::size_t>(lanes_);
  const std::size_t first_atom = offsets_[block.first_configuration];
  std::vector<std::vector<int>> members(n_types);
  for (std::size_t atom = first_atom; atom < offsets_[block.last_configuration]; ++atom)
    members[type_of(static_cast<int>(atom))].push_back(static_cast<int>(atom));
  std::vector<std::size_t> count(n_lanes * n_types), width(n_types);
  for (std::size_t central = 0; central < n_types; ++central)
    for (std::size_t at = 0; at < members[central].size(); at += n_lanes) {
      const std::size_t n = std::min(n_lanes, members[central].size() - at);
      const auto of_lane = [&](std::size_t lane, const auto& visit) {
        const std::size_t local = static_cast<std::size_t>(members[central][at + lane]) - first_atom;
        for (std::size_t k = lists.begin[local]; k < lists.begin[local + 1]; ++k)
          visit(lists.neighbours[k], type_of(lists.neighbours[k].atom));
      };
      std::fill(count.begin(), count.end(), 0);
      std::fill(width.begin(), width.end(), 0);
      for (std::size_t lane = 0; lane < n; ++lane)
        of_lane(lane, [&](const Neighbour&, std::size_t type) {
          width[type] = std::max(width[type], ++count[lane * n_types + type]);
        });

      Group group{static_cast<int>(central), out.atom_of_lane.size(), out.neighbour.size() / n_lanes, 0, out.segments.size()};
      for (std::size_t lane = 0; lane < n_lanes; ++lane) out.atom_of_lane.push_back(lane < n ? members[central][at + lane] : -1);
      for (std::size_t type = 0; type < n_types; ++type) {
        out.segments.push_back(group.n_slots);
        group.n_slots += static_cast<int>(width[type]);
      }
      out.segments.push_back(group.n_slots);
      const std::size_t size = out.neighbour.size() + static_cast<std::size_t>(group.n_slots) * n_lanes;
      out.neighbour.resize(size, members[central][at]);
      out.x.resize(size, cutoff_);
      out.y.resize(size, 0.0);
      out.z.resize(size, 0.0);
      std::fill(count.begin(), count.end(), 0);
      for (std::size_t lane = 0; lane < n; ++lane)
        of_lane(lane, [&](const Neighbour& neighbour, std::size_t type) {
          const std::size_t slot = static_cast<std::size_t>(out.segments[group.segments + type]) + count[lane * n_types + type]++;
          const std::size_t place = (group.first_slot + slot) * n_lanes + lane;
          out.neighbour[place] = neighbour.atom;
          out.x[place] = neighbour.vector[0];
          out.y[place] = neighbour.vector[1];
          out.z[place] = neighbour.vector[2];
        });
      out.groups.push_back(group);
    }
}

}  // namespace mtp
