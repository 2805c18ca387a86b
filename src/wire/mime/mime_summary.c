/* wire/mime/mime_summary.c - what sorting and threading want from the header; see mime.h. */
#include "wire/mime/mime.h"

#include "base/limits.h"
#include "wire/mime/mime_field.h"
#include "wire/text/text_date.h"

void mime_summary(struct str message, const struct mime *m, struct arena *a, struct mime_summary *ret)
{
	struct str header = mime_field_bounded(str_sub(message, m->root->header_at, m->root->header_n));
	struct str date = STR_NONE, subject = STR_NONE;
	const struct {
		struct str  name;
		struct str *value;
	} wanted[] = {
		{ STR("Date"), &date },
		{ STR("Subject"), &subject },
		{ STR("From"), &ret->from },
		{ STR("To"), &ret->to },
		{ STR("Cc"), &ret->cc },
		{ STR("Message-ID"), &ret->message_id },
		{ STR("In-Reply-To"), &ret->in_reply_to },
		{ STR("References"), &ret->references },
	};
	struct mime_field f;
	struct text_date  when;

	*ret = (struct mime_summary){ .date_ms = INT64_MIN };
	for (unsigned count = 0; count < LIMIT_HEADER_FIELDS && mime_field_next(&header, &f); count++)
		for (size_t i = 0; i < LEN(wanted); i++)
			if (!wanted[i].value->p && str_ieq(wanted[i].name, f.name))
				*wanted[i].value = mime_unfold(a, f.value);
	ret->subject = mime_decode_words(a, subject);
	if (text_date_parse(date, &when))
		ret->date_ms = when.ms;
}
