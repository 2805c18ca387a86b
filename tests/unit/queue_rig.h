/* tests/unit/queue_rig.h - a queue on a temporary directory, with a clock and peers that the test moves. */
#ifndef QUEUE_RIG_H
#define QUEUE_RIG_H

#include "fake_ipc.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_local.h"
#include "ipc/msg_remote.h"
#include "queue/queue.h"
#include "wire/text/queue_id.h"

struct rig {
	char          dir[64];
	int           fd;
	struct queue *q;
	struct queue_options options; /* change before rig_open */
	struct arena *arena;
	uint64_t      breaks;
	bool          signatures_held; /* the test answers questions for signatures itself; else there are no keys */
	bool          quotas_held; /* rig_settle leaves questions for quotas to the test */
};

extern struct rig_wants { /* what every submit asks for; rig_new clears it */
	uint32_t    flags, notify;
	const char *envid, *orcpt;
	int64_t     hold_until_ms, deliver_by_ms, priority;
	uint64_t    account;
	const char *token;
} rig_wants;

extern int64_t rig_mono, rig_wall; /* ms; the queue's clocks */
int64_t rig_clock_mono(void), rig_clock_wall(void);

struct rig *rig_new(void);
void rig_open(struct rig *r); /* opens the queue, started in turns */
void rig_close(struct rig *r);
/* As a process that is killed: nothing more is written; open requests are lost. */
void rig_crash(struct rig *r);
void rig_free(struct rig **r); /* also checks the invariants */

void rig_quotas(void); /* auth answers: no quotas */
/* Turn the writer until nothing more happens without the test. */
void rig_settle(struct rig *r);
void rig_pass(struct rig *r, int64_t ms); /* time goes by, then rig_settle */

/* Submit and settle; the text after the colon is the list of recipients, blanks between. 0: not taken. */
uint64_t rig_submit(struct rig *r, const char *from, const char *to, const char *content);
struct fake_reply *rig_submit_raw(struct rig *r, const char *txid, const char *from, const char *to, struct str content, int spool, uint64_t size);

/* Answer the next resolve: "5" is account 5, "a@b.c" a foreign address, blanks between; NULL: not found. False: there was none. */
bool rig_resolve(struct rig *r, const char *targets);
/* Answer the next delivery. */
bool rig_local(struct rig *r, enum local_result result, const char *code, const char *reason);
bool rig_local_lost(struct rig *r);
extern uint32_t rig_passed; /* enum remote_passed: what the peer has taken over */
extern enum remote_site rig_site; /* what rig_remote says of the destination */
bool rig_remote(struct rig *r, enum remote_result result, const char *code, const char *answer);

uint64_t rig_messages(struct rig *r);
struct queue_show_reply rig_show(struct rig *r, uint64_t id);

#endif
