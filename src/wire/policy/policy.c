/* wire/policy/policy.c - grammar and contract are in policy.h. */
#include "wire/policy/policy.h"

#include "base/limits.h"

void policy_line_add(struct buf *out, struct str name, struct str value)
{
	value = str_first(value, LIMIT_POLICY_VALUE);
	buf_add(out, name);
	buf_add_char(out, '=');
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		buf_add_char(out, c < 32 || c == 127 ? '?' : value.p[i]);
	}
	buf_add_char(out, '\n');
}

/* ---- actions ---- */

/* "554 " and the server's words, as a reply that is checked like any other. */
static bool reply_make(const char *code, struct str text, const char *words, struct buf *scratch, struct milter_reply *ret)
{
	buf_clear(scratch);
	buf_add(scratch, str_of(code));
	buf_add_char(scratch, ' ');
	buf_add(scratch, text.n > 0 ? text : str_of(words));
	return !scratch->over && milter_reply_parse(buf_str(scratch), ret);
}

static const struct {
	struct str         verb;
	enum policy_action action;
	const char        *code; /* of a reply, or NULL */
	const char        *words;
} verbs[] = {
	{ STR("DUNNO"), POLICY_DUNNO, NULL, NULL },
	{ STR("OK"), POLICY_OK, NULL, NULL },
	{ STR("REJECT"), POLICY_REPLY, "554", "5.7.1 Refused by policy" },
	{ STR("DEFER"), POLICY_REPLY, "450", "4.7.1 Refused by policy for now, try again later" },
	{ STR("DEFER_IF_REJECT"), POLICY_DEFER_IF_REJECT, "450", "4.7.1 Refused by policy for now, try again later" },
	{ STR("DEFER_IF_PERMIT"), POLICY_DEFER_IF_PERMIT, "450", "4.7.1 Refused by policy for now, try again later" },
	{ STR("PREPEND"), POLICY_PREPEND, NULL, NULL },
	{ STR("HOLD"), POLICY_HOLD, NULL, NULL },
	{ STR("DISCARD"), POLICY_DISCARD, NULL, NULL },
	{ STR("WARN"), POLICY_LOG, NULL, NULL },
	{ STR("INFO"), POLICY_LOG, NULL, NULL },
	{ STR("REDIRECT"), POLICY_UNSUPPORTED, NULL, NULL },
	{ STR("BCC"), POLICY_UNSUPPORTED, NULL, NULL },
	{ STR("FILTER"), POLICY_UNSUPPORTED, NULL, NULL },
};

/* A field that can stand in a header: the answer to an insertion has the same rules, so it is judged as one. */
static bool prepend_parse(struct str text, struct policy_answer *a)
{
	struct str name, value;

	if (!str_cut(text, ':', &name, &value) || name.n == 0 || name.n > LIMIT_MILTER_FIELD_NAME || str_has_ctl(value))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= 32 || name.p[i] >= 127)
			return false;
	a->name = name;
	a->value = str_trim(value);
	return true;
}

static bool is_code(struct str verb)
{
	return verb.n == 3 && (verb.p[0] == '4' || verb.p[0] == '5') && ascii_is_digit(verb.p[1]) && ascii_is_digit(verb.p[2]);
}

static bool action_parse(struct str line, struct buf *scratch, struct policy_answer *ret)
{
	struct policy_answer a = { .action = POLICY_UNKNOWN };
	struct str           verb, text;
	bool                 ok = true;

	str_cut(line, ' ', &verb, &text);
	a.text = str_trim(text);
	if (is_code(verb)) {
		a.action = POLICY_REPLY;
		ok = milter_reply_parse(line, &a.reply);
	}
	for (size_t i = 0; i < LEN(verbs) && a.action == POLICY_UNKNOWN; i++) {
		if (!str_ieq(verbs[i].verb, verb))
			continue;
		a.action = verbs[i].action;
		if (verbs[i].code)
			ok = reply_make(verbs[i].code, a.text, verbs[i].words, scratch, &a.reply);
		break;
	}
	if (a.action == POLICY_PREPEND)
		ok = prepend_parse(a.text, &a);
	if (a.action == POLICY_UNSUPPORTED || a.action == POLICY_UNKNOWN)
		a.text = verb;
	if (ok)
		*ret = a;
	return ok && verb.n > 0;
}

/* ---- lines ---- */

enum policy_err policy_answer_parse(struct str in, struct buf *scratch, struct policy_answer *ret)
{
	struct str           line, name, value, action = STR_NONE;
	struct policy_answer a;

	if (str_find(in, '\0') >= 0)
		return POLICY_ANSWER_BAD;
	for (;;) {
		ptrdiff_t end = str_find(in, '\n');

		if (end < 0)
			return POLICY_ANSWER_MORE;
		line = str_chomp(str_first(in, (size_t)end + 1));
		in = str_from(in, (size_t)end + 1);
		if (line.n == 0)
			break;
		if (!str_cut(line, '=', &name, &value) || str_has_ctl(line))
			return POLICY_ANSWER_BAD;
		if (!str_ieq(name, STR("action")))
			continue;
		if (action.p)
			return POLICY_ANSWER_BAD;
		action = str_trim(value);
	}
	if (in.n > 0 || !action.p || !action_parse(action, scratch, &a))
		return POLICY_ANSWER_BAD;
	*ret = a;
	return POLICY_ANSWER_OK;
}
