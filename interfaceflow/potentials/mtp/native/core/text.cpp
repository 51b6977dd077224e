#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "errors.hpp"

namespace mtp {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_punctuation(char c) { return c == '{' || c == '}' || c == ',' || c == '='; }

std::string shown(std::string_view text) {
  std::string out = "'";
  for (char c : text.substr(0, 40)) out += (c >= ' ' && c < 127) ? c : '?';
  return out + (text.size() > 40 ? "...'" : "'");
}

}  // namespace

void Scanner::fail(const std::string& what) const {
  const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(position_), '\n');
  throw FileError(file_ + ", line " + std::to_string(line) + ": " + what);
}

bool Scanner::at_end() {
  while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  return position_ == text_.size();
}

std::string_view Scanner::peek() {
  if (at_end()) return {};
  std::size_t end = position_;
  if (is_punctuation(text_[end])) return text_.substr(position_, 1);
  while (end < text_.size() && !is_space(text_[end]) && !is_punctuation(text_[end])) ++end;
  return text_.substr(position_, end - position_);
}

std::string_view Scanner::token(const char* field) {
  const std::string_view found = peek();
  if (found.empty()) fail(std::string("the file ends where ") + field + " should be; it is truncated");
  position_ += found.size();
  return found;
}

std::string_view Scanner::word(const char* field) {
  if (at_end()) fail(std::string("the file ends where ") + field + " should be; it is truncated");
  const std::size_t begin = position_;
  while (position_ < text_.size() && !is_space(text_[position_])) ++position_;
  return text_.substr(begin, position_ - begin);
}

void Scanner::expect(std::string_view wanted, const char* field) {
  const std::string_view next = peek();
  if (next != wanted)
    fail(std::string("expected '") + std::string(wanted) + "' in " + field + ", found " +
         (next.empty() ? "the end of the file; it is truncated" : shown(next)));
  position_ += wanted.size();
}

std::string_view Scanner::raw_line() {
  const std::size_t begin = position_;
  while (position_ < text_.size() && text_[position_] != '\n') ++position_;
  std::string_view line = text_.substr(begin, position_ - begin);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string Scanner::rest_of_line() {
  std::string_view line = raw_line();
  while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
  return std::string(line);
}

double Scanner::number(const char* field) {
  const std::string_view found = token(field);
  const char* begin = found.data() + (found.front() == '+' ? 1 : 0);
  const char* end = found.data() + found.size();
  double value = 0.0;
  const auto result = std::from_chars(begin, end, value);
  if (result.ec == std::errc::result_out_of_range && result.ptr == end) {
    // Too small to be represented reads as zero; too large is an error, below.
    value = std::strtod(std::string(found).c_str(), nullptr);
  } else if (result.ec != std::errc() || result.ptr != end) {
    position_ -= found.size();
    fail(std::string(field) + " should be a number, found " + shown(found));
  }
  if (!std::isfinite(value)) fail(std::string(field) + " is " + shown(found) + ", not a finite number");
  return value;
}

long long Scanner::integer(const char* field, long long least, long long most) {
  const std::string_view found = token(field);
  long long value = 0;
  const auto result = std::from_chars(found.data(), found.data() + found.size(), value);
  if (result.ec != std::errc() || result.ptr != found.data() + found.size())
    fail(std::string(field) + " should be a whole number, found " + shown(found));
  if (value < least || value > most)
    fail(std::string(field) + " is " + std::to_string(value) + ", allowed is " + std::to_string(least) + " to " +
         std::to_string(most));
  return value;
}

void Scanner::skip_past(char mark, const char* field) {
  const std::size_t found = text_.find(mark, position_);
  if (found == std::string_view::npos) fail(std::string("the file ends before ") + field + "; it is truncated");
  position_ = found + 1;
}

std::string_view Scanner::raw(std::size_t n_bytes, const char* field) {
  if (remaining() < n_bytes)
    fail(std::string("the file is truncated in ") + field + ": " + std::to_string(n_bytes) + " bytes expected, " +
         std::to_string(remaining()) + " found");
  const std::string_view bytes = text_.substr(position_, n_bytes);
  position_ += n_bytes;
  return bytes;
}

void append_scientific(std::string& out, double value, int precision) {
  char buffer[64];
  const int n = std::snprintf(buffer, sizeof buffer, "%.*e", precision, value);
  out.append(buffer, static_cast<std::size_t>(n));
}

void append_fixed(std::string& out, double value, int precision, int width) {
  char buffer[400];
  const int n = std::snprintf(buffer, sizeof buffer, "%*.*f", width, precision, value);
  out.append(buffer, static_cast<std::size_t>(n));
}

std::string read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw FileError(path + ": cannot be opened (" + std::strerror(errno) + ")");
  std::string content;
  char buffer[1 << 16];
  std::size_t n = 0;
  while ((n = std::fread(buffer, 1, sizeof buffer, file.get())) > 0) content.append(buffer, n);
  if (std::ferror(file.get())) throw FileError(path + ": cannot be read (" + std::strerror(errno) + ")");
  return content;
}

}  // namespace mtp
