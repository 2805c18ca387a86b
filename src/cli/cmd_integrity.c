/* cli/cmd_integrity.c - undelete and fsck: accounts put right. docs/concepts/integrity.md. */
#include <stdio.h>

#include "cli/cli_account.h"
#include "ipc/msg_local.h"
#include "store/store_mend.h"
#include "sys/clock.h"
#include "wire/text/text_date.h"

/* ---- undelete ---- */

/* "2h", "3d" ago, or RFC 3339. */
static bool time_read(const char *text, int64_t *ret_ms)
{
	uint64_t s;

	if (cli_parse_time(text, &s) && s <= (uint64_t)315360000) {
		*ret_ms = clock_wall_ms() - (int64_t)s * 1000;
		return true;
	}
	return text_rfc3339_parse(str_of(text), ret_ms);
}

static void undelete_print(struct cli *c, json_t *rows, const struct local_undeleted *r)
{
	if (rows)
		json_array_append_new(rows, json_pack("{s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "mailbox", cli_json_str(r->mailbox), "uid",
						      (json_int_t)r->uid, "new_uid", (json_int_t)r->new_uid, "gone_ms", (json_int_t)r->gone_ms,
						      "size", (json_int_t)r->size, "from", cli_json_str(r->from), "subject",
						      cli_json_str(r->subject)));
	else
		printf("%.*s  %.*s/%u  %.*s  %.*s  %.*s\n", STR_FMT(cli_time(c->arena, r->gone_ms)),
		       STR_FMT(r->mailbox.n > 0 ? cli_text(c->arena, r->mailbox) : STR("?")), r->uid, STR_FMT(cli_size(c->arena, r->size)),
		       STR_FMT(cli_text(c->arena, r->from)), STR_FMT(cli_text(c->arena, r->subject)));
}

static int undelete_answer(struct cli *c, const struct local_undelete_request *q, const struct local_undelete_reply *r)
{
	json_t *rows = c->json ? json_array() : NULL;

	for (size_t i = 0; i < r->row_count; i++)
		undelete_print(c, rows, &r->rows[i]);
	if (rows)
		return cli_print_json(json_pack("{s:i, s:b, s:I, s:I, s:I, s:o}", "v", 1, "restored", !q->list, "count", (json_int_t)r->count,
						"size", (json_int_t)r->size, "nameless", (json_int_t)r->nameless, "messages", rows));
	if (r->count + r->nameless > r->row_count)
		printf("... and %llu more\n", (unsigned long long)(r->count + r->nameless - r->row_count));
	printf("%llu message%s, %.*s, %s\n", (unsigned long long)r->count, r->count == 1 ? "" : "s", STR_FMT(cli_size(c->arena, r->size)),
	       q->list ? "can be put back" : "put back");
	if (r->nameless > 0)
		printf("%llu of mailboxes whose name is not known any more: say where to with --into\n", (unsigned long long)r->nameless);
	return CLI_OK;
}

int cmd_undelete(struct cli *c)
{
	struct local_undelete_request q = { .until_ms = INT64_MAX, .list = cli_option(c, "list") != NULL };
	struct local_undelete_reply   r = { 0 };
	const char                   *since = cli_option(c, "since"), *until = cli_option(c, "until");
	struct cli_account           *accounts;
	size_t                        n;
	int                           code;

	q.mailbox = str_of(cli_option(c, "mailbox") ? cli_option(c, "mailbox") : "");
	q.into = str_of(cli_option(c, "into") ? cli_option(c, "into") : "");
	if (!since || !time_read(since, &q.since_ms))
		return cli_error(c, CLI_USAGE, "--since takes a time ago (30m, 2h, 3d) or one such as 2026-11-28T17:42:00Z");
	if (until && !time_read(until, &q.until_ms))
		return cli_error(c, CLI_USAGE, "--until takes a time ago (30m, 2h, 3d) or one such as 2026-11-28T17:42:00Z");
	code = cli_accounts(c, c->args[0], &accounts, &n);
	if (code != CLI_OK)
		return code;
	q.account = accounts[0].id;
	code = cli_ask(c, IPC_LOCAL_UNDELETE, &q, &r, q.mailbox.n > 0 ? cli_option(c, "mailbox") : c->args[0]);
	return code == CLI_OK ? undelete_answer(c, &q, &r) : code;
}

/* ---- fsck ---- */

static const char *const kinds[] = { "broken", "fixed", "moved", "lost" };
_Static_assert(LEN(kinds) == STORE_MEND_LAST + 1, "a word for each");

struct sums {
	json_t  *accounts; /* --json */
	uint64_t checked, sound, broken, left, failed;
};

static json_t *findings_json(const struct local_fsck_reply *r)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < r->finding_count; i++)
		json_array_append_new(rows, json_pack("{s:s, s:o, s:o}", "kind", kinds[MIN(r->findings[i].kind, STORE_MEND_LAST)], "invariant",
						      cli_json_str(r->findings[i].invariant), "text", cli_json_str(r->findings[i].text)));
	return rows;
}

static void account_tell(struct cli *c, struct sums *s, const struct cli_account *a, const struct local_fsck_reply *r)
{
	if (s->accounts) {
		json_array_append_new(s->accounts,
				      json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:I, s:I, s:o}", "account", a->name, "id", (json_int_t)a->id,
						"broken", (json_int_t)r->broken, "fixed", (json_int_t)r->fixed, "moved", (json_int_t)r->moved,
						"lost", (json_int_t)r->lost, "left", (json_int_t)r->left, "more", r->more, "salvaged",
						r->salvaged, "kept", (json_int_t)r->kept, "damaged", (json_int_t)r->aside, "findings",
						findings_json(r)));
		return;
	}
	for (size_t i = 0; i < r->finding_count; i++)
		printf("%s: %s: %.*s: %.*s\n", a->name, kinds[MIN(r->findings[i].kind, STORE_MEND_LAST)], STR_FMT(r->findings[i].invariant),
		       STR_FMT(cli_text(c->arena, r->findings[i].text)));
	if (r->more)
		printf("%s: ... and more\n", a->name);
	if (r->salvaged)
		printf("%s: salvaged: %llu messages kept, %llu moved to Recovered, %llu lost; the old database is mail.db.damaged.%llu\n", a->name,
		       (unsigned long long)r->kept, (unsigned long long)r->moved, (unsigned long long)r->lost, (unsigned long long)r->aside);
	else if (r->broken + r->fixed + r->moved + r->lost > 0)
		printf("%s: %llu broken, %llu fixed, %llu moved to Recovered, %llu lost\n", a->name, (unsigned long long)r->broken,
		       (unsigned long long)r->fixed, (unsigned long long)r->moved, (unsigned long long)r->lost);
}

/* Something is broken, and nothing was done about it. */
static bool unrepaired(const struct local_fsck_reply *r)
{
	return !r->salvaged && r->fixed + r->moved + r->lost == 0;
}

static void account_check(struct cli *c, struct sums *s, const struct cli_account *a)
{
	struct local_fsck_request q = { .account = a->id, .repair = cli_option(c, "repair") != NULL, .salvage = cli_option(c, "salvage") != NULL };
	struct local_fsck_reply   r = { 0 };

	if (cli_ask(c, IPC_LOCAL_FSCK, &q, &r, a->name) != CLI_OK) {
		s->failed++;
		return;
	}
	s->checked += !r.empty;
	s->sound += !r.empty && r.broken == 0;
	s->broken += r.broken > 0;
	s->left += q.repair || q.salvage ? r.left > 0 || (r.broken > 0 && unrepaired(&r)) : r.broken > 0;
	if (!r.empty)
		account_tell(c, s, a, &r);
}

int cmd_fsck(struct cli *c)
{
	struct sums         s = { .accounts = c->json ? json_array() : NULL };
	struct cli_account *accounts;
	size_t              n;
	int                 code;

	if (cli_option(c, "salvage") && c->arg_count == 0)
		return cli_error(c, CLI_USAGE, "--salvage is for one account: which?");
	code = cli_accounts(c, c->arg_count ? c->args[0] : NULL, &accounts, &n);
	if (code != CLI_OK)
		return code;
	for (size_t i = 0; i < n; i++)
		account_check(c, &s, &accounts[i]);
	if (s.accounts)
		(void)cli_print_json(json_pack("{s:i, s:I, s:I, s:I, s:o}", "v", 1, "checked", (json_int_t)s.checked, "broken",
					       (json_int_t)s.broken, "failed", (json_int_t)s.failed, "accounts", s.accounts));
	else
		printf("%llu account%s with mail checked: %llu sound, %llu broken\n", (unsigned long long)s.checked, s.checked == 1 ? "" : "s",
		       (unsigned long long)s.sound, (unsigned long long)s.broken);
	return s.failed > 0 ? CLI_TRY_LATER : s.left > 0 ? CLI_FAILED : CLI_OK;
}
