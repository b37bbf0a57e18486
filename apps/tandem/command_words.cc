#include "command_words.h"

#include "tandem/base/text.h"
#include "tandem/model/problem/problem.h"
#include "vendor.h"

namespace tandem::app {
namespace {

/// Where a command line stands after some words.
struct Level {
  const CLI::App* command;
  std::size_t positionals = 0;           ///< given at this level so far
  const CLI::Option* pending = nullptr;  ///< an option that waits for its value
};

std::vector<const CLI::App*> subcommands(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
}

std::vector<const CLI::Option*> positionals(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

/// Names of options at a level: its own, and the global ones, which may stand anywhere.
std::vector<std::string> options(const CLI::App& root, const CLI::App& command) {
  std::vector<std::string> out;
  for (const CLI::App* level : {&command, &root})
    for (const CLI::Option* option : level->get_options())
      for (const std::string& name : option->get_lnames())
        if (std::find(out.begin(), out.end(), "--" + name) == out.end()) out.push_back("--" + name);
  return out;
}

/// The option that a word such as "--time" or "--time=5s" names here or above.
const CLI::Option* find_option(const CLI::App& command, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  for (const CLI::App* level = &command; level != nullptr; level = level->get_parent())
    if (const CLI::Option* found = level->get_option_no_throw(name)) return found;
  return nullptr;
}

std::string hint(const std::string& word, const std::vector<std::string>& known) {
  return did_you_mean(word, std::vector<std::string_view>(known.begin(), known.end()));
}

std::string stray_option(const CLI::App& root, const CLI::App& command, const std::string& word) {
  return fmt::format("there is no option {}{}{}", quote(word),
                     &command == &root ? "" : fmt::format(" of '{}'", command.get_name()),
                     hint(word.substr(0, word.find('=')), options(root, command)));
}

std::string stray_command(const CLI::App& root, const CLI::App& command, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::App* sub : subcommands(command)) known.push_back(sub->get_name());
  const std::string near = hint(word, known);
  return fmt::format("there is no command {}{}{}", quote(word),
                     &command == &root ? "" : fmt::format(" of '{}'", command.get_name()),
                     near.empty() ? fmt::format("; there are {}", fmt::join(known, ", ")) : near);
}

/// Goes on by one word; says why it means nothing, when it does not.
std::string step(const CLI::App& root, Level& level, const std::string& word) {
  if (word == "=" || word == "--") return {};  // bash takes --time=5s apart into three words
  if (level.pending != nullptr) {
    level.pending = nullptr;
    return {};
  }
  if (word.size() > 1 && word.front() == '-') {
    const CLI::Option* option = find_option(*level.command, word);
    if (option == nullptr) return stray_option(root, *level.command, word);
    if (option->get_items_expected_min() > 0 && word.find('=') == std::string::npos) level.pending = option;
    return {};
  }
  for (const CLI::App* sub : level.command->get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name() != word) continue;
    level = {.command = sub};
    return {};
  }
  ++level.positionals;
  if (level.positionals <= positionals(*level.command).size() || subcommands(*level.command).empty()) return {};
  return stray_command(root, *level.command, word);
}

/// What an option or an argument takes, where that is known.
void add_values(const CLI::Option& option, std::vector<std::string>& out) {
  const std::string type = option.get_type_name();
  if (type == "FILE" || type == "DIR") out.push_back(kFilesWord);
  if (option.get_name(true) == "VENDOR")
    for (std::string& name : vendor_names()) out.push_back(std::move(name));
  if (option.get_name(true) != "PROBLEM") return;
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  for (const std::string_view name : problems.names()) out.emplace_back(name);
}

}  // namespace

std::vector<std::string> words_after(const CLI::App& root, const std::vector<std::string>& before) {
  Level level{.command = &root};
  for (const std::string& word : before) step(root, level, word);
  std::vector<std::string> out;
  if (level.pending != nullptr) {
    add_values(*level.pending, out);
    return out;
  }
  if (level.positionals == 0)
    for (const CLI::App* sub : subcommands(*level.command)) out.push_back(sub->get_name());
  if (const auto arguments = positionals(*level.command); level.positionals < arguments.size())
    add_values(*arguments[level.positionals], out);
  const std::vector<std::string> names = options(root, *level.command);
  out.insert(out.end(), names.begin(), names.end());
  return out;
}

std::string stray_word(const CLI::App& root, const std::vector<std::string>& words) {
  Level level{.command = &root};
  for (const std::string& word : words)
    if (std::string why = step(root, level, word); !why.empty()) return why;
  return {};
}

}  // namespace tandem::app
