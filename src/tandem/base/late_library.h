// tandem/base/late_library.h - shared libraries that most processes never need, opened when they are.
//
// Room: base. A linked library takes memory and start-up time of every process, and with it all that it links in turn: for libpq and
// libcurl some forty. Not for C++ libraries, whose classes and tables the program refers to when it starts. Source: dlopen(3).
#pragma once

#include <atomic>

#include "tandem/base/result.h"

namespace tandem {

/// Threads: every method is safe to call concurrently. Stays open until the process ends.
class LateLibrary {
 public:
  /// `file`: with the number of its binary interface, as the headers have it that the program was built with. `newest`: a function that
  /// versions have not that are too old. `package`: of Debian, for people. All three live as long as the process.
  constexpr LateLibrary(const char* file, const char* newest, const char* package)
      : file_(file), newest_(newest), package_(package) {}
  LateLibrary(const LateLibrary&) = delete;
  LateLibrary& operator=(const LateLibrary&) = delete;

  /// Before the first of its functions is called. Errors: 1049 library_missing; 1048 too_many_open_files.
  Result<void> open();
  /// It is open, and has it.
  void* function(const char* name) const;

 private:
  const char* file_;
  const char* newest_;
  const char* package_;
  std::atomic<void*> handle_ = nullptr;
};

/// The place of a function, looked for once.
class LateAddress {
 public:
  constexpr LateAddress(const LateLibrary& library, const char* name) : library_(library), name_(name) {}
  template <typename Pointer>
  Pointer as() const {
    void* found = found_.load(std::memory_order_relaxed);
    if (found == nullptr) found_.store(found = library_.function(name_), std::memory_order_relaxed);
    return reinterpret_cast<Pointer>(found);
  }

 private:
  const LateLibrary& library_;
  const char* name_;
  mutable std::atomic<void*> found_ = nullptr;
};

/// Called as the function itself would be.
template <typename Function>
class LateFunction;

template <typename Value, typename... Parameters>
class LateFunction<Value(Parameters...)> {
 public:
  constexpr LateFunction(const LateLibrary& library, const char* name) : address_(library, name) {}
  Value operator()(Parameters... arguments) const { return address_.as<Value (*)(Parameters...)>()(arguments...); }

 private:
  LateAddress address_;
};

template <typename Value, typename... Parameters>
class LateFunction<Value(Parameters..., ...)> {
 public:
  constexpr LateFunction(const LateLibrary& library, const char* name) : address_(library, name) {}
  template <typename... More>
  Value operator()(Parameters... arguments, More... more) const {
    return address_.as<Value (*)(Parameters..., ...)>()(arguments..., more...);
  }

 private:
  LateAddress address_;
};

}  // namespace tandem

/// In the namespace of a part: calls of `name` there go to the library `library` when they are made.
#define TANDEM_LATE_FUNCTION(library, name) \
  inline constinit const ::tandem::LateFunction<decltype(::name)> name(library, #name)
