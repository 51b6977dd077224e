#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <locale>
#include <memory>
#include <sstream>

#include "errors.hpp"

namespace mtp {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_punctuation(char c) { return c == '{' || c == '}' || c == ',' || c == '='; }

// The length of the UTF-8 character at the start of the text (RFC 3629), 0 if there is none.
std::size_t character_length(std::string_view text) {
  const auto byte = [text](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  for (std::size_t k = 1; k < length; ++k)
    if ((byte(k) & 0xC0) != 0x80) return 0;
  // Spellings that are longer than needed, halves of UTF-16 pairs, and numbers beyond the last character.
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return length;
}

// A number beyond the range of double: zero if it is too small, infinite if it is too large.
double out_of_range(std::string_view number) {
  std::istringstream stream{std::string(number)};
  stream.imbue(std::locale::classic());
  double value = 0.0;
  stream >> value;
  return stream.fail() ? std::numeric_limits<double>::infinity() : value;
}

// std::to_chars and not printf, which would write a decimal comma where the program's locale has one.
void append_number(std::string& out, double value, std::chars_format format, int precision, int width) {
  char buffer[400];
  const char* end = std::to_chars(buffer, buffer + sizeof buffer, value, format, precision).ptr;
  const std::size_t n = static_cast<std::size_t>(end - buffer), wanted = static_cast<std::size_t>(width);
  if (n < wanted) out.append(wanted - n, ' ');
  out.append(buffer, n);
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out = "'";
  for (char c : text.substr(0, 40)) out += (c >= ' ' && c < 127) ? c : '?';
  return out + (text.size() > 40 ? "...'" : "'");
}

std::string readable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    out += length > 0 ? text.substr(0, length) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

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
    value = out_of_range(found);
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
  append_number(out, value, std::chars_format::scientific, precision, 0);
}

void append_fixed(std::string& out, double value, int precision, int width) {
  append_number(out, value, std::chars_format::fixed, precision, width);
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
