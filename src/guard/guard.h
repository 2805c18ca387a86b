/* guard/guard.h - limits and bans at the door: a part of the role auth, which alone sees all sessions.
 *
 * Counts what peers, networks, accounts and domains do (guard_count.h), and answers at two places: when a connection begins
 * (IPC_GUARD_CONNECT: bans, connection limits, lists in DNS, pause before the greeting) and at RCPT (guard_rcpt, inside the answer to
 * IPC_AUTH_RCPT: limits, greylist, tarpit). Failures of a peer ban it, each time for longer. docs/concepts/limits.md is the list of all
 * reasons and settings.
 *
 * To whom it does not apply:
 *   - a request that says `exempt`, and loopback in a laboratory: not even counted
 *   - loopback and smtp.trusted: counted; never refused, held back or banned as a peer. Accounts have their limits there too
 *   - an address that signed in within the last 30 days: never banned or held back, and may connect as often as it likes
 *
 * Memory is fixed: about 30 MiB when every table is full, whoever fills them; pages that are not used cost nothing. What should survive a
 * restart (bans, greylist, known-good networks, sign-ins, correspondents) is in guard.db, written every half minute by a thread of
 * its own: a crash forgets the last of it, and no question waits for the disk. Counters start at zero with the process.
 *
 * Thread-safe. Nothing here waits, but for guard_open, guard_save, guard_close and what administrators ask.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "base/arena.h"
#include "base/status.h"
#include "guard/guard_settings.h"
#include "ipc/ipc.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_guard.h"

struct guard;

/* Ask DNS for the A records of `name` (valid during the call): done() once, from any thread, also from inside; `reply` is a struct
 * dns_lookup_reply if status is ST_OK. */
typedef void guard_lookup_fn(void *ctx, struct str name, ipc_done_fn *done, void *arg);

struct guard_options { /* zero means the default */
	const char            *path; /* "auth/guard.db"; "": in memory only */
	struct guard_settings  settings;
	bool                   lab;
	bool                   threadless; /* guard_tick() is called by hand: tests, commands */
	guard_lookup_fn       *lookup;     /* NULL: no lists */
	void                  *lookup_ctx;
	int64_t (*mono_ms)(void); /* clocks, for tests */
	int64_t (*wall_ms)(void);
};

/* The real lookup; ctx is the process's struct ipc. */
void guard_lookup_ipc(void *ctx, struct str name, ipc_done_fn *done, void *arg);

/* After db_init() and db_root("auth", fd). A guard.db that cannot be opened is logged, and nothing is remembered over a restart. */
struct guard *guard_open(const struct guard_options *options);
void          guard_set(struct guard *g, const struct guard_settings *settings); /* reload */
/* Saves; connections that wait are accepted. Sets *g to NULL; NULL inside is fine. */
void guard_close(struct guard **g);

/* All messages IPC_GUARD_*; `g` NULL: nothing is limited. */
void guard_answer(struct guard *g, struct ipc_request *r);
/* The directory has given reply->kind: count, and if there is a reason turn it into AUTH_RCPT_LATER, or hold the reply back. Texts
 * live in `a`, or are static. NULL: nothing. */
void guard_rcpt(struct guard *g, struct arena *a, const struct auth_rcpt_request *q, struct auth_rcpt_reply *reply);
/* Is the peer in smtp.trusted: is what it says of a sender believed? NULL: nobody is. */
bool guard_trusts(struct guard *g, struct str peer);
/* Somebody has signed in, or failed to. ctx is the guard. */
void guard_signin(void *ctx, struct str peer, struct str account, bool ok);

/* End waits whose time is over, save what changed. Returns ms until there is something to do again. */
int64_t            guard_tick(struct guard *g);
MUST_CHECK enum status guard_save(struct guard *g);

/* Why the settings are wrong, for people, or true. */
MUST_CHECK bool guard_settings_check(const struct guard_settings *s, struct buf *why);

#endif
