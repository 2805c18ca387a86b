/* wire/sts/sts_policy.c - grammar and contract are in sts_policy.h. */
#include "wire/sts/sts_policy.h"

#include "wire/address/address.h"

#define NAME_MAX_OCTETS ((size_t)32)
#define AGE_DIGITS      ((size_t)10)

static const char *const modes[] = { [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce" };

/* The next line that is not empty, without its end. */
static bool line_next(struct str *rest, struct str *ret)
{
	while (rest->n > 0) {
		(void)str_cut(*rest, '\n', ret, rest);
		if (ret->n > 0 && ret->p[ret->n - 1] == '\r')
			ret->n--;
		if (str_trim(*ret).n > 0)
			return true;
	}
	return false;
}

/* name *WSP ":" *WSP value *WSP */
static bool field_cut(struct str line, struct str *ret_name, struct str *ret_value)
{
	if (!str_is_utf8(line) || !str_cut(line, ':', ret_name, ret_value))
		return false;
	while (ret_name->n > 0 && ascii_is_wsp(ret_name->p[ret_name->n - 1]))
		ret_name->n--;
	*ret_value = str_trim(*ret_value);
	if (ret_name->n == 0 || ret_name->n > NAME_MAX_OCTETS || !ascii_is_alnum(ret_name->p[0]) || ret_value->n == 0 || str_has_ctl(*ret_value))
		return false;
	for (size_t i = 0; i < ret_name->n; i++)
		if (!ascii_is_alnum(ret_name->p[i]) && str_find(STR("_-."), ret_name->p[i]) < 0)
			return false;
	return true;
}

/* Names in UTF-8 must come as A-labels, RFC 8461 §4.1. */
static bool mx_valid(struct str pattern)
{
	struct address_canon ignored;

	(void)str_skip(&pattern, STR("*."));
	return str_is_ascii(pattern) && address_domain(pattern, &ignored) == ADDRESS_OK;
}

static bool mode_parse(struct str value, enum sts_mode *ret)
{
	for (size_t i = 0; i < LEN(modes); i++)
		if (str_eq(value, str_of(modes[i]))) {
			*ret = (enum sts_mode)i;
			return true;
		}
	return false;
}

/* What was read so far. */
struct state {
	struct sts_policy policy;
	bool              version, mode, max_age;
	size_t            printed;
};

static enum sts_policy_err field_take(struct state *s, struct str name, struct str value)
{
	if (str_eq(name, STR("version"))) {
		if (!s->version && !str_eq(value, STR("STSv1")))
			return STS_POLICY_VERSION;
		s->version = true;
	} else if (str_eq(name, STR("mode"))) {
		if (!s->mode && !mode_parse(value, &s->policy.mode))
			return STS_POLICY_VALUE;
		s->mode = true;
	} else if (str_eq(name, STR("max_age"))) {
		if (!s->max_age && (value.n > AGE_DIGITS || !str_to_u32(value, &s->policy.max_age_s) || s->policy.max_age_s > STS_MAX_AGE_MAX))
			return STS_POLICY_VALUE;
		s->max_age = true;
	} else if (str_eq(name, STR("mx"))) {
		if (!mx_valid(value))
			return STS_POLICY_VALUE;
		s->printed += value.n + STR("mx: \n").n;
		if (++s->policy.mx_count > STS_MX_MAX || s->printed > STS_PRINTED_MAX)
			return STS_POLICY_LIMIT;
	}
	return STS_POLICY_OK;
}

enum sts_policy_err sts_policy_parse(struct str text, struct sts_policy *ret)
{
	struct state        s = { .printed = 100 }; /* what sts_policy_print says beside mx */
	struct str          line, name, value;
	enum sts_policy_err err;

	if (text.n > STS_POLICY_MAX)
		return STS_POLICY_LIMIT;
	while (line_next(&text, &line)) {
		if (!field_cut(line, &name, &value))
			return STS_POLICY_SYNTAX;
		err = field_take(&s, name, value);
		if (err != STS_POLICY_OK)
			return err;
	}
	if (!s.version)
		return STS_POLICY_VERSION;
	if (!s.mode || !s.max_age || (s.policy.mx_count == 0 && s.policy.mode != STS_NONE))
		return STS_POLICY_VALUE;
	*ret = s.policy;
	return STS_POLICY_OK;
}

bool sts_policy_mx(struct str *rest, struct str *ret_pattern)
{
	struct str line, name;

	while (line_next(rest, &line))
		if (field_cut(line, &name, ret_pattern) && str_eq(name, STR("mx")))
			return true;
	return false;
}

void sts_policy_print(struct str text, struct buf *out)
{
	struct sts_policy p = { 0 };
	struct str        pattern;

	CHECK(sts_policy_parse(text, &p) == STS_POLICY_OK);
	buf_addf(out, "version: STSv1\nmode: %s\n", modes[p.mode]);
	while (sts_policy_mx(&text, &pattern))
		buf_addf(out, "mx: %.*s\n", STR_FMT(pattern));
	buf_addf(out, "max_age: %u\n", p.max_age_s);
}

const char *sts_mode_name(enum sts_mode mode)
{
	return (size_t)mode < LEN(modes) ? modes[mode] : "?";
}

const char *sts_policy_err_text(enum sts_policy_err err)
{
	static const char *const texts[] = {
		[STS_POLICY_OK] = "valid",
		[STS_POLICY_SYNTAX] = "a line is no field",
		[STS_POLICY_VERSION] = "no version STSv1",
		[STS_POLICY_VALUE] = "mode, max_age or mx is missing or wrong",
		[STS_POLICY_LIMIT] = "too large",
	};

	return (size_t)err < LEN(texts) ? texts[err] : "?";
}
