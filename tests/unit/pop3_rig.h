/* tests/unit/pop3_rig.h - one POP3 session over the fake net and a store of its own. */
#ifndef POP3_RIG_H
#define POP3_RIG_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "db/db.h"
#include "fake_ask.h"
#include "fake_net.h"
#include "pop3/pop3.h"
#include "store/store_message.h"
#include "sys/disk.h"

struct pop3_rig {
	char                 dir[40];
	int                  fd;
	struct store        *store;
	struct arena        *arena;
	struct store_options options;
	struct fake_ask      outside;
	struct net_conn      conn;
	struct pop3_env      env;
	struct pop3_settings set;
	struct pop3_ask      ask;
	unsigned             changes; /* told by `changed` */
};

static inline void pop3_rig_changed(void *ctx, uint64_t account, uint64_t modseq)
{
	struct pop3_rig *r = ctx;

	CHECK(account == 1 && modseq > 0);
	r->changes++;
}

/* Account 1 is alice@demo.test's; sign-in without TLS is allowed. Then change what is to be otherwise, and pop3_rig_begin. */
static inline void pop3_rig_open(struct pop3_rig *r)
{
	*r = (struct pop3_rig){ .options = { .watermark_octets = 1, .watermark_percent = 1 } };
	db_init();
	/* In memory by preference: it syncs often. */
	snprintf(r->dir, sizeof(r->dir), "%s/pop3-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(r->dir));
	r->fd = open(r->dir, O_RDONLY | O_DIRECTORY);
	CHECK(r->fd >= 0 && store_new(r->fd, &r->options, &r->store) == ST_OK);
	r->arena = arena_new(NULL);
	fake_ask_init(&r->outside);
	pop3_settings_init(&r->set);
	r->set.allow_plain = true;
	r->ask.changed = pop3_rig_changed;
	r->env = (struct pop3_env){ .settings = &r->set, .store = r->store, .ask = &r->ask, .ask_ctx = r, .sasl = &fake_sasl,
				    .sasl_ctx = &r->outside };
}

static inline void pop3_rig_add(struct pop3_rig *r, struct str content)
{
	struct store_account           *a CLEANUP(store_close) = NULL;
	const struct store_new_message  m = { .content = content, .internal_ms = 1 };
	struct store_mailbox            box;
	struct store_added              added;

	CHECK(store_open(r->store, 1, &a) == ST_OK);
	CHECK(store_mailbox_find(a, STR("INBOX"), r->arena, &box) == ST_OK);
	CHECK(store_append(a, box.id, &m, 1, &added) == ST_OK);
}

static inline uint64_t pop3_rig_count(struct pop3_rig *r)
{
	struct store_account *a CLEANUP(store_close) = NULL;
	struct store_mailbox  box;

	CHECK(store_open(r->store, 1, &a) == ST_OK);
	CHECK(store_mailbox_find(a, STR("INBOX"), r->arena, &box) == ST_OK);
	return box.messages;
}

static inline void pop3_rig_begin(struct pop3_rig *r)
{
	fake_init(&r->conn);
	r->conn.exporter = r->conn.end_point = STR_NONE;
	fake_start(&r->conn, &pop3_proto, &r->env);
}

static inline void pop3_rig_end(struct pop3_rig *r)
{
	fake_done(&r->conn);
}

static inline void pop3_rig_close(struct pop3_rig *r)
{
	fake_ask_done(&r->outside);
	store_free(&r->store);
	arena_free(&r->arena);
	close(r->fd);
	CHECK(disk_remove_dir(AT_FDCWD, r->dir) == ST_OK);
}

/* What comes back for these octets. */
static inline struct str pop3_rig_say(struct pop3_rig *r, const char *text)
{
	buf_clear(&r->conn.out);
	fake_feed(&r->conn, str_of(text));
	return buf_str(&r->conn.out);
}

#define POP3_SIGN_IN "USER alice@demo.test\r\nPASS password\r\n"

#endif
