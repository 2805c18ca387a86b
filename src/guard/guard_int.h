/* guard/guard_int.h - private to this folder: the guard, and what its files do for each other.
 *
 * One lock for all of memory: it is held for table look-ups, never while something is asked, answered or written. `saving` is
 * taken before it, for a whole save.
 */
#ifndef GUARD_GUARD_INT_H
#define GUARD_GUARD_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "db/db.h"
#include "guard/guard.h"
#include "guard/guard_count.h"
#include "guard/guard_dnsbl.h"
#include "guard/guard_ip.h"
#include "guard/guard_memo.h"

#define GUARD_DAY_MS      ((int64_t)24 * 3600 * 1000)
#define GUARD_SIGNIN_MS   (30 * GUARD_DAY_MS) /* an address that signed in is never banned for so long */
#define GUARD_GOOD_MS     (35 * GUARD_DAY_MS) /* a known-good network, a correspondent */
#define GUARD_BANNED_MS   (30 * GUARD_DAY_MS) /* the next ban is longer, for so long after the last */
#define GUARD_REFRESH_MS  ((int64_t)3600 * 1000) /* a memo that is only used again is written no more often */
#define GUARD_ALARMS      64u

enum guard_subject { GUARD_ADDRESS, GUARD_NETWORK, GUARD_ACCOUNT, GUARD_SENDER_DOMAIN, GUARD_RCPT_DOMAIN, GUARD_SUBJECTS };

enum guard_memory { /* in guard.db: append only */
	GUARD_PAIR,    /* a: network, b: domain: the greylist has seen it first at first_ms */
	GUARD_GOOD,    /* a: network: has passed the greylist */
	GUARD_SIGNIN,  /* a: address */
	GUARD_FRIEND,  /* a: domain: one of ours has written to it */
	GUARD_BANNED,  /* a: place; n: how often */
	GUARD_MEMORIES,
};

struct guard_ban {
	uint64_t place;
	int64_t  since_ms, until_ms; /* wall */
	uint32_t count;
	bool     manual;
	char     reason[LIMIT_GUARD_REASON + 1];
};

struct guard_alarm {
	uint64_t    account; /* 0: free */
	const char *reason;
	int64_t     when_ms; /* wall */
	char        from[LIMIT_ADDRESS + 1];
};

struct guard_known { /* what a list in DNS has said about an address */
	uint64_t             key; /* 0: free */
	int64_t              until_ms;
	struct guard_listing listing;
};

struct guard_wait; /* guard_connect.c: a connection that waits for lists */

struct guard {
	pthread_mutex_t      saving, lock;
	pthread_cond_t       wake;
	int64_t              now_mono_ms, now_wall_ms; /* when `lock` was taken */
	pthread_t            thread;
	bool                 threaded, stopping;
	atomic_uint          refs; /* the owner, and questions to DNS */
	struct guard_options options;
	struct guard_settings set; /* its strings are not kept */
	struct guard_zones   zones;
	struct guard_cidrs   trusted;
	uint8_t              secret[GUARD_SECRET];
	struct guard_counts  counts[GUARD_SUBJECTS];
	struct guard_memos   memos[GUARD_MEMORIES];
	struct map           bans; /* by place */
	bool                 bans_changed;
	struct guard_known  *known;
	struct guard_wait   *waits, **waits_end; /* oldest first */
	unsigned             wait_count;
	int64_t              tarpits[LIMIT_GUARD_TARPITS]; /* when each ends; a ring */
	unsigned             tarpit_at;
	struct guard_alarm   alarms[GUARD_ALARMS];
	unsigned             alarm_at;
	struct db           *db; /* NULL: in memory only. Guarded by `saving` */
	bool                 save_failed;
	int64_t              saved_ms;
};

/* Take `lock`, and look at the clocks once for all that is done under it. */
static inline void guard_lock(struct guard *g)
{
	pthread_mutex_lock(&g->lock);
	g->now_mono_ms = g->options.mono_ms();
	g->now_wall_ms = g->options.wall_ms();
}
static inline void guard_unlock(struct guard *g)
{
	pthread_mutex_unlock(&g->lock);
}
static inline int64_t guard_mono(const struct guard *g) { return g->now_mono_ms; }
static inline int64_t guard_wall(const struct guard *g) { return g->now_wall_ms; }

/* ---- guard.c ---- */
/* Keyed; never 0. */
uint64_t guard_hash(const struct guard *g, unsigned kind, const void *p, size_t n);
void     guard_unref(struct guard *g);

/* ---- the rest hold `lock` ---- */

/* guard_who.c */
struct guard_counter *guard_count(struct guard *g, enum guard_subject subject, uint64_t number);
struct guard_counter *guard_count_domain(struct guard *g, enum guard_subject subject, struct str domain);
uint64_t              guard_domain_hash(const struct guard *g, struct str domain);
/* After the last "@"; "" for the null reverse-path. */
struct str guard_domain_of(struct str address);
/* Not limited as a peer. NULL, or why: "loopback", "trusted". */
const char *guard_free(const struct guard *g, const struct guard_ip *ip);
/* Never banned. NULL, or why: as above, or "signed_in". */
const char *guard_unbannable(struct guard *g, const struct guard_ip *ip);
/* Is it remembered, and not for longer than `age_ms`? */
struct guard_memo *guard_recall(struct guard *g, enum guard_memory what, uint64_t a, uint64_t b, int64_t age_ms);
/* Remember it as of now. */
struct guard_memo *guard_remember(struct guard *g, enum guard_memory what, uint64_t a, uint64_t b);

/* guard_ban.c */
/* The ban that hits this peer now, or NULL. */
const struct guard_ban *guard_ban_of(struct guard *g, const struct guard_ip *ip);
/* n failures of a peer, of one kind: counted, and over the limit it is banned. */
void guard_failed(struct guard *g, const struct guard_ip *ip, uint32_t n, const char *reason);
/* Put it in, or make the ban that is there longer. */
struct guard_ban *guard_ban_put(struct guard *g, const struct guard_ban *ban);
void              guard_ban_drop(struct guard *g, uint64_t place);
void              guard_bans_expire(struct guard *g);
/* "banned until 2026-11-28 18:00 UTC: 60 failures ..." */
struct str guard_ban_text(struct arena *a, const struct guard_ban *b);
struct str guard_time(struct arena *a, int64_t wall_ms);

/* guard_grey.c: seconds that this sender has to wait; 0: passes. */
uint32_t guard_grey(struct guard *g, const struct guard_ip *ip, const struct auth_rcpt_request *q);

/* guard_lists.c: the answers of lists in DNS. */
/* The address's cached answer of a zone, or NULL. */
const struct guard_listing *guard_known_find(struct guard *g, uint64_t key);
void     guard_known_put(struct guard *g, uint64_t key, const struct guard_listing *l, int64_t ttl_ms);
uint64_t guard_known_key(const struct guard *g, const struct guard_zone *z, const struct guard_ip *ip);
/* Sum of the weights; `names`, if not NULL, gets the zones that count, with a space before each. */
int guard_score(struct guard *g, const struct guard_ip *ip, struct buf *names);

/* guard_limit.c */
struct guard_limit {
	const char        *reason; /* for the log */
	enum guard_subject subject;
	enum guard_what    what;
	bool               day;
	size_t             offset; /* in struct guard_settings */
	bool               wide;   /* the setting is 64 bits, in octets */
	const char        *text;   /* "messages per hour from your address" */
};
extern const struct guard_limit guard_limits[];
extern const size_t             guard_limit_count;
/* 0: off. Octets in KiB. */
uint64_t guard_limit_of(const struct guard *g, const struct guard_limit *l);
/* The first limit that `n` more of `what` would break for this subject, or NULL. */
const struct guard_limit *guard_limit_broken(const struct guard *g, const struct guard_counter *c, enum guard_subject subject,
					     enum guard_what what, uint64_t n);

/* guard_connect.c */
void    guard_connect(struct guard *g, struct ipc_request *r);
int64_t guard_waits_end(struct guard *g, bool all); /* does not hold `lock`; ms until the next ends, or -1 */
/* guard_note.c, guard_admin.c: do not hold `lock` */
void guard_note(struct guard *g, const struct guard_note_request *q);
void guard_admin(struct guard *g, struct ipc_request *r);

/* guard_store.c */
void        guard_store_open(struct guard *g); /* also makes the secret */
void        guard_store_close(struct guard *g);

#endif
