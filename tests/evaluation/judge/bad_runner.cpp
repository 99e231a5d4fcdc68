// A runner that a candidate has taken over, or that is broken: it greets as a
// runner does, then answers as its --device says. What the judge makes of
// that is the test.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/evaluation/protocol/channel.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/protocol/shared_memory.h"

namespace evoke::protocol {
namespace {

void answer(Channel& channel, const Envelope& request,
            const std::string& behaviour) {
  Envelope reply = request;
  reply.body = Done{}.to_json();
  std::vector<int> descriptors;
  const auto memory = SharedMemory::create(4096, false);
  if (behaviour == "another_nonce") reply.nonce += "x";
  if (behaviour == "another_number") reply.number += 1;
  if (behaviour == "another_type") reply.type = "hello";
  if (behaviour == "no_body") reply.body = Json("surprise");
  if (behaviour == "descriptors") descriptors.push_back(memory->fd());
  if (behaviour == "bad_failure") {
    reply.type = "failure";
    reply.body = Json::array();
  }
  Json json = reply.to_json();
  if (behaviour == "another_version") json["v"] = kVersion + 1;
  if (behaviour == "no_envelope") json = Json::array({1, 2, 3});
  if (behaviour == "short_pull" && request.type == "read_buffer") {
    json["body"] = BufferContent{{std::byte{1}}}.to_json();
  }
  (void)channel.send(json, descriptors);
  if (behaviour == "twice") (void)channel.send(json, descriptors);
}

void misbehave(Channel& channel, const std::string& behaviour) {
  const auto write_raw = [&](const std::string& text) {
    (void)write_all(channel.fd(),
                    std::as_bytes(std::span(text.data(), text.size())));
  };
  if (behaviour == "bytes") write_raw(std::string(64, 'x'));
  if (behaviour == "huge_frame") write_raw("evk1\xff\xff\xff\xff");
  if (behaviour == "half_a_frame") write_raw(std::string("evk1\x09\0\0\0a", 9));
  if (behaviour == "exit_7") ::_exit(7);
  if (behaviour == "exit_0") ::_exit(0);
  if (behaviour == "killed") ::kill(::getpid(), SIGKILL);
  if (behaviour == "half_and_silent") {
    write_raw("evk1");
    ::pause();
  }
  if (behaviour == "silent") ::pause();
  // Closes the connection and goes on living.
  if (behaviour == "closes") {
    channel.close();
    for (;;) ::pause();
  }
  if (behaviour == "forks") {
    if (::fork() == 0) {
      for (;;) ::pause();
    }
    for (;;) ::pause();
  }
}

int serve(Channel& channel, const std::string& behaviour) {
  for (;;) {
    auto message = channel.receive();
    if (!message) return 0;
    auto request = Envelope::from_json(message->body);
    if (!request) return 1;
    if (request->type == Hello::kType) {
      Greeting greeting;
      greeting.shared_memory = behaviour != "short_pull";
      if (behaviour == "mute") ::pause();
      if (behaviour == "old_greeting") greeting.version = kVersion - 1;
      Envelope reply = *request;
      reply.body = greeting.to_json();
      (void)channel.send(reply.to_json());
      continue;
    }
    misbehave(channel, behaviour);
    answer(channel, *request, behaviour);
  }
}

}  // namespace
}  // namespace evoke::protocol

int main(int argc, char** argv) {
  std::string behaviour;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--device") == 0) behaviour = argv[i + 1];
  }
  evoke::protocol::Channel channel{evoke::Fd(3)};
  return evoke::protocol::serve(channel, behaviour);
}
