/* Parameters of SELECT, modifiers of FETCH and STORE: what is taken keeps what the header promises. */
#include "wire/imap/imap_modifier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t no_star(const struct imap_set *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->count; i++) {
		CHECK(set->ranges[i].first != IMAP_STAR && set->ranges[i].last != IMAP_STAR);
		n += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena               *a = arena_new(NULL);
	struct imap_lex             x = { .in = str_n(data, size), .arena = a };
	struct imap_lex             y = x;
	struct imap_select_params   p;
	struct imap_fetch_modifiers m;
	uint64_t                    since;

	if (imap_lex_select_params(&y, &p) && p.qresync) {
		CHECK(p.resync.uidvalidity > 0 && p.resync.modseq <= INT64_MAX);
		(void)no_star(&p.resync.known);
		CHECK(no_star(&p.resync.match_numbers) == no_star(&p.resync.match_uids));
	}
	y = x;
	if (imap_lex_fetch_modifiers(&y, &m))
		CHECK((m.changed_since || m.vanished) && m.since <= INT64_MAX);
	y = x;
	if (imap_lex_store_modifiers(&y, &since))
		CHECK(since <= INT64_MAX);
	arena_free(&a);
	return 0;
}
