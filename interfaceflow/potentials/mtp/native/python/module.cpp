// The Python module interfaceflow.potentials.mtp._native; its contract is _native.pyi.
#include <cstring>
#include <exception>
#include <stdexcept>

#include "../kernel/kernel.hpp"
#include "arrays.hpp"

namespace {

void raise_as(const char* name, const char* text) {
  const pybind11::object type = pybind11::module_::import("interfaceflow.core.errors").attr(name);
  // A file's name need not be UTF-8.
  const auto message = pybind11::reinterpret_steal<pybind11::object>(
      PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "replace"));
  PyErr_SetObject(type.ptr(), message.ptr());
}

void translate(std::exception_ptr failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const mtp::FileError& error) {
    raise_as("DataFileError", error.what());
  } catch (const mtp::InputError& error) {
    raise_as("UserInputError", error.what());
  } catch (const std::invalid_argument& error) {
    raise_as("UserInputError", error.what());
  }
}

}  // namespace

PYBIND11_MODULE(_native, module) {
  module.doc() = "Moment tensor potentials: the compiled core.";
  pybind11::register_exception_translator(translate);
  module.def("simd_name", [] { return std::string(mtp::kernel().name); });
  module.def("simd_names", [] {
    std::vector<std::string> names;
    for (int k = 0; k < mtp::n_kernels(); ++k) names.emplace_back(mtp::kernel_at(k).name);
    return names;
  });
  mtp::bind_configuration(module);
  mtp::bind_potential(module);
  mtp::bind_sets(module);
}
