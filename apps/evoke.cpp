#include "evoke/cli/cli.h"

int main(int argc, char** argv) { return evoke::cli::run(argc, argv); }
