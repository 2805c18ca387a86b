/* cli/demo_client.h - the demo's own mail client: one message out over submission, and back in over IMAPS. */
#ifndef CLI_DEMO_CLIENT_H
#define CLI_DEMO_CLIENT_H

#include "base/status.h"
#include "base/str.h"

struct demo_mail {
	unsigned   submission_port, imaps_port; /* on 127.0.0.1 */
	const char *from, *to, *password;
	const char *tag; /* unique; in Subject and Message-ID */
};

/* Connect, STARTTLS, AUTH PLAIN, send. *ret_why names the step and the server's answer. */
MUST_CHECK enum status demo_send(const struct demo_mail *m, char *ret_why, size_t cap);
/* Connect with TLS, LOGIN, SELECT INBOX, SEARCH for the tag until it is there, FETCH it. */
MUST_CHECK enum status demo_receive(const struct demo_mail *m, unsigned timeout_ms, char *ret_why, size_t cap);

#endif
