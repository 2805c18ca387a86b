/* wire/milter/milter_option.c - grammar and contract are in milter_option.h. */
#include "wire/milter/milter_option.h"

#include "base/limits.h"

void milter_option_write(struct buf *out)
{
	size_t at = milter_packet_begin(out, MILTER_CMD_OPTNEG);

	buf_add_be(out, MILTER_VERSION, 4);
	buf_add_be(out, MILTER_MAY_ALL, 4);
	buf_add_be(out, MILTER_STEPS_ALL, 4);
	milter_packet_end(out, at);
}

/* What a version does not know it cannot ask for. */
static uint32_t steps_of(uint32_t version)
{
	uint32_t steps = MILTER_STEPS_ALL;

	if (version < 6)
		steps &= 0x3ff; /* up to NO_DATA */
	if (version < 4)
		steps &= ~(uint32_t)MILTER_NO_DATA;
	if (version < 3)
		steps &= 0x7f; /* up to NO_EOH */
	return steps;
}

bool milter_option_parse(struct str data, struct milter_option *ret)
{
	struct milter_option o = { 0 };

	if (!milter_u32_take(&data, &o.version) || !milter_u32_take(&data, &o.actions) || !milter_u32_take(&data, &o.steps))
		return false;
	if (o.version < MILTER_VERSION_MIN || o.version > MILTER_VERSION)
		return false;
	if ((o.actions & ~(uint32_t)MILTER_MAY_ALL) || (o.steps & ~steps_of(o.version)))
		return false;
	while (data.n > 0) {
		uint32_t   stage;
		struct str names;

		if (!milter_u32_take(&data, &stage) || !milter_text_take(&data, &names))
			return false;
		if (stage >= MILTER_STAGE_COUNT || o.macros[stage].given || names.n > LIMIT_MILTER_NAMES)
			return false;
		o.macros[stage].given = true;
		o.macros[stage].names = names;
	}
	*ret = o;
	return true;
}

static bool is_between(char c)
{
	return ascii_is_wsp(c) || c == ',';
}

bool milter_name_next(struct str *names, struct str *ret)
{
	size_t n = 0;

	while (names->n > 0 && is_between(names->p[0]))
		*names = str_from(*names, 1);
	while (n < names->n && !is_between(names->p[n]))
		n++;
	*ret = str_first(*names, n);
	*names = str_from(*names, n);
	return n > 0;
}
