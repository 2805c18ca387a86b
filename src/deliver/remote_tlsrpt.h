/* deliver/remote_tlsrpt.h - how TLS with each domain went, counted for the reports of RFC 8460.
 *
 * Counts stay in memory (LIMIT_TLSRPT_MEMORY rows; beyond, first without details, then for the domain TLSRPT_OTHER) and go to auth
 * every ten seconds and at the stop. They are not exact: a crash costs the last seconds, and a note whose answer is lost is counted again.
 *
 * Thread-safe. Tests: tests/unit/test_remote_tlsrpt.c.
 */
#ifndef DELIVER_REMOTE_TLSRPT_H
#define DELIVER_REMOTE_TLSRPT_H

#include "base/status.h"
#include "deliver/remote_sts.h"
#include "ipc/msg_trust.h"

struct remote_tlsrpt_note {
	struct str               domain; /* policy domain: the recipients' */
	enum tlsrpt_policy       policy; /* what the session was attempted under */
	const struct remote_sts *sts;    /* what remote_sts_find said, or NULL if it was not asked */
	struct str               policy_text; /* TLSRPT_TLSA: the records, one a line, RFC 8460 §4.4; else "" (that of an STS policy is in sts) */
	enum tlsrpt_result       result;
	struct str               sending_ip, mx_host, mx_helo, receiving_ip; /* as text; "" if not known */
	struct str               reason; /* of a failure, free text: "STARTTLS: 454 4.7.0 ..."; "" for none */
};

/* Once per session that came as far as its TLS was decided (up, refused, failed, or a certificate that does not fit: also in mode testing,
 * when the session goes on), whatever happened to the messages on it; not for messages on a session that is used again, and not for hosts
 * that could not be connected to. Never waits. Nothing happens if remote->tlsrpt is NULL.
 *
 * The note for a domain whose STS policy could not be had (sts->trouble) is turned into a failure of that kind, RFC 8460 §4.3.2.2, unless the
 * session was under DANE. */
struct remote;
void remote_tlsrpt_note(const struct remote *remote, const struct remote_tlsrpt_note *note);

/* ---- for the role ---- */

struct remote_tlsrpt;

struct remote_tlsrpt_options { /* zero means the default */
	/* IPC_AUTH_TLSRPT_NOTE. Not ST_OK: they are kept and sent again with the next. */
	enum status (*send)(void *ctx, const struct auth_tlsrpt_note_request *q);
	void *ctx;
	int64_t (*wall_ms)(void);
	bool    threadless; /* remote_tlsrpt_flush() is called by hand */
};

struct remote_tlsrpt *remote_tlsrpt_open(const struct remote_tlsrpt_options *options);
void                  remote_tlsrpt_flush(struct remote_tlsrpt *t);
/* Flushes. Sets *t to NULL; NULL inside is fine. */
void remote_tlsrpt_close(struct remote_tlsrpt **t);

#endif
