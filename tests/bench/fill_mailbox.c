/* tests/bench/fill_mailbox.c - a mailbox to be searched. usage: fill_mailbox ACCOUNTS COUNT
 *
 * Delivers COUNT messages into INBOX of account 1 below the directory ACCOUNTS: lists with replies, names with encoded words, a body
 * of 1.5 KB. With the same COUNT always the same ones. Build without sanitizers; tests/bench/bench_search.py uses it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/db.h"
#include "store/store_message.h"

#define BATCH STORE_DELIVER_MAX

static void must(enum status st, const char *what)
{
	if (st == ST_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, status_name(st));
	exit(1);
}

static struct str message(struct arena *a, unsigned i)
{
	static const char *const names[] = { "Alice Example", "Bob Builder", "=?UTF-8?Q?J=C3=B6rg_M=C3=BCller?=", "Carol", "Dave \"D\" Doe" };
	static const char *const words[] = { "invoice", "meeting", "holiday", "report", "question", "patch", "release", "budget" };
	struct str filler = arena_printf(a, "%0*d", 1400, 7);
	unsigned   root = i - i % 10;

	return arena_printf(a,
			    "Return-Path: <u%u@example.com>\r\nReceived: from a.example by b.example; Fri, 1 Jan 2021 10:00:00 +0000\r\n"
			    "From: %s <user%u@example%u.com>\r\nTo: list%u@lists.example.org, Somebody <s%u@example.net>\r\n"
			    "Subject: %s[list%u] %s about %s number %u\r\nDate: %u Jan 20%02u %02u:%02u:00 +0000\r\n"
			    "Message-ID: <%u.%u@example.com>\r\n%s%s\r\n\r\nText of %u\r\n%.*s\r\n",
			    i % 500, names[i % 5], i % 997, i % 13, i % 20, i % 700, i % 10 ? "Re: " : "", i % 20, words[root / 10 % 8],
			    words[root / 80 % 8], root, i % 28 + 1, i % 20 + 1, i % 24, i % 60, i, i * 7, i % 10 ? "References: " : "X-First: yes",
			    i % 10 ? arena_printf(a, "<%u.%u@example.com> <%u.%u@example.com>", root, root * 7, i - 1, (i - 1) * 7).p : "", i,
			    STR_FMT(filler));
}

int main(int argc, char **argv)
{
	static const struct store_options options = { .watermark_octets = 1, .watermark_percent = 1 };
	const struct store_target         target = { .mailbox = STR("") };
	struct store                     *store;
	struct store_account             *a;
	unsigned                          count = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	int                               dir;

	if (count == 0)
		return 2;
	db_init();
	dir = open(argv[1], O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	must(dir >= 0 ? store_new(dir, &options, &store) : ST_IO, "open");
	for (unsigned i = 0; i < count; i += BATCH) {
		struct arena          *arena = arena_new(NULL);
		struct store_delivery  list[BATCH];
		struct store_delivered got[BATCH];
		unsigned               n = MIN(BATCH, count - i);

		for (unsigned k = 0; k < n; k++)
			list[k] = (struct store_delivery){ .id = i + k + 1, .targets = &target, .target_count = 1, .file = -1,
							   .content = message(arena, i + k), .received_ms = 1600000000000 + (int64_t)(i + k) * 1000 };
		for (unsigned k = 0; k < n; k++)
			list[k].size = list[k].content.n;
		must(store_open(store, 1, &a), "account");
		must(store_deliver(a, list, n, arena, got), "deliver");
		store_close(&a);
		arena_free(&arena);
	}
	must(store_open(store, 1, &a), "account");
	must(store_settle(a), "settle");
	store_close(&a);
	store_free(&store);
	return 0;
}
