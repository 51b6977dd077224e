// NumPy arrays in and out.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstring>
#include <string>
#include <vector>

#include "../core/configuration.hpp"
#include "../core/errors.hpp"

namespace mtp {

namespace py = pybind11;

using InArray = py::array_t<double, py::array::c_style | py::array::forcecast>;
using InIntegers = py::array_t<long long, py::array::c_style | py::array::forcecast>;
using Shape = std::vector<py::ssize_t>;

inline std::string text_of(const Shape& shape) {
  std::string out = "(";
  for (const py::ssize_t n : shape) out += (n < 0 ? "any" : std::to_string(n)) + ",";
  return out + ")";
}

// Refuses an array of another shape; -1 allows any length.
template <class Array>
void need_shape(const Array& array, const Shape& wanted, const std::string& name) {
  Shape found(array.shape(), array.shape() + array.ndim());
  bool good = found.size() == wanted.size();
  for (std::size_t k = 0; good && k < wanted.size(); ++k) good = wanted[k] < 0 || wanted[k] == found[k];
  if (!good) throw InputError(name + " has the shape " + text_of(found) + ", expected is " + text_of(wanted));
}

template <class T>
py::array_t<T> array_of(const T* data, const Shape& shape) {
  py::array_t<T> out(shape);
  if (out.size() > 0) std::memcpy(out.mutable_data(), data, sizeof(T) * static_cast<std::size_t>(out.size()));
  return out;
}

// Hands a vector's memory to NumPy.
inline py::array_t<double> array_owning(std::vector<double>&& values, const Shape& shape) {
  auto* kept = new std::vector<double>(std::move(values));
  const py::capsule owner(kept, [](void* memory) { delete static_cast<std::vector<double>*>(memory); });
  return py::array_t<double>(shape, kept->data(), owner);
}

inline std::vector<double> vector_of(const InArray& array, const Shape& shape, const std::string& name) {
  need_shape(array, shape, name);
  return std::vector<double>(array.data(), array.data() + array.size());
}

inline int integer_of(long long value, const std::string& name) {
  if (value < -2147483647LL || value > 2147483647LL) throw InputError(name + " holds " + std::to_string(value) + ", too large");
  return static_cast<int>(value);
}

inline std::vector<int> integers_of(const InIntegers& array, const std::string& name) {
  need_shape(array, {-1}, name);
  std::vector<int> out;
  for (py::ssize_t i = 0; i < array.size(); ++i) out.push_back(integer_of(array.data()[i], name));
  return out;
}

inline std::vector<Vector3> vectors_of(const InArray& array, py::ssize_t n, const std::string& name) {
  need_shape(array, {n, 3}, name);
  std::vector<Vector3> out(static_cast<std::size_t>(n));
  if (n > 0) std::memcpy(out.data(), array.data(), sizeof(Vector3) * out.size());
  return out;
}

inline py::array_t<double> array_of_vectors(const std::vector<Vector3>& values) {
  return array_of(reinterpret_cast<const double*>(values.data()), {static_cast<py::ssize_t>(values.size()), 3});
}

// The path of a str, bytes or os.PathLike, as the system spells it.
inline std::string path_of(const py::object& path) {
  return py::bytes(py::module_::import("os").attr("fsencode")(path));
}

void bind_configuration(py::module_& module);
void bind_potential(py::module_& module);
void bind_sets(py::module_& module);

}  // namespace mtp
