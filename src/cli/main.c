/* main.c - the program's entry: everything is a command. */
#include "cli/cli_main.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
