// Reading and writing the numbers and words of MLIP's text files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mtp {

// Walks over a file's content and names file and line in every complaint.
class Scanner {
 public:
  Scanner(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  // Throws FileError: "FILE, line N: WHAT".
  [[noreturn]] void fail(const std::string& what) const;

  // Skips white space; true where nothing else follows.
  bool at_end();
  // The next token without taking it: one of "{},=" or a run of other characters without white space; empty at the end.
  std::string_view peek();
  std::string_view token(const char* field);
  // The next run of characters without white space, punctuation included.
  std::string_view word(const char* field);
  void expect(std::string_view wanted, const char* field);
  // What is left of the current line, without surrounding white space.
  std::string rest_of_line();
  // The raw text up to the end of the current line.
  std::string_view raw_line();

  double number(const char* field);
  long long integer(const char* field, long long least, long long most);

  void skip_past(char mark, const char* field);
  std::string_view raw(std::size_t n_bytes, const char* field);
  std::size_t remaining() const { return text_.size() - position_; }

 private:
  std::string_view text_;
  std::string file_;
  std::size_t position_ = 0;
};

// A piece of a file for a message: quoted, cut off, and without what a terminal could not show.
std::string shown(std::string_view text);
// A comment from a file as UTF-8; a byte that is none becomes the replacement character.
std::string readable(std::string_view text);

// "%.15e" and the like, appended.
void append_scientific(std::string& out, double value, int precision);
void append_fixed(std::string& out, double value, int precision, int width);

// The content of a file; throws FileError.
std::string read_file(const std::string& path);

}  // namespace mtp
