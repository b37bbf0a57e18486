#include "tandem/trust/identity/identity_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/seeded_rng.h"

namespace tandem::identity {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string file_with(std::string_view token, std::string_view rest) {
  return fmt::format("tokens:\n- sha256: \"{}\"\n{}", sha256(token).hex(), rest);
}
const std::string kBody = "  tenant: acme\n  user: ann\n  roles: [submitter, auditor]\n  projects: [pilot]\n";

TEST(IdentityBook, a_token_stands_for_who_the_file_says) {
  const auto book = IdentityBook::parse(file_with("tdm_ann", kBody), "identity.yaml");
  ASSERT_THAT(book, Succeeds());
  const Principal ann{
      .tenant = "acme", .user = "ann", .roles = {Role::kSubmitter, Role::kAuditor}, .projects = {"pilot"}};
  EXPECT_EQ(*book->find("tdm_ann", Timestamp{0}).value(), ann);
  EXPECT_EQ(ann.actor(), "user:ann");
  EXPECT_FALSE(book->is_open());
}

TEST(IdentityBook, no_other_text_is_a_token_not_even_its_hash) {
  const auto book = IdentityBook::parse(file_with("tdm_ann", kBody), "identity.yaml");
  ASSERT_THAT(book, Succeeds());
  for (const std::string& text : {std::string(), std::string("tdm_anna"), std::string("tdm_an"), std::string("TDM_ANN"),
                                  sha256("tdm_ann").hex(), std::string(IdentityBook::kTokenBytesMax + 1, 'x')})
    EXPECT_THAT(book->find(text, Timestamp{0}), FailsWith(errors::kNotAuthenticated)) << text;
}

TEST(IdentityBook, without_a_file_everybody_is_the_local_user_whatever_he_sends) {
  const IdentityBook book = IdentityBook::open_to_all();
  for (const char* token : {"", "tdm_any"}) {
    const PrincipalPtr local = book.find(token, Timestamp{0}).value();
    EXPECT_EQ(local->actor(), "user:local");
    EXPECT_EQ(local->tenant, "default");
    for (int i = 0; i <= static_cast<int>(Permission::kObserve); ++i)
      EXPECT_TRUE(local->may(static_cast<Permission>(i))) << i;
  }
}

TEST(IdentityBook, a_token_is_nobodys_from_the_moment_it_expires) {
  const auto book =
      IdentityBook::parse(file_with("t", kBody + "  expires_at: 1970-01-01T00:00:10Z\n"), "identity.yaml");
  ASSERT_THAT(book, Succeeds());
  EXPECT_THAT(book->find("t", Timestamp{9'999'999}), Succeeds());
  const auto late = book->find("t", Timestamp{10'000'000});
  EXPECT_THAT(late, FailsWith(errors::kNotAuthenticated));
  EXPECT_EQ(late.error().message, book->find("nobody's", Timestamp{0}).error().message);
}

TEST(IdentityBook, what_is_wrong_with_a_file_is_said_with_its_line) {
  struct Case {
    std::string text;
    ErrorNumber number;
    std::string place;
  };
  const std::string hash(64, 'a');
  const std::string entry = "tokens:\n- sha256: \"" + hash + "\"\n";
  const std::vector<Case> cases = {
      {"tokens: {}\n", errors::kWrongType, "id.yaml:1"},
      {"token: []\n", errors::kUnknownKey, "id.yaml:1"},
      {entry + "  tenant: acme\n  roles: [submitter]\n", errors::kMissingKey, "id.yaml:2"},
      {entry + "  tenant: acme\n  user: ann\n  roles: [submiter]\n", errors::kValueOutOfRange, "id.yaml:5"},
      {entry + "  tenant: acme\n  user: ann\n  roles: []\n", errors::kMissingKey, "id.yaml:5"},
      {entry + "  tenant: acme\n  user: ann\n  roles: [ticket, approver]\n", errors::kValueOutOfRange, "id.yaml:5"},
      {entry + "  tenant: a/b\n  user: ann\n  roles: [submitter]\n", errors::kValueOutOfRange, "id.yaml:3"},
      {entry + "  tenant: acme\n  user: \"a\\nb\"\n  roles: [submitter]\n", errors::kValueOutOfRange, "id.yaml:4"},
      {entry + "  tenant: acme\n  user: ann\n  roles: [submitter]\n  expires_at: soon\n", errors::kBadTimestamp,
       "id.yaml:6"},
      {entry + kBody + "- sha256: \"" + hash + "\"\n" + kBody, errors::kValueOutOfRange, "id.yaml:7"},
      {"tokens:\n- sha256: tdm_secret\n" + kBody, errors::kValueOutOfRange, "id.yaml:2"},
      {"tokens: [\n", errors::kYamlSyntax, "id.yaml"},
  };
  for (const Case& one : cases) {
    const auto book = IdentityBook::parse(one.text, "id.yaml");
    EXPECT_THAT(book, FailsWith(one.number)) << one.text;
    if (!book) {
      EXPECT_THAT(book.error().place, HasSubstr(one.place)) << one.text;
      EXPECT_THAT(book.error().to_string(), Not(HasSubstr("tdm_secret")));
    }
  }
}

TEST(IdentityBook, a_new_token_is_random_and_its_entry_is_read_back) {
  SeededRng rng{7};
  const NewToken first = new_token(rng);
  const NewToken second = new_token(rng);
  EXPECT_NE(first.token, second.token);
  EXPECT_EQ(first.token.size(), 4u + 64u);
  EXPECT_EQ(first.sha256, sha256(first.token).hex());
  const Principal ann{.tenant = "acme", .user = "1e5", .roles = {Role::kApprover}, .projects = {"no", "a: b"}};
  const auto book = IdentityBook::parse("tokens:\n" + file_entry(first, ann), "identity.yaml");
  ASSERT_THAT(book, Succeeds());
  EXPECT_EQ(*book->find(first.token, Timestamp{0}).value(), ann);
  EXPECT_THAT(book->find(second.token, Timestamp{0}), FailsWith(errors::kNotAuthenticated));
}

TEST(Principal, a_role_carries_what_its_row_says_and_nothing_else) {
  using enum Permission;
  const std::vector<std::pair<Role, std::vector<Permission>>> rows = {
      {Role::kSubmitter, {kRead, kSubmit}},
      {Role::kApprover, {kRead, kReview}},
      {Role::kOperator, {kRead, kOperate, kReview, kObserve}},
      {Role::kAuditor, {kRead, kObserve}},
      {Role::kAdmin, {kRead, kSubmit, kOperate, kReview, kObserve}},
      {Role::kTicket, {}},
  };
  ASSERT_EQ(rows.size(), kNumRoles);
  for (const auto& [role, allowed] : rows) {
    const Principal principal{.tenant = "t", .user = "u", .roles = {role}, .projects = {}};
    for (int i = 0; i <= static_cast<int>(kObserve); ++i) {
      const auto permission = static_cast<Permission>(i);
      const bool may = std::find(allowed.begin(), allowed.end(), permission) != allowed.end();
      EXPECT_EQ(principal.may(permission), may) << to_string(role) << " " << i;
      EXPECT_EQ(principal.require(permission).has_value(), may);
    }
  }
}

TEST(Principal, jobs_of_other_tenants_and_projects_are_not_there) {
  Principal principal{.tenant = "acme", .user = "ann", .roles = {Role::kAdmin}, .projects = {}};
  EXPECT_TRUE(principal.sees("acme", "any"));
  EXPECT_FALSE(principal.sees("acm", "any"));
  EXPECT_FALSE(principal.sees("", ""));
  principal.projects = {"pilot"};
  EXPECT_TRUE(principal.sees("acme", "pilot"));
  EXPECT_FALSE(principal.sees("acme", ""));
  EXPECT_FALSE(principal.sees("beta", "pilot"));
}

}  // namespace
}  // namespace tandem::identity
