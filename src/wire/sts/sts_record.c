/* wire/sts/sts_record.c - grammar and contract are in sts_record.h. */
#include "wire/sts/sts_record.h"

#define NAME_MAX_OCTETS ((size_t)32)

static bool is_version(struct str field)
{
	return str_eq(field, STR("v=STSv1"));
}

static bool id_valid(struct str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (!ascii_is_alnum(id.p[i]))
			return false;
	return id.n > 0 && id.n <= STS_ID_MAX;
}

static bool extension_valid(struct str name, struct str value)
{
	if (name.n == 0 || name.n > NAME_MAX_OCTETS || !ascii_is_alnum(name.p[0]) || value.n == 0)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_alnum(name.p[i]) && str_find(STR("_-."), name.p[i]) < 0)
			return false;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] < '!' || value.p[i] > '~' || value.p[i] == '=' || value.p[i] == ';')
			return false;
	return true;
}

bool sts_record_is(struct str record)
{
	struct str version, rest;

	return str_cut(record, ';', &version, &rest) && is_version(str_trim(version)) && str_starts(record, STR("v="));
}

bool sts_record_parse(struct str record, struct str *ret_id)
{
	struct str field, rest, name, value, id = STR_NONE;
	bool       more;

	if (!sts_record_is(record))
		return false;
	(void)str_cut(record, ';', &field, &rest);
	do {
		more = str_cut(rest, ';', &field, &rest);
		field = str_trim(field);
		if (field.n == 0 && !more)
			break; /* [sts-field-delim] */
		if (!str_cut(field, '=', &name, &value))
			return false;
		if (str_eq(name, STR("id")) ? id.n > 0 || !id_valid(value) : !extension_valid(name, value))
			return false;
		if (str_eq(name, STR("id")))
			id = value;
	} while (more);
	if (id.n > 0)
		*ret_id = id;
	return id.n > 0;
}
