/* tests/unit/imap_rig.h - one IMAP session over the fake net and a store of its own. */
#ifndef IMAP_RIG_H
#define IMAP_RIG_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "db/db.h"
#include "fake_ask.h"
#include "fake_net.h"
#include "imap/imap.h"
#include "store/store_message.h"
#include "sys/disk.h"

struct imap_rig {
	char                 dir[40];
	int                  fd;
	struct store        *store;
	struct arena        *arena;
	struct store_options options;
	struct fake_ask      outside;
	struct net_conn      conn;
	struct imap_env      env;
	struct imap_settings set;
	struct imap_ask      ask;
	unsigned             changes; /* told by `changed` */
};

static inline void imap_rig_changed(void *ctx, uint64_t account, uint64_t modseq)
{
	struct imap_rig *r = ctx;

	CHECK(account == 1 && modseq > 0);
	r->changes++;
}

static inline void imap_rig_store(struct imap_rig *r)
{
	/* In memory by preference: it syncs often. */
	snprintf(r->dir, sizeof(r->dir), "%s/imap-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(r->dir));
	r->fd = open(r->dir, O_RDONLY | O_DIRECTORY);
	CHECK(r->fd >= 0 && store_new(r->fd, &r->options, &r->store) == ST_OK);
	r->env.store = r->store;
}

static inline void imap_rig_store_done(struct imap_rig *r)
{
	store_free(&r->store);
	close(r->fd);
	CHECK(disk_remove_dir(AT_FDCWD, r->dir) == ST_OK);
}

/* Account 1 is alice@demo.test's; sign-in without TLS is allowed. Then change what is to be otherwise, and imap_rig_begin. */
static inline void imap_rig_open(struct imap_rig *r)
{
	*r = (struct imap_rig){ .options = { .watermark_octets = 1, .watermark_percent = 1 } };
	db_init();
	r->arena = arena_new(NULL);
	fake_ask_init(&r->outside);
	imap_settings_init(&r->set);
	r->set.allow_plain = r->set.unannounced = true;
	r->ask.changed = imap_rig_changed;
	r->env = (struct imap_env){ .settings = &r->set, .notify = imap_notify_new(), .ask = &r->ask, .ask_ctx = r, .sasl = &fake_sasl,
				    .sasl_ctx = &r->outside };
	imap_rig_store(r);
}

static inline struct store_account *imap_rig_account(struct imap_rig *r, const char *mailbox, struct store_mailbox *ret)
{
	struct store_account *a;

	CHECK(store_open(r->store, 1, &a) == ST_OK);
	CHECK(store_mailbox_find(a, str_of(mailbox), r->arena, ret) == ST_OK);
	return a;
}

/* What somebody else does, in another session or process: a message comes, flags are added, messages go. */
static inline void imap_rig_add(struct imap_rig *r, struct str content)
{
	struct store_mailbox            box;
	struct store_account           *a CLEANUP(store_close) = imap_rig_account(r, "INBOX", &box);
	const struct store_new_message  m = { .content = content, .internal_ms = 1 };
	struct store_added              added;

	CHECK(store_append(a, box.id, &m, 1, &added) == ST_OK);
}

static inline void imap_rig_flag(struct imap_rig *r, uint32_t uid, unsigned flags)
{
	struct store_mailbox      box;
	struct store_account     *a CLEANUP(store_close) = imap_rig_account(r, "INBOX", &box);
	struct store_range        range = { uid, uid };
	struct store_flag_change  c = { .op = STORE_FLAGS_ADD, .flags = flags, .unchanged_since = UINT64_MAX };
	struct store_flagged      f;

	CHECK(store_flags(a, box.id, (struct store_set){ &range, 1 }, &c, r->arena, &f) == ST_OK);
}

static inline void imap_rig_expunge(struct imap_rig *r, uint32_t uid)
{
	struct store_mailbox  box;
	struct store_account *a CLEANUP(store_close) = imap_rig_account(r, "INBOX", &box);
	struct store_range    range = { uid, uid };
	struct store_expunged gone;

	CHECK(store_expunge(a, box.id, (struct store_set){ &range, 1 }, false, r->arena, &gone) == ST_OK);
}

static inline void imap_rig_begin(struct imap_rig *r)
{
	fake_init(&r->conn);
	r->conn.exporter = r->conn.end_point = STR_NONE;
	fake_start(&r->conn, &imap_proto, &r->env);
}

static inline void imap_rig_end(struct imap_rig *r)
{
	fake_done(&r->conn);
}

static inline void imap_rig_close(struct imap_rig *r)
{
	fake_ask_done(&r->outside);
	imap_rig_store_done(r);
	imap_notify_free(&r->env.notify);
	arena_free(&r->arena);
}

/* What comes back for these octets. */
static inline struct str imap_rig_say(struct imap_rig *r, const char *text)
{
	buf_clear(&r->conn.out);
	fake_feed(&r->conn, str_of(text));
	return buf_str(&r->conn.out);
}

/* Has the session put away its list of messages? While it holds one it waits no longer than view_ms. */
static inline bool imap_rig_holds_view(const struct imap_rig *r)
{
	return r->conn.want.kind == NET_WANT_LINE && r->conn.want.timeout_ms == r->set.view_ms;
}

#define IMAP_SIGN_IN "a LOGIN alice@demo.test password\r\n"

#endif
