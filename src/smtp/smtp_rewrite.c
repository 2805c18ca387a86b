/* smtp/smtp_rewrite.c - addresses of a submitted message by the rules of rewriting (docs/concepts/addresses.md).
 *
 * Rules for senders: the reverse-path, From, Sender, Reply-To; for recipients: To and Cc (those of RCPT are auth's own matter). Only
 * what our own people send is touched, after their right to it was checked. A field in which nothing changes keeps each of its octets; one in
 * which something does is written anew: names, groups and order stay, comments and folding do not. A field that is not of the grammar
 * stays as it is.
 */
#include <string.h>

#include "base/log.h"
#include "smtp/smtp_session.h"
#include "wire/address/address_local.h"
#include "wire/mime/mime.h"
#include "wire/mime/mime_address.h"

struct field {
	struct mime_field     f;
	size_t                at; /* of f.whole in the message */
	struct mime_addresses list;
	size_t                first; /* its addresses among all */
	struct field         *before;
};

struct work {
	struct smtp_session         *s;
	struct arena                *a;
	struct field                *last; /* backwards: replacing one leaves those before it in place */
	struct auth_rewrite_address *asked;
	struct str                  *to; /* "" where nothing changes */
	size_t                       count;
	bool                         limit;
};

/* ---- what is in the header ---- */

static bool add(struct work *w, struct str address, bool recipient)
{
	if (w->count == LIMIT_REWRITTEN)
		w->limit = true;
	else
		w->asked[w->count++] = (struct auth_rewrite_address){ address, recipient };
	return !w->limit;
}

static struct str address_of(struct work *w, const struct mime_address *m)
{
	struct address_canon c;

	if (m->kind != MIME_ADDRESS_MAILBOX || m->local.n > LIMIT_LOCAL_PART || m->domain.n > LIMIT_DOMAIN || m->domain.n == 0 ||
	    !address_compose(m->local, m->domain, &c))
		return STR("");
	return arena_dup(w->a, address_text(&c));
}

static void field_add(struct work *w, const struct mime_field *f, bool recipient)
{
	struct field *field = ARENA_NEW(w->a, struct field);

	field->f = *f;
	field->f.name = arena_dup(w->a, f->name); /* the message's memory may move when a field is replaced */
	mime_addresses_parse(f->value, w->a, &field->list);
	if (field->list.malformed)
		return;
	w->limit = w->limit || field->list.limit;
	field->first = w->count;
	field->before = w->last;
	w->last = field;
	for (size_t i = 0; i < field->list.count && add(w, address_of(w, &field->list.items[i]), recipient); i++)
		;
}

static void header_scan(struct work *w)
{
	static const struct {
		struct str name;
		bool       recipient;
	} names[] = {
		{ STR("From"), false }, { STR("Sender"), false }, { STR("Reply-To"), false }, { STR("To"), true }, { STR("Cc"), true },
	};
	struct str        rest = buf_str(&w->s->tx.content.memory);
	struct mime_field f;

	while (!w->limit && mime_field_next(&rest, &f))
		for (size_t i = 0; i < LEN(names); i++)
			if (str_ieq(f.name, names[i].name))
				field_add(w, &f, names[i].recipient);
}

/* ---- what becomes of it ---- */

static enum status ask(struct work *w)
{
	const struct smtp_env *env = w->s->env;

	for (size_t at = 0; at < w->count; at += LIMIT_LIST_PAGE) {
		const struct auth_rewrite_request request = { &w->asked[at], MIN(w->count - at, LIMIT_LIST_PAGE) };
		struct auth_rewrite_reply         reply = { 0 };
		enum status                       st = env->ask->rewrite(env->ask_ctx, &request, w->a, &reply);

		if (st != ST_OK || reply.address_count != request.address_count)
			return st != ST_OK ? st : ST_CORRUPT;
		for (size_t i = 0; i < reply.address_count; i++)
			w->to[at + i] = reply.addresses[i].address;
	}
	return ST_OK;
}

/* ---- writing a field anew ---- */

/* A phrase that may stand without quotes; encoded words (RFC 2047 §5) must. */
static bool is_bare(struct str name)
{
	bool encoded = str_search(name, STR("=?")) >= 0;

	for (size_t i = 0; i < name.n; i++)
		if (!address_is_atext(name.p[i]) && name.p[i] != ' ' && !(encoded && name.p[i] == '.'))
			return false;
	return name.n > 0;
}

static void name_print(struct buf *out, struct str name)
{
	if (is_bare(name)) {
		buf_add(out, name);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, name.p[i]);
	}
	buf_add_char(out, '"');
}

static void mailbox_print(struct buf *out, const struct mime_address *m, struct str address)
{
	if (m->name.n > 0) {
		name_print(out, m->name);
		buf_addf(out, " <%.*s>", STR_FMT(address));
	} else {
		buf_add(out, address);
	}
}

static void field_free(void *text)
{
	buf_done(text);
}

/* One address on a line, RFC 5322 §2.2.3. */
static struct str field_print(struct work *w, const struct field *field)
{
	struct buf *out = ARENA_NEW(w->a, struct buf);
	const char *between = " ";

	buf_init(out, LIMIT_INLINE);
	arena_defer(w->a, field_free, out);
	buf_add(out, field->f.name);
	buf_add_char(out, ':');
	for (size_t i = 0; i < field->list.count; i++) {
		const struct mime_address *m = &field->list.items[i];
		struct str                 to = w->to[field->first + i];

		if (m->kind == MIME_ADDRESS_GROUP_END) {
			buf_add_char(out, ';');
			between = ",\r\n\t";
			continue;
		}
		buf_add(out, str_of(between));
		between = ",\r\n\t";
		if (m->kind == MIME_ADDRESS_GROUP) {
			name_print(out, m->name);
			buf_add_char(out, ':');
			between = "\r\n\t";
		} else {
			mailbox_print(out, m, to.n > 0 ? to : w->asked[field->first + i].address);
		}
	}
	buf_add(out, STR("\r\n"));
	return out->over ? STR_NONE : buf_str(out);
}

/* Writing it anew must lose nothing: an address that was not understood is reason enough to leave the field. */
static bool changes(const struct work *w, const struct field *field)
{
	bool any = false;

	for (size_t i = 0; i < field->list.count; i++) {
		if (field->list.items[i].kind == MIME_ADDRESS_MAILBOX && w->asked[field->first + i].address.n == 0)
			return false;
		any = any || w->to[field->first + i].n > 0;
	}
	return any;
}

/* False: there is no room. */
static bool replace(struct smtp_content *c, size_t at, size_t n, struct str text)
{
	struct buf *m = &c->memory;

	if (text.n > n) {
		if (!smtp_content_grow(c, text.n - n) || !buf_insert(m, at, str_first(text, text.n - n)))
			return false;
	} else {
		memmove(m->p + at + text.n, m->p + at + n, m->n - at - n);
		m->n -= n - text.n;
	}
	memcpy(m->p + at, text.p, text.n);
	return true;
}

static bool header_write(struct work *w)
{
	const char *begin = w->s->tx.content.memory.p;

	/* Offsets first: the memory may move. */
	for (struct field *field = w->last; field != NULL; field = field->before)
		field->at = (size_t)(field->f.whole.p - begin);
	for (struct field *field = w->last; field != NULL; field = field->before) {
		struct str text;

		if (!changes(w, field))
			continue;
		text = field_print(w, field);
		if (text.n == 0 || !replace(&w->s->tx.content, field->at, field->f.whole.n, text))
			return false;
	}
	return true;
}

/* Are there rules at all? As a rule there are none, and then the header is not even looked at. */
static enum status any_rules(struct work *w, bool *ret)
{
	const struct smtp_env    *env = w->s->env;
	struct auth_rewrite_reply reply = { 0 };
	enum status st = env->ask->rewrite(env->ask_ctx, &(struct auth_rewrite_request){ 0 }, w->a, &reply);

	*ret = !reply.none;
	return st;
}

const struct smtp_reply *smtp_rewrite(struct smtp_session *s)
{
	static const struct smtp_reply too_many = { 552, "5.3.4", "Too many addresses in the header" };
	static const struct smtp_reply no_room = { 552, "5.3.4", "Header too big" };
	static const struct smtp_reply later = { 451, "4.3.0", "Addresses cannot be looked up now, try again later" };
	struct arena                  *a CLEANUP(arena_free) = arena_new(NULL);
	struct work                    w = { .s = s, .a = a };
	bool                           any;
	enum status                    st = any_rules(&w, &any);

	if (st != ST_OK)
		return &later;
	if (!any)
		return NULL;
	w.asked = ARENA_ARRAY(a, struct auth_rewrite_address, LIMIT_REWRITTEN);
	w.to = ARENA_ARRAY(a, struct str, LIMIT_REWRITTEN);
	(void)add(&w, s->tx.from, false); /* the first: there is room */
	header_scan(&w);
	if (w.limit)
		return &too_many;
	st = ask(&w);
	if (st != ST_OK)
		return &later;
	if (w.to[0].n > 0) {
		log_debug("sender rewritten", LOG_C("session", s->info->id), LOG_STR("from", s->tx.from), LOG_STR("to", w.to[0]));
		s->tx.from = arena_dup(s->tx.arena, w.to[0]);
	}
	return header_write(&w) ? NULL : &no_room;
}
