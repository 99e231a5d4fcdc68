// Certificates, with a real TLS service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/base/subprocess.h"
#include "evoke/proposers/llm/service_client.h"
#include "tests/proposers/llm/service_setup.h"
#include "tests/support/temporary_folder.h"

namespace evoke::llm {
namespace {

using test::ask;
using test::options_for;
using testing::HasSubstr;

constexpr char kTlsServer[] = R"python(
import http.server, os, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"choices": [{"message": {"content": "hi"}}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/cert.pem", sys.argv[1] + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(sys.argv[1] + "/port.new", "w") as out:
    out.write(str(server.server_address[1]))
os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
while True:
    server.handle_request()
)python";

Subprocess start(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "/usr/bin/env");
  SubprocessOptions options;
  options.arguments = std::move(arguments);
  const char* const path = std::getenv("PATH");
  options.environment = {std::string("PATH=") +
                         (path != nullptr ? path : "/usr/bin:/bin")};
  return Subprocess::start(options).value();
}

TEST(ServiceClient, DoesNotTrustACertificateThatNobodySigned) {
  const evoke::test::TemporaryFolder folder;
  Subprocess certify =
      start({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
             folder.file("key.pem"), "-out", folder.file("cert.pem")});
  const auto ended = certify.wait(60'000);
  ASSERT_TRUE(ended && ended->ok()) << certify.output();
  std::ofstream(folder.file("server.py")) << kTlsServer;
  Subprocess server =
      start({"python3", folder.file("server.py"), folder.path()});
  Result<std::string> port = read_file(folder.file("port"));
  for (int i = 0; i < 600 && !port; ++i) {
    ASSERT_FALSE(server.wait(100)) << server.output();
    port = read_file(folder.file("port"));
  }
  ASSERT_TRUE(port);

  ServiceOptions options = options_for("https://127.0.0.1:" + *port + "/v1");
  options.breaker.failures = 1;
  ServiceClient wary(options);
  const auto refused = wary.chat(ask(), nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ChatErrorKind::service_down);
  EXPECT_FALSE(refused.error().transient);
  EXPECT_EQ(refused.error().requests, 1);  // it will not get better
  EXPECT_THAT(refused.error().message, HasSubstr("not trusted"));

  options.ca_file = folder.file("cert.pem");
  ServiceClient trusting(options);
  const auto reply = trusting.chat(ask(), nullptr);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, "hi");
}

}  // namespace
}  // namespace evoke::llm
