/* deliver/remote_sts.h - which MTA-STS policy a domain has, RFC 8461: found, fetched, remembered.
 *
 *   memory (LRU, bounded)  -> auth (survives a restart) -> TXT _mta-sts.DOMAIN -> https://mta-sts.DOMAIN/.well-known/mta-sts.txt
 *
 * A policy is used until its max_age has passed, whatever becomes of record and host (§5.1): one that cannot be refreshed never gets looser
 * before. It is looked at again while it is used: the record's id once an hour, the policy itself when the id differs or after a day; that
 * is done by threads of this file, no delivery waits for it.
 * Where nothing is known, the delivery itself looks; others to the same domain wait for its result instead of asking too, policy_ms at
 * most; those to other domains are not concerned. Who has little time (a probe; a delivery with a connection under way) has it looked for by those
 * threads, and is told when policy_ms is over: `late`; a probe goes on without. No policy, or none that could be had, is remembered for a few
 * minutes. The first fetch may fail: then there is no policy (opportunistic, as the RFC says), and `trouble` says why, for the reports; unless auth
 * could not say whether it keeps one: `unsure`.
 *
 * Time in memory is monotonic: a wall clock that jumps neither ends nor prolongs what is in use.
 *
 * Thread-safe. Tests: tests/unit/test_remote_sts.c.
 */
#ifndef DELIVER_REMOTE_STS_H
#define DELIVER_REMOTE_STS_H

#include "base/arena.h"
#include "http/http_fetch.h"
#include "ipc/msg_trust.h"
#include "wire/sts/sts_policy.h"

struct remote;

struct remote_sts {
	enum sts_mode      mode; /* STS_NONE: no policy, or one that asks for nothing */
	struct str         text; /* one field a line, as sts_policy_print; "" if there is none */
	const struct str  *mx;   /* patterns */
	size_t             mx_count;
	bool               unsure; /* auth may know one, could not be asked, and nothing new was had: for a minute nobody knows; mode is STS_NONE */
	bool               late;   /* policy_ms was over before it was known: asked again there may be one; mode is STS_NONE */
	enum tlsrpt_result trouble; /* TLSRPT_SUCCESS, or why the domain's policy could not be had (TLSRPT_STS_...); then mode is STS_NONE */
};

/* Of a policy domain: the recipients' domain, for next hops by MX; never of relays by name and address literals. May wait (see above).
 * `a` keeps the slices. Always fills *ret; STS_NONE too where remote has no cache (remote->sts is NULL) or no authorities. */
void remote_sts_find(const struct remote *remote, struct str domain, struct arena *a, struct remote_sts *ret);
/* May a host found by MX get the mail? RFC 8461 §4.1. Not to be asked for STS_NONE. */
bool remote_sts_matches(const struct remote_sts *sts, struct str mx);

/* ---- the cache, for the role ---- */

struct remote_sts_cache;

struct remote_sts_options { /* zero means the default */
	/* IPC_AUTH_STS_GET and _PUT; NULL: nothing survives a restart. */
	enum status (*get)(void *ctx, struct str domain, struct arena *a, struct auth_sts *ret);
	void (*put)(void *ctx, const struct auth_sts *sts);
	void *ctx;
	enum http_result (*fetch)(const struct http_request *q, struct arena *a, struct http_reply *ret); /* http_fetch */
	int64_t (*mono_ms)(void);
	int64_t (*wall_ms)(void);
	bool    threadless; /* refreshes are done by remote_sts_work() */
};

struct remote_sts_cache *remote_sts_open(const struct remote_sts_options *options);
/* Waits for what is being fetched. Sets *c to NULL; NULL inside is fine. */
void remote_sts_close(struct remote_sts_cache **c);
/* Do one refresh that is due; false: none is. */
bool remote_sts_work(struct remote_sts_cache *c);

#endif
