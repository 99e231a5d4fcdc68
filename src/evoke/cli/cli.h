// The program `evoke`: parses the command line, runs one subcommand, turns
// exceptions into one line and an exit code.
#pragma once

namespace evoke::cli {

int run(int argc, char** argv);

}  // namespace evoke::cli
