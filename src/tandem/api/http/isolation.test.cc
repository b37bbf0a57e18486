// Who may do what, over every endpoint of the contract: each role of a job's own tenant, and everybody of another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "tandem/api/http/api_server.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"
#include "tandem/net/client/curl_http.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::http {
namespace {

using identity::Role;
using identity::Roles;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr auto kPatience = std::chrono::seconds(60);
const Roles kReaders = {Role::kSubmitter, Role::kApprover, Role::kOperator, Role::kAuditor, Role::kAdmin};
const Roles kSubmitters = {Role::kSubmitter, Role::kAdmin};
const Roles kOperators = {Role::kOperator, Role::kAdmin};

/// What is behind an endpoint, for somebody of another tenant.
enum class Holds : std::uint8_t {
  kNobodys,  ///< needs no token
  kEverybodys,  ///< the same for all tenants
  kList,  ///< that has the own ones only
  kJob,
  kApproval,
  kSubmission,  ///< that is held
};

struct Endpoint {
  Holds holds;
  Roles roles;  ///< that get past the check, on what somebody else of their tenant submitted
  std::string body = {};
};

/// One entry for each operation of the contract; one without an entry, or the other way round, fails the test.
const std::map<std::string, Endpoint> kEndpoints = {
    {"GET /healthz", {Holds::kNobodys, {}}},
    {"GET /readyz", {Holds::kNobodys, {}}},
    {"GET /openapi.json", {Holds::kNobodys, {}}},
    {"GET /metrics", {Holds::kEverybodys, {Role::kOperator, Role::kAuditor, Role::kAdmin}}},
    {"GET /v1/backends", {Holds::kEverybodys, kReaders}},
    {"POST /v1/plans", {Holds::kEverybodys, kSubmitters, "job"}},
    {"POST /v1/jobs", {Holds::kEverybodys, kSubmitters, "job"}},
    {"GET /v1/jobs", {Holds::kList, kReaders}},
    {"GET /v1/approvals", {Holds::kList, kReaders}},
    {"GET /v1/usage", {Holds::kList, kReaders}},
    {"GET /v1/budgets", {Holds::kList, kReaders}},
    {"GET /v1/submissions", {Holds::kList, kReaders}},
    {"GET /v1/jobs/{job_id}", {Holds::kJob, kReaders}},
    {"GET /v1/jobs/{job_id}/result", {Holds::kJob, kReaders}},
    {"GET /v1/jobs/{job_id}/events", {Holds::kJob, kReaders}},
    {"GET /v1/jobs/{job_id}/lineage", {Holds::kJob, kReaders}},
    {"GET /v1/jobs/{job_id}/plan", {Holds::kJob, kReaders}},
    {"GET /v1/jobs/{job_id}/spec", {Holds::kJob, kReaders}},
    {"GET /v1/jobs/{job_id}/submissions", {Holds::kJob, kReaders}},
    {"GET /v1/jobs/{job_id}/replay_package", {Holds::kJob, kReaders}},
    {"DELETE /v1/jobs/{job_id}", {Holds::kJob, kOperators}},
    {"POST /v1/jobs/{job_id}/cancel", {Holds::kJob, kOperators}},
    {"POST /v1/jobs/{job_id}/suspend", {Holds::kJob, kOperators}},
    {"POST /v1/jobs/{job_id}/resume", {Holds::kJob, kOperators}},
    {"POST /v1/jobs/{job_id}/retry", {Holds::kJob, {Role::kAdmin}}},
    {"POST /v1/jobs/{job_id}/review",
     {Holds::kJob, {Role::kApprover, Role::kOperator, Role::kAdmin}, R"({"decision": "accept"})"}},
    {"GET /v1/approvals/{approval_id}", {Holds::kApproval, kReaders}},
    {"POST /v1/approvals/{approval_id}/decisions",
     {Holds::kApproval,
      {Role::kApprover, Role::kTicket},
      R"({"decision": "approve", "reason": "it is worth it", "external_ref": "CHG-1"})"}},
    {"GET /v1/submissions/{token}", {Holds::kSubmission, kReaders}},
    {"POST /v1/submissions/{token}/release",
     {Holds::kSubmission, kOperators, R"({"reason": "the provider has billed nothing"})"}},
    {"POST /v1/submissions/{token}/adopt",
     {Holds::kSubmission, kOperators, R"({"handle": "no handle", "reason": "as the provider's console shows"})"}},
};

class Isolation : public testing::Test {
 protected:
  Isolation() {
    world_.set_rules(
        "rules:\n- {name: r, requires_simulation: false}\n"
        "approvals:\n- {name: hardware, when: {any_qpu: true}, approvers: 3}\n");
    world_.limit(
        "limits:\n"
        "- {tenant: '*', period: total, jobs: {hard: 100000}}\n"
        "- {tenant: '*', project: '*', period: total, jobs: {hard: 100000}}\n"
        "- {tenant: '*', user: '*', period: total, jobs: {hard: 100000}}\n"
        "- {backend: fake.provider, period: total, shots: {hard: 1000}}\n");
    world_.open(2);
    std::string file = "tokens:\n";
    for (const char* tenant : {"acme", "beta"})
      for (std::size_t i = 0; i < identity::kNumRoles; ++i) add(file, tenant, static_cast<Role>(i), "");
    add(file, "acme", Role::kAdmin, "pilot");
    identities_ = identity::IdentityBook::parse(file, "identity.yaml").value();
    const service::LocalSeams seams{*world_.engine, world_.backends, *world_.submitter, clock_, world_.executor};
    server_ = ApiServer::start(
                  {.listen = "127.0.0.1:0"},
                  {[seams](identity::PrincipalPtr who) { return service::make_local_service(seams, std::move(who)); },
                   identities_, *world_.engine, world_.problems, *world_.store, meters_},
                  {.executor = world_.executor, .clock = clock_, .log = world_.log, .meter = world_.meter})
                  .value();
    client_ = client::CurlHttp::create({.allow = {server_->address()}}, clock_, world_.executor).value();
  }
  ~Isolation() override { server_.reset(); }

  static std::string token(std::string_view tenant, Role role, std::string_view project = "") {
    return fmt::format("tdm_{}_{}_{}", tenant, to_string(role), project);
  }
  static void add(std::string& file, std::string_view tenant, Role role, std::string_view project) {
    file += fmt::format("- {{sha256: \"{}\", tenant: {}, user: {}{}, roles: [{}]{}}}\n",
                        sha256(token(tenant, role, project)).hex(), tenant, to_string(role), project, to_string(role),
                        project.empty() ? "" : fmt::format(", projects: [{}]", project));
  }

  HttpResponse ask(const std::string& method, const std::string& path, const std::string& token, Bytes body = {}) {
    Headers headers = {{"Content-Type", "application/json"}};
    if (!token.empty()) headers.push_back({"Authorization", "Bearer " + token});
    auto answer = client_->send(
        {.method = method, .url = "http://" + server_->address() + path, .headers = std::move(headers), .body = body},
        Deadline::after(clock_, kPatience));
    if (answer) return *std::move(answer);
    ADD_FAILURE() << answer.error().error.to_string();
    return {};
  }
  std::string noop() const { return R"({"problem": {"type": "noop"}})"; }
  std::string admit(std::string_view tenant, const job::JobSpec& spec) {
    return world_.engine->admit(spec, tenant, "", "user:sue")->id.value;
  }
  /// An ended job of the tenant, or one that waits for approval.
  std::string ended(std::string_view tenant) {
    const std::string id = admit(tenant, world_.spec(Json::parse(noop())));
    EXPECT_EQ(world_.wait(JobId(id)).state, job::JobState::kSucceeded);
    return id;
  }
  std::string waiting(std::string_view tenant) {
    const std::string id = admit(tenant, world_.paid_job());
    EXPECT_EQ(world_.wait(JobId(id)).state, job::JobState::kAwaitingApproval);
    return id;
  }
  /// The token of work of the tenant that was sent, never arrived, and is held.
  std::string held(std::string_view tenant) {
    circuit::Pub pub{.circuit = circuit::Circuit::create(1, 1).value(), .shots = 10};
    pub.circuit.measure_all();
    const backend::Work work = backend::ProgramWork{.pubs = {pub}};
    world_.provider->plan.on_submit = {submit::OnSubmit::kLoseRequest};
    const auto outcome = world_.submitter->run({.tenant = std::string(tenant),
                                                .job = JobId(waiting(tenant)),
                                                .step = "by hand",
                                                .fence = 1,
                                                .backend = *world_.provider,
                                                .work = work},
                                               {});
    EXPECT_THAT(outcome, Succeeds());
    EXPECT_EQ(outcome->kind, submit::SubmissionOutcome::Kind::kHeld);
    return outcome->token;
  }
  /// The path of an operation on something of acme's that was made for this one request.
  std::string path_of(const std::string& pattern, const Endpoint& endpoint) {
    std::string id = "none";
    if (endpoint.holds == Holds::kJob) id = ended("acme");
    if (endpoint.holds == Holds::kSubmission) id = held("acme");
    if (endpoint.holds == Holds::kApproval) id = world_.engine->job(JobId(waiting("acme")))->approval_id;
    return with(pattern, id);
  }
  static std::string with(std::string pattern, const std::string& id) {
    const std::size_t begin = pattern.find('{');
    if (begin == std::string::npos) return pattern;
    return pattern.replace(begin, pattern.find('}') + 1 - begin, id);
  }
  Bytes body_of(const Endpoint& endpoint) const { return endpoint.body == "job" ? noop() : endpoint.body; }
  static int number_of(const HttpResponse& answer) {
    return parse_json(answer.body, "answer").value_or(Json::object()).value("number", 0);
  }

  SystemClock clock_;
  engine::EngineWorld world_;
  telemetry::MeterRegistry meters_;
  identity::IdentityBook identities_ = identity::IdentityBook::open_to_all();
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<client::CurlHttp> client_;
};

std::pair<std::string, std::string> split_name(const std::string& name) {
  const std::size_t blank = name.find(' ');
  return {name.substr(0, blank), name.substr(blank + 1)};
}

TEST_F(Isolation, every_operation_of_the_contract_has_its_entry_here) {
  const Json contract = parse_yaml(openapi_yaml(), "openapi.yaml").value().value;
  std::set<std::string> named;
  for (const auto& [path, item] : contract["paths"].items())
    for (const auto& [method, operation] : item.items()) {
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      named.insert(upper + " " + path);
      const auto entry = kEndpoints.find(upper + " " + path);
      ASSERT_NE(entry, kEndpoints.end()) << upper << " " << path << " has no entry";
      const bool open = operation.contains("security") && operation["security"].empty();
      EXPECT_EQ(open, entry->second.holds == Holds::kNobodys) << path;
    }
  for (const auto& [name, endpoint] : kEndpoints) EXPECT_TRUE(named.contains(name)) << name;
}

TEST_F(Isolation, without_a_token_or_with_a_wrong_one_nothing_answers_but_health_and_the_contract) {
  for (const auto& [name, endpoint] : kEndpoints) {
    const auto [method, pattern] = split_name(name);
    const std::string path = path_of(pattern, endpoint);
    for (const std::string& token :
         {std::string(), std::string("tdm_wrong"), sha256(token("acme", Role::kAdmin)).hex()}) {
      const HttpResponse answer = ask(method, path, token, body_of(endpoint));
      if (endpoint.holds == Holds::kNobodys) {
        EXPECT_EQ(answer.status, 200) << name;
        continue;
      }
      EXPECT_EQ(answer.status, 401) << name;
      EXPECT_EQ(number_of(answer), static_cast<int>(errors::kNotAuthenticated));
      EXPECT_EQ(header_value(answer.headers, "WWW-Authenticate"), "Bearer");
      EXPECT_THAT(answer.body, Not(HasSubstr("tdm_wrong")));
    }
  }
  EXPECT_EQ(ask("GET", "/v1/nothing", "").status, 401) << "what there is not is told to nobody";
}

TEST_F(Isolation, a_role_does_what_its_row_says_on_what_others_of_its_tenant_submitted) {
  for (const auto& [name, endpoint] : kEndpoints) {
    if (endpoint.holds == Holds::kNobodys) continue;
    const auto [method, pattern] = split_name(name);
    for (std::size_t i = 0; i < identity::kNumRoles; ++i) {
      const Role role = static_cast<Role>(i);
      const HttpResponse answer = ask(method, path_of(pattern, endpoint), token("acme", role), body_of(endpoint));
      if (endpoint.roles.has(role))
        EXPECT_TRUE(answer.status != 401 && answer.status != 403 && answer.status != 404)
            << name << " " << to_string(role) << " " << answer.body;
      else
        EXPECT_EQ(number_of(answer), static_cast<int>(errors::kNotPermitted)) << name << " " << to_string(role);
    }
  }
}

TEST_F(Isolation, what_another_tenant_has_is_not_there_for_any_role_of_this_one) {
  const std::string unknown_job = "job_0190a1b2-0000-7000-8000-000000000001";
  const std::string unknown_approval = "apr_0190a1b2-0000-7000-8000-000000000001_1";
  for (const auto& [name, endpoint] : kEndpoints) {
    if (endpoint.holds != Holds::kJob && endpoint.holds != Holds::kApproval && endpoint.holds != Holds::kSubmission)
      continue;
    const auto [method, pattern] = split_name(name);
    const std::string path = path_of(pattern, endpoint);
    for (std::size_t i = 0; i < identity::kNumRoles; ++i) {
      const Role role = static_cast<Role>(i);
      const HttpResponse foreign = ask(method, path, token("beta", role), body_of(endpoint));
      const std::string none = with(pattern, endpoint.holds == Holds::kJob        ? unknown_job
                                             : endpoint.holds == Holds::kApproval ? unknown_approval
                                                                                  : "aaaaaaaaaaaaaaaaaaaaaaaaaa");
      const HttpResponse unknown = ask(method, none, token("beta", role), body_of(endpoint));
      EXPECT_EQ(foreign.status, unknown.status) << name << " " << to_string(role);
      EXPECT_EQ(number_of(foreign), number_of(unknown)) << name << " " << to_string(role);
      EXPECT_TRUE(foreign.status == 404 || foreign.status == 403) << name << " " << to_string(role);
      if (endpoint.roles.has(role)) {
        EXPECT_EQ(foreign.status, 404) << name << " " << to_string(role);
      }
    }
  }
}

TEST_F(Isolation, lists_have_the_own_ones_only) {
  const std::string mine = ended("beta");
  const std::string theirs = ended("acme");
  const std::string asked = waiting("acme");
  const std::string admin = token("beta", Role::kAdmin);
  for (const char* path :
       {"/v1/jobs", "/v1/jobs?state=succeeded", "/v1/jobs?state=awaiting_approval", "/v1/jobs?error=5014"}) {
    const HttpResponse answer = ask("GET", path, admin);
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.body, Not(HasSubstr(theirs)));
    EXPECT_THAT(answer.body, Not(HasSubstr(asked)));
  }
  EXPECT_THAT(ask("GET", "/v1/jobs", admin).body, HasSubstr(mine));
  EXPECT_THAT(parse_json(ask("GET", "/v1/approvals", admin).body, "")->at("approvals"), IsEmpty());
  EXPECT_EQ(ask("GET", "/v1/approvals?job_id=" + asked, admin).status, 404);
  EXPECT_THAT(parse_json(ask("GET", "/v1/approvals", token("acme", Role::kAdmin)).body, "")->at("approvals"),
              SizeIs(1));
}

TEST_F(Isolation, submissions_are_those_of_the_own_tenant_and_of_the_projects_of_the_token) {
  const std::string theirs = held("acme");
  const auto tokens_of = [&](const std::string& token, const std::string& query = "") {
    std::vector<std::string> out;
    const Json page = parse_json(ask("GET", "/v1/submissions" + query, token).body, "").value();
    for (const Json& one : page["submissions"]) out.push_back(one["token"]);
    return out;
  };
  EXPECT_THAT(tokens_of(token("acme", Role::kAuditor)), testing::ElementsAre(theirs));
  EXPECT_THAT(tokens_of(token("acme", Role::kAuditor), "?state=held&backend=fake.provider"),
              testing::ElementsAre(theirs));
  EXPECT_THAT(tokens_of(token("acme", Role::kAuditor), "?state=settled"), IsEmpty());
  EXPECT_THAT(tokens_of(token("beta", Role::kAdmin)), IsEmpty());
  EXPECT_THAT(tokens_of(token("acme", Role::kAdmin, "pilot")), IsEmpty()) << "it is of no project";
  EXPECT_EQ(ask("GET", "/v1/submissions/" + theirs, token("acme", Role::kAdmin, "pilot")).status, 404);
  EXPECT_EQ(ask("GET", "/v1/submissions?job_id=" + ended("acme"), token("beta", Role::kAdmin)).status, 404);
  EXPECT_EQ(ask("GET", "/v1/submissions?state=lost", token("beta", Role::kAdmin)).status, 400);
}

TEST_F(Isolation, whoever_releases_work_stands_in_its_event_and_the_second_one_is_refused) {
  const std::string token_of_work = held("acme");
  const std::string path = "/v1/submissions/" + token_of_work + "/release";
  const std::string body = R"({"reason": "ticket 7", "billed_usd_micros": 300})";
  const HttpResponse released = ask("POST", path, token("acme", Role::kOperator), body);
  ASSERT_EQ(released.status, 200) << released.body;
  const Json record = parse_json(released.body, "").value();
  EXPECT_EQ(record["state"], "released");
  EXPECT_EQ(record["said_by"], "user:operator");
  EXPECT_EQ(record["billed_usd_micros"], 300);
  EXPECT_EQ(world_.events(JobId(record["job_id"].get<std::string>())).back().actor, "user:operator");
  const HttpResponse again = ask("POST", path, token("acme", Role::kAdmin), body);
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(number_of(again), static_cast<int>(errors::kSubmissionNotHeld));
  for (const char* wrong : {R"({"billed_usd_micros": 1})", R"({"reason": "x", "billed_usd_micros": -1})",
                            R"({"reason": "x", "handle": "y"})", R"({"reason": ""})"})
    EXPECT_EQ(ask("POST", path, token("acme", Role::kAdmin), wrong).status, 400) << wrong;
}

TEST_F(Isolation, an_approval_of_another_job_is_no_page_token) {
  const std::string mine = waiting("beta");
  const std::string theirs = waiting("acme");
  const std::string token_of_theirs = world_.engine->job(JobId(theirs))->approval_id;
  const HttpResponse answer =
      ask("GET", "/v1/approvals?job_id=" + mine + "&page_token=" + token_of_theirs, token("beta", Role::kAdmin));
  EXPECT_EQ(number_of(answer), static_cast<int>(errors::kValueOutOfRange)) << answer.body;
}

TEST_F(Isolation, charges_are_those_of_the_own_tenant_and_of_the_projects_of_the_token_on_every_page) {
  std::vector<std::string> all;
  const auto charge = [&](const char* tenant, const char* project) {
    const budget::Charge made{.at = {clock_.now().micros + static_cast<std::int64_t>(all.size())},
                              .begin = clock_.now(),
                              .payer = {.tenant = tenant, .project = project, .user = "user"},
                              .owner = fmt::format("owner_{}_{}", tenant, project),
                              .backend = "fake.provider",
                              .job = JobId(fmt::format("job_of_{}_{}", tenant, project)),
                              .token = fmt::format("token{}", all.size()),
                              .cost = {700}};
    store::Batch batch;
    batch.put(store::Table::kBudget, made.key(), made.value());
    ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
    all.push_back(made.job.value);
  };
  charge("acme", "");
  charge("acme", "pilot");
  charge("acme", "other");
  charge("beta", "pilot");
  const std::string range = "&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
  const auto jobs_of = [&](const std::string& token, const std::string& more = "") {
    const Json page = parse_json(ask("GET", "/v1/usage?by=charge" + range + more, token).body, "").value();
    std::vector<std::string> out;
    for (const Json& one : page["charges"]) out.push_back(one["job_id"]);
    return std::pair(out, page["next_page_token"].get<std::string>());
  };
  struct Case {
    std::string token;
    std::vector<std::string> jobs;
  };
  const std::string acme = token("acme", Role::kAdmin);
  for (const Case& one : {Case{acme, {all[0], all[1], all[2]}}, Case{token("acme", Role::kAdmin, "pilot"), {all[1]}},
                          Case{token("beta", Role::kAdmin), {all[3]}}}) {
    EXPECT_EQ(jobs_of(one.token).first, one.jobs);
    std::vector<std::string> paged;
    std::string next;
    do {
      const auto [jobs, after] = jobs_of(one.token, "&limit=1" + (next.empty() ? "" : "&page_token=" + next));
      paged.insert(paged.end(), jobs.begin(), jobs.end());
      next = after;
    } while (!next.empty());
    EXPECT_EQ(paged, one.jobs);
    for (const char* by : {"tier", "backend", "project", "user", "owner"}) {
      const HttpResponse sums = ask("GET", fmt::format("/v1/usage?by={}", by) + range, one.token);
      std::uint64_t submissions = 0;
      const Json document = parse_json(sums.body, "").value();
      for (const Json& group : document["groups"]) submissions += group["submissions"].get<std::uint64_t>();
      EXPECT_EQ(submissions, one.jobs.size()) << by << sums.body;
    }
  }
  // A token of another's page leads nowhere but through one's own.
  const std::string foreign = jobs_of(acme, "&limit=1").second;
  ASSERT_FALSE(foreign.empty());
  EXPECT_EQ(jobs_of(token("beta", Role::kAdmin), "&page_token=" + foreign).first, std::vector<std::string>{all[3]});
}

TEST_F(Isolation, budgets_are_those_of_the_own_tenant_or_projects_and_what_is_shared_tells_no_use) {
  job::JobSpec pilot = world_.spec(Json::parse(noop()));
  pilot.schedule.project = "pilot";
  for (const char* tenant : {"acme", "beta"}) {
    ended(tenant);
    admit(tenant, pilot);
  }
  job::JobSpec other = pilot;
  other.schedule.project = "other";
  admit("acme", other);
  budget::Account shared{.id = {.scope = {.backend = "fake.provider"}, .span = "total"},
                         .entries = {{budget::Unit::kShots, {.granted = 300, .held = 100, .settled = 200}}}};
  store::Batch batch;
  batch.put(store::Table::kBudget, shared.id.key(), shared.value());
  ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
  const auto seen_by = [&](const std::string& token) {
    std::vector<std::string> out;
    const HttpResponse answer = ask("GET", "/v1/budgets", token);
    const Json document = parse_json(answer.body, "").value();
    for (const Json& one : document["budgets"]) {
      out.push_back(fmt::format("{} {} {} {} {}/{}", one["tenant"].get<std::string>(),
                                one["project"].get<std::string>(), one["user"].get<std::string>(),
                                one["backend"].get<std::string>(), one["settled"].dump(), one["free"].dump()));
      if (one["tenant"] != "") continue;
      for (const char* figure : {"held", "settled", "released", "overrun", "forecast"})
        EXPECT_TRUE(one[figure].is_null()) << one;
    }
    return out;
  };
  EXPECT_THAT(seen_by(token("beta", Role::kAdmin)),
              testing::UnorderedElementsAre("   fake.provider null/700", "beta    2/99998", "beta pilot   1/99999",
                                            "beta  sue  2/99998"));
  EXPECT_THAT(seen_by(token("acme", Role::kAdmin)),
              testing::UnorderedElementsAre("   fake.provider null/700", "acme    3/99997", "acme pilot   1/99999",
                                            "acme other   1/99999", "acme  sue  3/99997"));
  EXPECT_THAT(seen_by(token("acme", Role::kAdmin, "pilot")), testing::ElementsAre("acme pilot   1/99999"));
}

TEST_F(Isolation, a_stream_and_a_wait_and_a_retry_of_another_tenants_job_are_not_there) {
  const std::string theirs = ended("acme");
  const std::string admin = token("beta", Role::kAdmin);
  EXPECT_EQ(ask("GET", "/v1/jobs/" + theirs + "?wait=1ms", admin).status, 404);
  const auto stream =
      client_->send({.url = "http://" + server_->address() + "/v1/jobs/" + theirs + "/events",
                     .headers = {{"Authorization", "Bearer " + admin}, {"Accept", "text/event-stream"}}},
                    Deadline::after(clock_, kPatience));
  ASSERT_TRUE(stream.has_value());
  EXPECT_EQ(stream->status, 404);
  const HttpResponse again =
      ask("POST", "/v1/jobs", admin, fmt::format(R"({{"problem": {{"type": "noop"}}, "retry_of": "{}"}})", theirs));
  EXPECT_EQ(again.status, 404) << again.body;
}

TEST_F(Isolation, the_tenant_and_the_name_of_whoever_submits_stand_in_row_and_events_and_he_acts_on_his_own) {
  const HttpResponse admitted = ask("POST", "/v1/jobs", token("acme", Role::kSubmitter), noop());
  ASSERT_EQ(admitted.status, 202);
  const JobId id(parse_json(admitted.body, "")->at("job_id"));
  EXPECT_EQ(world_.wait(id).tenant, "acme");
  EXPECT_EQ(world_.wait(id).submitted_by, "user:submitter");
  EXPECT_EQ(world_.events(id).front().actor, "user:submitter");
  EXPECT_EQ(ask("POST", "/v1/jobs/" + id.value + "/retry", token("acme", Role::kSubmitter)).status, 202);
  EXPECT_EQ(ask("DELETE", "/v1/jobs/" + id.value, token("acme", Role::kSubmitter)).status, 204);
}

TEST_F(Isolation, a_token_for_one_project_sees_and_submits_to_no_other) {
  const std::string admin = token("acme", Role::kAdmin, "pilot");
  const std::string other = ended("acme");
  EXPECT_EQ(ask("GET", "/v1/jobs/" + other, admin).status, 404);
  EXPECT_THAT(parse_json(ask("GET", "/v1/jobs", admin).body, "")->at("jobs"), IsEmpty());
  EXPECT_EQ(ask("POST", "/v1/jobs", admin, noop()).status, 403);
  const HttpResponse mine =
      ask("POST", "/v1/jobs", admin, R"({"problem": {"type": "noop"}, "schedule": {"project": "pilot"}})");
  EXPECT_EQ(mine.status, 202) << mine.body;
  EXPECT_THAT(parse_json(ask("GET", "/v1/jobs", admin).body, "")->at("jobs"), SizeIs(1));
}

TEST_F(Isolation, two_ways_to_say_who_one_is_or_another_scheme_are_refused) {
  const auto with_headers = [&](Headers headers) {
    return client_
        ->send({.url = "http://" + server_->address() + "/v1/jobs", .headers = std::move(headers)},
               Deadline::after(clock_, kPatience))
        ->status;
  };
  const std::string good = "Bearer " + token("acme", Role::kAdmin);
  EXPECT_EQ(with_headers({{"Authorization", good}}), 200);
  EXPECT_EQ(with_headers({{"Authorization", "bearer " + token("acme", Role::kAdmin)}}), 200);
  EXPECT_EQ(with_headers({{"Authorization", "Basic YTpi"}}), 401);
  EXPECT_EQ(with_headers({{"Authorization", good}, {"authorization", good}}), 400);
}

}  // namespace
}  // namespace tandem::http
