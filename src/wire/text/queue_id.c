/* wire/text/queue_id.c - see queue_id.h. */
#include "wire/text/queue_id.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct queue_id_text queue_id_text(uint64_t id)
{
	struct queue_id_text t;

	for (unsigned i = QUEUE_ID_TEXT; i-- > 0; id >>= 5)
		t.p[i] = digits[id & 31];
	t.p[QUEUE_ID_TEXT] = '\0';
	return t;
}

static int digit_value(char c)
{
	c = ascii_upper(c);
	if (c == 'I' || c == 'L')
		return 1;
	if (c == 'O')
		return 0;
	for (int i = 0; i < 32; i++)
		if (digits[i] == c)
			return i;
	return -1;
}

bool queue_id_parse(struct str text, uint64_t *ret)
{
	uint64_t id = 0;

	if (text.n != QUEUE_ID_TEXT)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int v = digit_value(text.p[i]);

		if (v < 0 || id >> 59)
			return false; /* no digit, or over 64 bits */
		id = id << 5 | (uint64_t)v;
	}
	if (id == 0)
		return false;
	*ret = id;
	return true;
}
