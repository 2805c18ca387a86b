/* wire/dkim/dkim_field.c - contract is in dkim_field.h. */
#include "wire/dkim/dkim_field.h"

#include <string.h>

#include "wire/text/text_base64.h"

#define BASE64_MAX ((size_t)2 * KIB) /* of a signature or a key: RSA with 8192 bits */

static const struct {
	struct str algorithm, key;
} names[] = {
	[DKIM_RSA_SHA256] = { STR("rsa-sha256"), STR("rsa") },
	[DKIM_ED25519_SHA256] = { STR("ed25519-sha256"), STR("ed25519") },
};
_Static_assert(LEN(names) == DKIM_ALGORITHM_LAST + 1, "a name per algorithm");

struct str dkim_algorithm_name(enum dkim_algorithm a)
{
	return names[a].algorithm;
}

struct str dkim_key_name(enum dkim_algorithm a)
{
	return names[a].key;
}

struct str dkim_canon_name(enum dkim_canon c)
{
	return c == DKIM_RELAXED ? STR("relaxed") : STR("simple");
}

/* ---- lines ---- */

struct lines {
	struct buf *out;
	size_t      start; /* of the line, in out */
};

static size_t column(const struct lines *l)
{
	return l->out->n - l->start;
}

static void fold(struct lines *l)
{
	buf_add(l->out, STR("\r\n"));
	l->start = l->out->n;
	buf_add_char(l->out, '\t');
}

/* A text that has no place to fold. `sep`: a blank before it, where it stays on the line. */
static void word(struct lines *l, struct str text, bool sep)
{
	/* A tab is counted as one here, and shown as eight. */
	if (column(l) + 7 + sep + text.n > DKIM_FIELD_COLUMNS && column(l) > 1)
		fold(l);
	else if (sep && column(l) > 1)
		buf_add_char(l->out, ' ');
	buf_add(l->out, text);
}

static void tag(struct lines *l, const char *name, struct str value)
{
	char       p[LIMIT_DOMAIN + 16];
	struct buf b = { .p = p, .cap = sizeof(p), .max = sizeof(p) };

	buf_addf(&b, "%s=%.*s;", name, STR_FMT(value));
	word(l, buf_str(&b), true);
}

static void tag_number(struct lines *l, const char *name, int64_t value)
{
	char       p[24];
	struct buf b = { .p = p, .cap = sizeof(p), .max = sizeof(p) };

	buf_add_u64(&b, (uint64_t)value);
	tag(l, name, buf_str(&b));
}

/* RFC 6376 §3.5, h=: folding is allowed before and after a colon. */
static void tag_names(struct lines *l, struct str list)
{
	word(l, STR("h="), true);
	while (list.n > 0) {
		size_t n = (size_t)MAX(str_find(list, ':'), 0) + 1;

		if (n == 1) /* the last */
			n = list.n;
		word(l, str_first(list, n), false);
		list = str_from(list, n);
	}
	buf_add_char(l->out, ';');
}

/* base64 may be folded anywhere. */
static void base64(struct lines *l, struct str octets)
{
	char       p[BASE64_MAX];
	struct buf b = { .p = p, .cap = sizeof(p), .max = sizeof(p) };
	struct str text;

	text_base64_encode(octets, &b);
	CHECK(!b.over);
	for (text = buf_str(&b); text.n > 0;) {
		size_t used = column(l) + 7, room = used < DKIM_FIELD_COLUMNS ? DKIM_FIELD_COLUMNS - used : 0;

		if (room == 0) {
			fold(l);
			continue;
		}
		buf_add(l->out, str_first(text, room));
		text = str_from(text, room);
	}
}

void dkim_field_print(const struct dkim_field *f, struct buf *out)
{
	struct lines l = { out, out->n };
	char         canon[24];
	struct buf   c = { .p = canon, .cap = sizeof(canon), .max = sizeof(canon) };

	buf_addf(&c, "%.*s/%.*s", STR_FMT(dkim_canon_name(f->header)), STR_FMT(dkim_canon_name(f->body)));
	buf_add(out, STR("DKIM-Signature: v=1;"));
	tag(&l, "a", dkim_algorithm_name(f->algorithm));
	tag(&l, "c", buf_str(&c));
	tag(&l, "d", f->domain);
	tag(&l, "s", f->selector);
	tag_number(&l, "t", f->time_s);
	if (f->expires_s > 0)
		tag_number(&l, "x", f->expires_s);
	fold(&l);
	tag_names(&l, f->names);
	fold(&l);
	buf_add(out, STR("bh="));
	base64(&l, f->body_hash);
	buf_add_char(out, ';');
	fold(&l);
	buf_add(out, STR("b="));
	base64(&l, f->signature);
	buf_add(out, STR("\r\n"));
}

void dkim_record_print(enum dkim_algorithm a, struct str key, struct buf *out)
{
	buf_addf(out, "v=DKIM1; k=%.*s; p=", STR_FMT(dkim_key_name(a)));
	text_base64_encode(key, out);
}
