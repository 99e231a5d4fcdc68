// `evoke inbox`: a person or an agent answers the requests of a search.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "evoke/base/clock.h"
#include "evoke/base/fd.h"
#include "evoke/base/utf8.h"
#include "evoke/cli/answer_readers.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/duration.h"
#include "evoke/cli/founders.h"
#include "evoke/cli/interrupt.h"
#include "evoke/cli/run_access.h"
#include "evoke/proposers/inbox/inbox_files.h"
#include "evoke/report/tables.h"
#include "evoke/store/run_lock.h"

namespace evoke::cli {
namespace {

using inbox::Answer;
using inbox::Files;
using inbox::Receipt;
using inbox::State;

struct InboxOptions {
  std::string run;
  std::string task;
  std::vector<std::string> files;
  std::string summary;
  bool wait = false;
  std::string timeout;
};

// The run as the inbox sees it: its folder, who writes it, its dialect.
struct InboxRun {
  std::unique_ptr<RunStore> store;
  Files files;
  int64_t writer = 0;  // pid; 0: nobody is at work
  Dialect dialect = Dialect::cpu;
};

InboxRun open_inbox(const InboxOptions& options) {
  auto store = open_run(options.run);
  const RunSummary summary = value_or_throw(store->summary());
  InboxRun run{std::move(store), Files(""), summary.writer_pid, Dialect::cpu};
  run.files = Files(run.store->folder());
  run.dialect = value_or_throw(dialect_of_device(
      value_or_throw(run.store->fact("device")).value("kind", "cpu")));
  return run;
}

std::string nobody(const InboxRun& run) {
  return run.store->folder() +
         ": no process is at work on it; answers stay in its folder until "
         "evoke evolve --resume " +
         run.store->folder();
}

std::string read_text(const std::string& path) {
  if (path == "-") {
    return {std::istreambuf_iterator<char>(std::cin), {}};
  }
  return value_or_throw(read_file(path));
}

Json task_json(const inbox::Task& task, bool whole) {
  Json json = {{"id", task.id},
               {"created", task.created},
               {"operation", task.request.value("operation", "")},
               {"attempt", task.request.value("attempt", 0)},
               {"parent", task.request.at("parent").at("id")}};
  if (!whole) return json;
  json["prompt"] = task.prompt;
  json["request"] = task.request;
  return json;
}

void print_json(const Json& json) { std::puts(dump_json(json, 2).c_str()); }

std::string what_became(const Receipt& receipt) {
  std::string text(to_string(receipt.state));
  if (receipt.candidate != 0) text += fmt::format(" #{}", receipt.candidate);
  if (receipt.kind) text += fmt::format(", {}", to_string(*receipt.kind));
  if (receipt.fitness) {
    const Fitness& fitness = *receipt.fitness;
    text += ", " + speedup_text(fitness.value, fitness.low, fitness.high);
  }
  if (!receipt.message.empty()) text += ": " + receipt.message;
  return text;
}

// Until `done` gives something, the time is over, or Ctrl-C.
template <typename Done>
auto wait_for(const InboxOptions& options, Done done) -> decltype(done()) {
  constexpr int64_t kPollMs = 200;
  double limit_s = 0;
  if (!options.timeout.empty()) {
    limit_s = value_or_throw(parse_duration_s(options.timeout));
  }
  const double start_ms = monotonic_ms();
  for (;;) {
    if (auto value = done()) return value;
    const bool over = limit_s > 0 && monotonic_ms() - start_ms > limit_s * 1e3;
    if (over || interrupted()) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
  }
}

int list(const Context& context, const InboxOptions& options) {
  const InboxRun run = open_inbox(options);
  if (options.wait) {
    wait_for(options, [&] {
      const bool ended = RunLock::holder(run.store->folder()).value_or(0) == 0;
      return !run.files.tasks().empty() || ended;
    });
  }
  Json json = {{"run", run.store->folder()},
               {"writer_pid", run.writer},
               {"tasks", Json::array()},
               {"answers", Json::array()}};
  TextTable tasks{{"task", "operation", "parent", "since"}, {}};
  for (const std::string& name : run.files.tasks()) {
    const auto task = run.files.task(name);
    if (!task) continue;  // taken in just now
    json["tasks"].push_back(task_json(*task, false));
    tasks.rows.push_back({name, task->request.value("operation", ""),
                          "#" + task->request["parent"]["id"].dump(),
                          task->created});
  }
  TextTable answers{{"answer", "what became of it"}, {}};
  for (const std::string& name : run.files.receipts()) {
    const auto receipt = run.files.receipt(name);
    if (!receipt) continue;
    Json each = inbox::to_json(*receipt);
    each["name"] = name;
    json["answers"].push_back(std::move(each));
    answers.rows.push_back({name, one_line(what_became(*receipt), 100)});
  }
  if (context.json) {
    print_json(json);
    return 0;
  }
  if (tasks.rows.empty()) {
    fmt::print("no task is open\n");
  } else {
    fmt::print("{}evoke inbox {} show TASK prints what is asked\n",
               to_text(tasks), run.store->folder());
  }
  if (!answers.rows.empty()) fmt::print("\n{}", to_text(answers));
  if (run.writer == 0) fmt::print("{}\n", nobody(run));
  return 0;
}

inbox::Task open_task(const InboxRun& run, const std::string& name) {
  auto task = run.files.task(name);
  if (task) return *std::move(task);
  if (task.error().kind != ErrorKind::absent) {
    throw StartupError(task.error().message);
  }
  std::string open;
  for (const std::string& each : run.files.tasks()) open += " " + each;
  throw StartupError("task " + name + " is not open; " +
                     (open.empty() ? "no task is; evoke inbox RUN list --wait "
                                     "waits for one, and evoke inbox RUN "
                                     "submit takes a kernel file at any time"
                                   : "these are:" + open));
}

int show(const Context& context, const InboxOptions& options) {
  const InboxRun run = open_inbox(options);
  const inbox::Task task = open_task(run, options.task);
  if (context.json) {
    print_json(task_json(task, true));
  } else {
    fmt::print("{}\n", task.prompt);
  }
  return 0;
}

// What was handed in, and what became of it so far.
struct Delivery {
  std::string name;
  std::string file;
  std::string refusal;  // it was not handed in
  std::optional<Receipt> receipt;
};

bool is_settled(const std::optional<Receipt>& receipt) {
  return receipt && receipt->state != State::judging;
}

int report_deliveries(const Context& context, const InboxOptions& options,
                      const InboxRun& run, std::vector<Delivery> deliveries) {
  for (Delivery& each : deliveries) {
    if (!each.refusal.empty() || !options.wait) continue;
    if (!context.json) {
      fmt::print(stderr, "{}: parses; waiting for its outcome\n", each.file);
    }
    each.receipt = wait_for(options, [&]() -> std::optional<Receipt> {
      const auto receipt = run.files.receipt(each.name);
      if (receipt && is_settled(*receipt)) return *receipt;
      if (RunLock::holder(run.store->folder()).value_or(0) == 0) {
        Receipt none;
        none.state = State::refused;
        none.message = nobody(run);
        return none;
      }
      return std::nullopt;
    });
  }
  bool good = true;
  Json json = Json::array();
  for (const Delivery& each : deliveries) {
    const bool parses = each.refusal.empty();
    good = good && parses &&
           !(each.receipt && each.receipt->state == State::refused);
    json.push_back({{"file", each.file},
                    {"name", each.name},
                    {"parses", parses},
                    {"message", each.refusal},
                    {"receipt", each.receipt ? inbox::to_json(*each.receipt)
                                             : Json(nullptr)}});
    if (context.json) continue;
    if (!parses) {
      fmt::print("{}: refused: {}\n", each.file, each.refusal);
    } else if (each.receipt) {
      fmt::print("{}: {}\n", each.file, what_became(*each.receipt));
    } else {
      fmt::print("{}: parses; handed in as {}\n", each.file, each.name);
    }
  }
  if (context.json) {
    print_json({{"writer_pid", run.writer}, {"deliveries", json}});
  } else if (run.writer == 0) {
    fmt::print("{}\n", nobody(run));
  }
  return good ? 0 : 1;
}

int answer(const Context& context, const InboxOptions& options) {
  const InboxRun run = open_inbox(options);
  const inbox::Task task = open_task(run, options.task);
  Delivery delivery{options.task, options.files.front(), {}, {}};
  const std::string text = read_text(delivery.file);
  const auto proposal =
      answer_reader(run.dialect)(text, inbox::request_of(task));
  if (proposal) {
    // What became of an earlier answer to it is past.
    run.files.remove_receipt(options.task);
    value_or_throw(run.files.write_answer(
        options.task, Answer{task.key, text, options.summary}));
  } else {
    delivery.refusal = proposal.error().message;
  }
  return report_deliveries(context, options, run, {delivery});
}

int submit(const Context& context, const InboxOptions& options) {
  const InboxRun run = open_inbox(options);
  value_or_throw(run.files.make_folder());
  std::vector<Delivery> deliveries;
  for (const std::string& file : options.files) {
    Delivery delivery{
        fmt::format("s{}-{}-{}", ::getpid(), monotonic_ns(), deliveries.size()),
        file,
        {},
        {}};
    const std::string text = read_text(file);
    const auto proposal = answer_reader(run.dialect)(text, {});
    if (proposal) {
      value_or_throw(run.files.write_submission(
          delivery.name, Answer{"", text, options.summary}));
    } else {
      delivery.refusal = proposal.error().message;
    }
    deliveries.push_back(std::move(delivery));
  }
  return report_deliveries(context, options, run, std::move(deliveries));
}

using Action = int (*)(const Context&, const InboxOptions&);

}  // namespace

void add_inbox(CLI::App& app, Context& context, Command& chosen) {
  auto options = std::make_shared<InboxOptions>();
  auto* inbox = app.add_subcommand(
      "inbox", "Answer what a search asks, as a person or an agent");
  inbox->add_option("run", options->run, "The run directory")->required();
  inbox->require_subcommand(1);
  inbox->fallthrough();
  const auto add = [&](const char* name, const char* what, Action action) {
    auto* command = inbox->add_subcommand(name, what);
    command->add_option("--timeout", options->timeout,
                        "Wait so long at most: 30s, 10m");
    command->callback([&context, &chosen, options, action] {
      chosen = [&context, options, action] {
        return action(context, *options);
      };
    });
    return command;
  };
  add("list", "Tasks that are open, and what became of answers", list)
      ->add_flag("--wait", options->wait, "Until a task is open");
  add("show", "The whole prompt of a task", show)
      ->add_option("task", options->task, "Its number")
      ->required();
  auto* answering = add("answer", "Answer a task with a kernel file", answer);
  answering->add_option("task", options->task, "Its number")->required();
  answering->add_option("file", options->files, "A kernel file; - reads it")
      ->required()
      ->expected(1);
  auto* submitting =
      add("submit", "Hand in kernel files that nobody asked for", submit);
  submitting->add_option("files", options->files, "Kernel files; - reads one")
      ->required();
  for (auto* command : {answering, submitting}) {
    command->add_flag("--wait", options->wait, "Until it is judged");
    command->add_option("--summary", options->summary,
                        "What was changed, in one line");
  }
  inbox->footer(R"(
Examples:
  evoke inbox RUN list --wait              until something is asked
  evoke inbox RUN show 12                  the whole prompt
  evoke inbox RUN answer 12 mine.cpp --wait
  evoke inbox RUN submit a.cpp b.cpp --json)");
}

}  // namespace evoke::cli
