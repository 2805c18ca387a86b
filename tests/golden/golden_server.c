/* tests/golden/golden_server.c - a server for run_smtp.py: the SMTP session over the real net, with a fake directory
 * and queue.
 *
 * Prints the addresses as settings of the environment, then runs until the end of its standard input.
 */
#include <stdio.h>

#include "base/log.h"
#include "smtp_server.h"

int main(void)
{
	static struct smtp_server s;

	log_set_level(LOG_LEVEL_ERROR);
	smtp_server_start(&s);
	printf("POSTRIDER_SMTP=127.0.0.1:%u\n", s.port[SMTP_KIND_RELAY]);
	printf("POSTRIDER_SUBMISSION=127.0.0.1:%u\n", s.port[SMTP_KIND_SUBMISSION]);
	printf("POSTRIDER_LMTP=127.0.0.1:%u\n\n", s.port[SMTP_KIND_LMTP]);
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	smtp_server_stop(&s);
	return 0;
}
