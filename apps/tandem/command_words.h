// apps/tandem/command_words.h - what the words of a command line mean at their level: for completion, and for the words that mean nothing.
//
// Threads: reads the commands only; one thread. Errors: none.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tandem::app {

/// Stands among the words where a file may be named: the shell completes those itself.
inline constexpr const char* kFilesWord = "<files>";

/// What may follow `before`: subcommands, options, known values, and kFilesWord.
std::vector<std::string> words_after(const CLI::App& root, const std::vector<std::string>& before);

/// "there is no command 'runn', did you mean 'run'?": the first word that means nothing at its level; empty when each means something.
std::string stray_word(const CLI::App& root, const std::vector<std::string>& words);

}  // namespace tandem::app
