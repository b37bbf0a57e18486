// apps/tandem/cmd_token.cc - token new: a token for a user, and the entry of the identity file that knows it.
#include <cstdio>

#include "cli.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

struct TokenRequest {
  std::string tenant;
  std::string user;
  std::vector<std::string> roles;
  std::vector<std::string> projects;
};

Result<int> make_token(Cli& cli, const TokenRequest& request) {
  identity::Principal who{.tenant = request.tenant, .user = request.user, .roles = {}, .projects = request.projects};
  TANDEM_TRY(identity::check_name("--tenant", who.tenant));
  TANDEM_TRY(identity::check_name("--user", who.user));
  for (const std::string& name : request.roles) {
    const auto role = identity::find_role(name);
    if (!role) {
      return fail_at("--role", errors::kValueOutOfRange, "there is no role {}; there are {}", quote(name),
                     identity::role_names());
    }
    who.roles.add(*role);
  }
  const identity::NewToken made = identity::new_token(cli.machine.rng);
  const std::string entry = identity::file_entry(made, who);
  // What would not be read back is refused here, where somebody sees it.
  TANDEM_TRY(identity::IdentityBook::parse("tokens:\n" + entry, "the new entry"));
  if (cli.json) {
    print_json({{"token", made.token}, {"sha256", made.sha256}, {"entry", entry}});
    return 0;
  }
  fmt::print("{}\n", made.token);
  std::fflush(stdout);
  fmt::print(
      stderr,
      "This is the only time that the token is shown: keep it in a file of mode 0400, and name that in\n"
      "client.credential. The server learns its hash from identity.file, under `tokens:`, at its next start:\n\n{}",
      entry);
  return 0;
}

}  // namespace

void add_token(CLI::App& app, Cli& cli) {
  CLI::App* token = app.add_subcommand("token", "tokens by which users and ticket systems are known");
  token->require_subcommand(1);
  CLI::App* command = token->add_subcommand(
      "new", "draw a token: it is printed once, and beside it the entry for identity.file, which has its hash only");
  auto request = std::make_shared<TokenRequest>();
  command->add_option("--tenant", request->tenant, "whose jobs the user sees")->required();
  command->add_option("--user", request->user, "name in events and approvals")->required();
  command
      ->add_option("--role", request->roles,
                   "submitter, approver, operator, auditor, admin, or ticket alone; again for more")
      ->required()
      ->delimiter(',');
  command->add_option("--project", request->projects, "only this project of the tenant; again for more")
      ->delimiter(',');
  command->callback([&cli, request] { cli.action = [&cli, request] { return make_token(cli, *request); }; });
}

}  // namespace tandem::app
