#include "tandem/orchestrate/schedule/fair_queue.h"

#include <algorithm>

#include "tandem/base/assert.h"

namespace tandem::schedule {

std::int64_t rank_of(std::int64_t admitted_ms, int priority, std::optional<std::int64_t> latest_start_ms) {
  const std::int64_t rank = admitted_ms - priority * kAgingMs;
  return latest_start_ms ? std::min(rank, std::max(*latest_start_ms, admitted_ms)) : rank;
}

FairQueue::Tenant& FairQueue::tenant_of(const Ticket& ticket) {
  const auto [at, added] = tenants_.try_emplace(ticket.tenant);
  if (added) {
    at->second.name = ticket.tenant;
    if (const auto found = weights_.find(ticket.tenant); found != weights_.end()) at->second.weight = found->second;
  }
  return at->second;
}

FairQueue::Project& FairQueue::project_of(const Ticket& ticket) {
  Tenant& tenant = tenant_of(ticket);
  if (tenant.projects.size() >= tenant.projects_swept_at) {
    std::erase_if(tenant.projects, [&](const auto& one) {
      return one.first != ticket.project && one.second.tickets == 0 && one.second.start <= tenant.time;
    });
    tenant.projects_swept_at = std::max<std::size_t>(64, 2 * tenant.projects.size());
  }
  const auto [at, added] = tenant.projects.try_emplace(ticket.project);
  if (added) {
    at->second.name = ticket.project;
    at->second.tenant = &tenant;
    const auto found = weights_.find(ticket.tenant + "/" + ticket.project);
    if (found != weights_.end()) at->second.weight = found->second;
  }
  return at->second;
}

FairQueue::Line& FairQueue::line_of(Tenant& tenant, const std::string& key) {
  Line& line = tenant.lines[key];
  line.key = key;
  return line;
}

void FairQueue::stand(const Node& node) {
  Project& project = *node.second.project;
  Tenant& tenant = *project.tenant;
  if (project.waiting.empty()) {
    const bool first = tenant.ready.empty();
    project.start = std::max(project.start, tenant.time);
    tenant.ready.insert(&project);
    if (first) {
      tenant.start = std::max(tenant.start, time_);
      ready_.insert(&tenant);
    }
  }
  project.waiting.insert(project.waiting.end(), &node);  // most come last
}

void FairQueue::leave(const Node& node) {
  Project& project = *node.second.project;
  Tenant& tenant = *project.tenant;
  if (project.waiting.erase(&node) == 0 || !project.waiting.empty()) return;
  tenant.ready.erase(&project);
  if (tenant.ready.empty()) ready_.erase(&tenant);
}

bool FairQueue::push(const Ticket& ticket) {
  Project& project = project_of(ticket);
  const auto [at, added] = entries_.try_emplace(ticket.job, Entry{.rank = ticket.rank, .project = &project});
  if (!added) return false;
  const Node& node = *at;
  ++project.tickets;
  if (ticket.serial_key.empty()) {
    stand(node);
    return true;
  }
  Line& line = line_of(*project.tenant, ticket.serial_key);
  at->second.line = &line;
  const Node* before = line.waiting.empty() ? nullptr : *line.waiting.begin();
  line.waiting.insert(line.waiting.end(), &node);
  if (line.taken || *line.waiting.begin() == before) return true;
  if (before != nullptr) leave(*before);
  stand(node);
  return true;
}

Ticket FairQueue::take_out(const Node& node) {
  const Entry& entry = node.second;
  Ticket out{
      .job = node.first, .tenant = entry.project->tenant->name, .project = entry.project->name, .rank = entry.rank};
  leave(node);
  if (Line* line = entry.line) {
    out.serial_key = line->key;
    line->waiting.erase(&node);
  }
  if (urgent_ == node.first) urgent_.clear();
  --entry.project->tickets;
  entries_.erase(out.job);
  return out;
}

std::optional<Ticket> FairQueue::pop(double cost) {
  if (ready_.empty()) return std::nullopt;
  const Node* next = nullptr;
  if (const auto urgent = entries_.find(urgent_); urgent != entries_.end())
    if (urgent->second.project->waiting.contains(&*urgent)) next = &*urgent;
  if (next == nullptr) next = *(*(*ready_.begin())->ready.begin())->waiting.begin();
  Project& project = *next->second.project;
  TANDEM_ASSERT(next->second.line == nullptr || !next->second.line->taken);
  project.tenant->time = std::max(project.tenant->time, project.start);
  time_ = std::max(time_, project.tenant->start);
  if (next->second.line != nullptr) next->second.line->taken = true;
  Ticket out = take_out(*next);
  charge(out, cost);
  return out;
}

bool FairQueue::erase(const std::string& job) {
  const auto found = entries_.find(job);
  if (found == entries_.end()) return false;
  Line* line = found->second.line;
  Tenant& tenant = *found->second.project->tenant;
  take_out(*found);
  if (line == nullptr || line->taken) return true;
  if (line->waiting.empty()) {
    tenant.lines.erase(tenant.lines.find(line->key));
    return true;
  }
  leave(**line->waiting.begin());
  stand(**line->waiting.begin());
  return true;
}

void FairQueue::hurry(const std::string& job) {
  if (entries_.contains(job)) urgent_ = job;
}

void FairQueue::release(const Ticket& ticket) {
  if (ticket.serial_key.empty()) return;
  Tenant& tenant = tenant_of(ticket);
  const auto at = tenant.lines.find(ticket.serial_key);
  if (at == tenant.lines.end()) return;
  at->second.taken = false;
  if (at->second.waiting.empty())
    tenant.lines.erase(at);
  else
    stand(**at->second.waiting.begin());
}

void FairQueue::charge(const Ticket& ticket, double cost) {
  Project& project = project_of(ticket);
  Tenant& tenant = *project.tenant;
  const bool tenant_ready = ready_.erase(&tenant) > 0;
  const bool project_ready = tenant.ready.erase(&project) > 0;
  tenant.start += cost / tenant.weight;
  project.start += cost / project.weight;
  if (project_ready) tenant.ready.insert(&project);
  if (tenant_ready) ready_.insert(&tenant);
}

}  // namespace tandem::schedule
