/* wire/mime/mime_qualify.c - see mime_qualify.h. */
#include "wire/mime/mime_qualify.h"

#include <string.h>

#include "base/limits.h"
#include "wire/mime/mime_build.h"

bool mime_is_address_field(struct str name)
{
	static const struct str names[] = { STR("From"), STR("Sender"), STR("Reply-To"), STR("To"), STR("Cc"), STR("Bcc") };

	str_skip(&name, STR("Resent-"));
	for (size_t i = 0; i < LEN(names); i++)
		if (str_ieq(name, names[i]))
			return true;
	return false;
}

static bool is_atom_text(char c)
{
	return (unsigned char)c > 32 && c != 127 && !memchr("()<>@,;:\\\"[]", c, 12);
}

/* Word by word, as the parser gave it: without quotes. */
static void local_print(struct str local, struct buf *out)
{
	bool plain = local.n > 0;

	for (size_t i = 0; i < local.n; i++)
		plain = plain && is_atom_text(local.p[i]);
	if (plain) {
		buf_add(out, local);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, local.p[i]);
	}
	buf_add_char(out, '"');
}

struct str mime_mailbox_text(const struct mime_address *m, struct str domain, struct arena *a)
{
	size_t     most = m->local.n * 2 + 3 + MAX(m->domain.n, domain.n);
	struct buf b = { .p = arena_alloc(a, most), .cap = most, .max = most };

	local_print(m->local, &b);
	buf_add_char(&b, '@');
	buf_add(&b, m->domain.n > 0 ? m->domain : domain);
	return buf_str(&b);
}

static void list_print(const struct mime_addresses *l, struct str domain, struct arena *a, struct buf *out)
{
	bool comma = false;

	for (size_t i = 0; i < l->count; i++) {
		const struct mime_address *m = &l->items[i];

		if (m->kind == MIME_ADDRESS_GROUP_END) {
			buf_add_char(out, ';');
			comma = true;
			continue;
		}
		if (comma)
			buf_add(out, STR(", "));
		comma = m->kind == MIME_ADDRESS_MAILBOX;
		if (m->kind == MIME_ADDRESS_GROUP) {
			buf_add(out, m->name);
			buf_add(out, STR(": "));
			continue;
		}
		if (m->name.n > 0) {
			local_print(m->name, out);
			buf_add(out, STR(" <"));
		}
		buf_add(out, mime_mailbox_text(m, domain, a));
		if (m->name.n > 0)
			buf_add_char(out, '>');
	}
}

/* A mailbox without a domain is one word of atom characters, without a route. */
static bool bare_valid(const struct mime_addresses *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct mime_address *m = &l->items[i];

		if (m->kind != MIME_ADDRESS_MAILBOX || m->domain.n > 0)
			continue;
		if (m->route.n > 0)
			return false;
		for (size_t k = 0; k < m->local.n; k++)
			if (!is_atom_text(m->local.p[k]))
				return false;
	}
	return true;
}

static bool any_bare(const struct mime_addresses *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].kind == MIME_ADDRESS_MAILBOX && l->items[i].domain.n == 0)
			return true;
	return false;
}

bool mime_addresses_local(struct str value, struct arena *a, struct mime_addresses *ret)
{
	mime_addresses_parse(value, a, ret);
	return !ret->limit && !ret->broken && bare_valid(ret);
}

bool mime_qualify(struct str name, struct str value, struct str domain, struct arena *a, struct buf *out)
{
	struct mime_addresses list;
	struct buf            text;
	bool                  ok = mime_addresses_local(value, a, &list) && any_bare(&list);

	if (!ok)
		return false;
	buf_init(&text, LIMIT_HEADER_BLOCK);
	list_print(&list, domain, a, &text);
	ok = !text.over;
	if (ok)
		mime_build_field(name, buf_str(&text), out);
	buf_done(&text);
	return ok;
}
