/* trust/trust_store.h - trust.db: what is known of other domains. A library of the role auth.
 *
 * MTA-STS policies, so that they protect the first message after a restart too; and how TLS went, for 30 days. Nothing in it is needed for
 * mail: without the file policies are fetched anew, and results begin at zero. The format is docs/formats/trust.md.
 *
 * One caller at a time (a lock); every call may wait for the disk. Tests: tests/unit/test_trust_store.c.
 */
#ifndef TRUST_TRUST_STORE_H
#define TRUST_TRUST_STORE_H

#include "base/arena.h"
#include "base/status.h"
#include "ipc/ipc.h"
#include "ipc/msg_trust.h"

struct trust_store;

struct trust_store_options { /* zero means the default */
	const char *path; /* "auth/trust.db" */
	int64_t (*wall_ms)(void);
	size_t policies_max, rows_max; /* LIMIT_STS_STORED, LIMIT_TLSRPT_STORED; less in tests */
};

/* After db_init() and db_root("auth", fd). A file that cannot be opened is logged; then no policy is known (mail must not wait for that), and all
 * other calls say ST_TEMP. */
struct trust_store *trust_store_open(const struct trust_store_options *options);
/* Sets *t to NULL; NULL inside is fine. */
void trust_store_close(struct trust_store **t);

MUST_CHECK enum status trust_sts_get(struct trust_store *t, struct str domain, struct arena *a, struct auth_sts *ret);
/* ST_INVALID: no policy that could have come from sts_policy_print. */
MUST_CHECK enum status trust_sts_put(struct trust_store *t, const struct auth_sts *sts);

/* All rows or none. Days that are no longer kept, or are ahead by more than one, are left out. */
MUST_CHECK enum status trust_tlsrpt_note(struct trust_store *t, const struct auth_tlsrpt_note_request *q);
MUST_CHECK enum status trust_tlsrpt_list(struct trust_store *t, const struct auth_tlsrpt_list_request *q, struct arena *a,
					 struct auth_tlsrpt_list_reply *ret);
MUST_CHECK enum status trust_tlsrpt_show(struct trust_store *t, const struct auth_tlsrpt_show_request *q, struct arena *a,
					 struct auth_tlsrpt_show_reply *ret);

/* The messages of all this; ctx is the store. They wait for the disk: in a pool. */
#define TRUST_POOL 4u /* ipc_pool(ipc, TRUST_POOL, 1, backlog) */
extern const struct ipc_row trust_rows[];
extern const size_t         trust_row_count;

#endif
