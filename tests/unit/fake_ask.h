/* tests/unit/fake_ask.h - the outside of an SMTP session: a directory and a queue that do as they are told.
 *
 * Directory: demo.test with alice (account 1) and bob (2), password "password"; closed@demo.test is closed, down@demo.test gives
 * ST_TEMP; relay.test is a domain that is relayed, refused@demo.test is refused in auth's own words (fake_ask.words), slow@demo.test
 * is accepted after a second, stuck@demo.test after an hour (or as long as the session holds a reply back); full@ and list@demo.test are
 * full and closed; other names at demo.test are unknown, other domains foreign; there*@relay.example is there when its host is asked,
 * others are not. Sign-in: user busy@demo.test gives ST_BUSY, limit@demo.test ST_LIMIT. Each account may send as itself; alice on
 * behalf of boss@demo.test.
 */
#ifndef FAKE_ASK_H
#define FAKE_ASK_H

#include "base/buf.h"
#include "smtp/smtp.h"

#define FAKE_STEPS 8
#define FAKE_HELD  32
#define FAKE_TRACE 64

struct fake_ask {
	/* what happens; the steps are used up one by one, then the last repeats */
	enum status              submit_status[FAKE_STEPS];
	enum queue_submit_result submit_result;
	enum status              known_status[FAKE_STEPS];
	bool                     known;
	enum status              spool_status;
	enum status              probe_status, rewrite_status;
	bool                     rewrites; /* there are rules: senders @demo.test, recipients @away.example get another domain */
	int64_t                  now_ms;
	struct auth_rcpt_reply   words;        /* to refused@demo.test */
	enum status              flush_status;
	uint64_t                 flush_count;
	bool                     hold; /* submits are answered by fake_ask_answer */
	/* what happened */
	bool       exempt;  /* of the last RCPT */
	struct buf flushed; /* domain of the last ETRN */
	struct buf envelope; /* of the last message: "notify orcpt" of each recipient, a line each */
	struct buf envid;
	int64_t    hold_until_ms, deliver_by_ms, priority;
	unsigned   submits, knowns, rcpts, logins, senders, spools, probes;
	uint64_t   paused_ms;
	uint64_t   next_id;
	bool       has_message;
	char       txid[QUEUE_TXID];
	struct buf from, recipients /* each with a space behind it */, content, user;
	uint32_t   flags;
	uint64_t   account;
	struct {
		smtp_submit_fn *done;
		void           *arg;
	} held[FAKE_HELD];
	_Atomic unsigned held_count;
	enum trace_what trace[FAKE_TRACE];
	unsigned        trace_count;
};

void fake_ask_init(struct fake_ask *f);
void fake_ask_done(struct fake_ask *f);
/* Answer all that was held, and hold no more. */
void fake_ask_answer(struct fake_ask *f);
/* For sign-in of any protocol; the ctx is the struct. alice@demo.test has the password "password", the token "good.token" and the
 * certificate FAKE_FINGERPRINT. */
extern const struct sasl_ask fake_sasl;
#define FAKE_SALT        "0123456789abcdef"
#define FAKE_ITERATIONS  4096u
#define FAKE_NONCE       "server-nonce"
#define FAKE_FINGERPRINT "an alice's certificate fingerpri"
/* For smtp_env.ask; ask_ctx is the struct. */
extern const struct smtp_ask fake_ask;

/* An env with the defaults of mx.demo.test. `settings` must live as long. */
void fake_env_init(struct smtp_env *env, struct smtp_settings *settings, enum smtp_kind kind, struct fake_ask *f);

#endif
