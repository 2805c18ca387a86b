/* imap/imap_catenate.c - URL parts of CATENATE (RFC 4469): octets of messages that are here already.
 *
 * Only what the session itself could FETCH: its own mailboxes, named by "/mailbox;UIDVALIDITY=n/;UID=n...", by ";UID=n..." in the
 * selected one, or by an absolute URL with the name that the client signed in with and our host name. The octets are copied from
 * database to upload, nothing waits for anybody.
 */
#include "imap/imap_upload.h"
#include "imap/imap_content.h"
#include "wire/imap/imap_name.h"
#include "wire/imap/imap_url.h"

#define SHOWN 300u /* octets of a URL in BADURL */

/* RFC 4469 §4: the URL as text of a response code, which holds no "]". */
static enum imap_next bad_url(struct imap_session *s, struct str url, const char *why)
{
	char   shown[SHOWN];
	size_t n = 0;

	for (; n < MIN(url.n, sizeof(shown)); n++) {
		char c = url.p[n];

		shown[n] = c > ' ' && c < 127 && c != ']' && c != '"' && c != '\\' ? c : '?';
	}
	return imap_no(s, "[BADURL \"%.*s\"] %s", (int)n, shown, why);
}

/* Is the server part ours, and the account the one that is signed in. */
static bool is_ours(const struct imap_session *s, const struct imap_url *u)
{
	struct str host = str_of(s->set->hostname);

	if (!u->server)
		return true;
	return host.n > 0 && str_ieq(u->host, host) && u->user.p && str_ieq(u->user, str_of(s->user));
}

static enum status box_find(struct imap_session *s, const struct imap_url *u, struct store_account **ret, uint64_t *ret_box)
{
	struct store_mailbox m;
	struct str           name;
	enum status          st;

	if (u->selected) {
		if (s->state != IMAP_SELECTED)
			return ST_NOT_FOUND;
		*ret_box = s->box.id;
		return imap_box_account(s, ret);
	}
	if (imap_name_parse(u->mailbox, true, s->arena, &name) != IMAP_NAME_OK)
		return ST_NOT_FOUND;
	st = imap_mailbox_find(s, name, IMAP_RIGHT_READ, ret, &m);
	if (st == ST_OK && u->uidvalidity != 0 && u->uidvalidity != m.uidvalidity)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		*ret_box = m.id;
	return st;
}

static enum status email_find(struct imap_session *s, const struct imap_url *u, const struct imap_section *section, struct store_account **ret,
			      struct store_email *ret_email)
{
	const struct store_range range = { u->uid, u->uid };
	struct store_row        *rows;
	size_t                   n = 0;
	uint64_t                 box;
	enum status              st = box_find(s, u, ret, &box);

	if (st == ST_OK)
		st = store_rows(*ret, box, (struct store_set){ &range, 1 }, 1, s->arena, &rows, &n);
	if (st == ST_OK && n == 0)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		st = store_facts(*ret, &rows[0].email, 1, imap_section_facts(section), s->arena, ret_email);
	return st == ST_OK && ret_email->id == 0 ? ST_NOT_FOUND : st;
}

struct copy {
	struct imap_session *s;
	enum imap_next       refused;
};

static enum status copy_take(void *ctx, struct str octets)
{
	struct copy *c = ctx;

	c->refused = imap_upload_more(c->s, octets.n);
	return c->refused == IMAP_NEXT_WAIT ? imap_upload_write(c->s->upload, octets) : ST_LIMIT;
}

enum imap_next imap_catenate_url(struct imap_session *s, struct str text)
{
	struct imap_url       url;
	struct imap_section   section;
	struct store_account *a;
	struct store_email    e;
	struct copy           c = { .s = s, .refused = IMAP_NEXT_WAIT };
	enum imap_next        next = imap_upload_part(s);
	enum status           st;

	if (next != IMAP_NEXT_WAIT)
		return next;
	if (!imap_url_parse(text, s->arena, &url) || !imap_section_parse(url.section, s->arena, &section))
		return bad_url(s, text, "Not a URL of a message or a part of one");
	if (!is_ours(s, &url))
		return bad_url(s, text, "Not a message of this account");
	section.partial = url.partial;
	section.from = url.from;
	section.count = url.count ? url.count : UINT32_MAX;
	s->upload->binary = true; /* no NULs are stored, but it is not for the client to be blamed for one */
	st = email_find(s, &url, &section, &a, &e);
	if (st == ST_OK)
		st = imap_section_read(a, &section, &e, &(struct imap_reader){ copy_take, &c });
	if (c.refused != IMAP_NEXT_WAIT)
		return c.refused;
	if (st == ST_NOT_FOUND || st == ST_DENIED)
		return bad_url(s, text, "There is no such message, or no such part of it");
	return st == ST_OK ? IMAP_NEXT_WAIT : imap_failed(s, st);
}
