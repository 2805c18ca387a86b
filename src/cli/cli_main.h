/* cli/cli_main.h - the program. */
#ifndef CLI_CLI_MAIN_H
#define CLI_CLI_MAIN_H

/* Run the command that argv names; returns its exit code. */
int cli_main(int argc, char **argv);

#endif
