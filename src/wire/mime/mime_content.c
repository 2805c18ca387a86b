/* wire/mime/mime_content.c - see mime_content.h. Of a field given twice the first counts. */
#include "wire/mime/mime_content.h"

#include "base/limits.h"
#include "wire/mime/mime_field.h"
#include "wire/mime/mime_lex.h"
#include "wire/mime/mime_param.h"

enum known { TYPE, ENCODING, DISPOSITION, VERSION, ID, DESCRIPTION, MD5, LANGUAGE, LOCATION, ONCE };

static const struct {
	struct str name;
	enum known known;
} fields[] = {
	{ STR("Content-Type"), TYPE },
	{ STR("Content-Transfer-Encoding"), ENCODING },
	{ STR("Content-Disposition"), DISPOSITION },
	{ STR("MIME-Version"), VERSION },
	{ STR("Content-ID"), ID },
	{ STR("Content-Description"), DESCRIPTION },
	{ STR("Content-MD5"), MD5 },
	{ STR("Content-Language"), LANGUAGE },
	{ STR("Content-Location"), LOCATION },
	/* At most once in a message, RFC 5322 §3.6 */
	{ STR("From"), ONCE },
	{ STR("Sender"), ONCE },
	{ STR("Reply-To"), ONCE },
	{ STR("To"), ONCE },
	{ STR("Cc"), ONCE },
	{ STR("Bcc"), ONCE },
	{ STR("Date"), ONCE },
	{ STR("Subject"), ONCE },
	{ STR("Message-ID"), ONCE },
	{ STR("In-Reply-To"), ONCE },
	{ STR("References"), ONCE },
};
_Static_assert(LEN(fields) <= 32, "one bit each");

struct reader {
	struct mime_part *part;
	struct arena     *a;
	unsigned         *flags;
	unsigned          seen; /* bit per row of fields */
	bool              whole_message;
};

static struct mime_param us_ascii = { STR("CHARSET"), STR("US-ASCII") };

static struct str upper(struct str s, struct arena *a)
{
	char *p;

	for (size_t i = 0; i < s.n; i++) {
		if (ascii_upper(s.p[i]) == s.p[i])
			continue;
		p = arena_alloc(a, s.n);
		for (size_t k = 0; k < s.n; k++)
			p[k] = ascii_upper(s.p[k]);
		return (struct str){ p, s.n };
	}
	return s;
}

void mime_content_opaque(struct mime_part *part)
{
	part->type = STR("APPLICATION");
	part->subtype = STR("OCTET-STREAM");
	part->params = NULL;
	part->param_count = 0;
	part->multipart = part->message = false;
}

/* RFC 2045 §5.2: what is not a type is text/plain in US-ASCII. */
static void type_default(struct mime_part *part, bool digest)
{
	part->type = digest ? STR("MESSAGE") : STR("TEXT");
	part->subtype = digest ? STR("RFC822") : STR("PLAIN");
	part->params = digest ? NULL : &us_ascii;
	part->param_count = digest ? 0 : 1;
}

/* content = type "/" subtype *(";" parameter) */
static void type_read(struct reader *r, struct str value)
{
	struct mime_params params;
	struct str         type, subtype;
	bool               closed;

	mime_lex_cfws(&value);
	type = mime_lex_token(&value);
	mime_lex_cfws(&value);
	if (type.n == 0 || !str_skip_char(&value, '/')) {
		*r->flags |= MIME_FLAG_BAD_TYPE;
		return;
	}
	mime_lex_cfws(&value);
	subtype = mime_lex_token(&value);
	closed = mime_lex_cfws(&value);
	if (subtype.n == 0 || !str_is_ascii(type) || !str_is_ascii(subtype)) {
		*r->flags |= MIME_FLAG_BAD_TYPE;
		return;
	}
	if (!closed || (value.n > 0 && value.p[0] != ';'))
		*r->flags |= MIME_FLAG_BAD_TYPE;
	params = mime_params_parse(value, r->a, MIME_FLAG_BAD_TYPE, r->flags);
	r->part->type = upper(type, r->a);
	r->part->subtype = upper(subtype, r->a);
	r->part->params = params.items;
	r->part->param_count = params.count;
}

/* mechanism = token; anything behind it but comments makes it ambiguous. */
static void encoding_read(struct reader *r, struct str value)
{
	static const struct str known[] = { STR("7BIT"), STR("8BIT"), STR("BINARY"), STR("QUOTED-PRINTABLE"),
					    STR("BASE64") };
	struct str              token;
	bool                    closed;

	mime_lex_cfws(&value);
	token = mime_lex_token(&value);
	closed = mime_lex_cfws(&value);
	if (token.n == 0 || value.n > 0 || !closed)
		*r->flags |= MIME_FLAG_BAD_CTE;
	if (token.n == 0)
		return;
	for (size_t i = 0; i < LEN(known); i++)
		if (str_ieq(token, known[i])) {
			r->part->encoding = known[i];
			return;
		}
	*r->flags |= MIME_FLAG_BAD_CTE;
	r->part->encoding = upper(token, r->a);
}

static void disposition_read(struct reader *r, struct str value)
{
	struct mime_params params;

	mime_lex_cfws(&value);
	r->part->disposition = upper(mime_lex_token(&value), r->a);
	if (r->part->disposition.n == 0) {
		*r->flags |= MIME_FLAG_BAD_FIELD;
		r->part->disposition = STR_NONE;
		return;
	}
	params = mime_params_parse(value, r->a, MIME_FLAG_BAD_FIELD, r->flags);
	r->part->disposition_params = params.items;
	r->part->disposition_param_count = params.count;
}

static void field_read(struct reader *r, enum known known, struct str value)
{
	switch (known) {
	case TYPE: type_read(r, value); break;
	case ENCODING: encoding_read(r, value); break;
	case DISPOSITION: disposition_read(r, value); break;
	case ID: r->part->id = mime_unfold(r->a, value); break;
	case DESCRIPTION: r->part->description = mime_unfold(r->a, value); break;
	case MD5: r->part->md5 = mime_unfold(r->a, value); break;
	case LANGUAGE: r->part->language = mime_unfold(r->a, value); break;
	case LOCATION: r->part->location = mime_unfold(r->a, value); break;
	case VERSION:
	case ONCE: break;
	}
}

static void field_see(struct reader *r, const struct mime_field *f)
{
	for (size_t i = 0; i < LEN(fields); i++) {
		if (fields[i].name.n != f->name.n || !str_ieq(fields[i].name, f->name))
			continue;
		if (fields[i].known == ONCE && !r->whole_message)
			return;
		if (r->seen & 1u << i)
			*r->flags |= fields[i].known == ONCE ? MIME_FLAG_DUP_FROM : MIME_FLAG_DUP_FIELD;
		else
			field_read(r, fields[i].known, f->value);
		r->seen |= 1u << i;
		return;
	}
}

void mime_content_read(struct mime_part *part, struct str header, bool whole_message, bool digest, struct arena *a,
		       unsigned *flags)
{
	struct reader     r = { part, a, flags, 0, whole_message };
	struct str        rest = mime_field_bounded(header);
	struct mime_field f;
	unsigned          count = 0;

	part->encoding = STR("7BIT");
	if (rest.n < header.n)
		*flags |= MIME_FLAG_LIMIT;
	if (!str_is_ascii(rest))
		*flags |= MIME_FLAG_8BIT_HEADER;
	while (mime_field_scan(&rest, &f, flags)) {
		if (count++ == LIMIT_HEADER_FIELDS) {
			*flags |= MIME_FLAG_LIMIT;
			break;
		}
		field_see(&r, &f);
	}
	if (!part->type.p)
		type_default(part, digest && !(r.seen & 1u << TYPE));
	part->multipart = str_eq(part->type, STR("MULTIPART"));
	part->message = str_eq(part->type, STR("MESSAGE")) &&
			(str_eq(part->subtype, STR("RFC822")) || str_eq(part->subtype, STR("GLOBAL")));
}
