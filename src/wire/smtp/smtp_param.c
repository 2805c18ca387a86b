/* wire/smtp/smtp_param.c - grammar and contract are in smtp_param.h. */
#include "wire/smtp/smtp_param.h"

bool smtp_path_take(struct str *in, struct str *ret_path)
{
	bool quoted = false;

	if (in->n == 0 || in->p[0] != '<')
		return false;
	for (size_t i = 1; i < in->n; i++) {
		if (quoted && in->p[i] == '\\') {
			i++; /* quoted-pairSMTP */
		} else if (in->p[i] == '"') {
			quoted = !quoted;
		} else if (in->p[i] == '>' && !quoted) {
			*ret_path = str_sub(*in, 1, i - 1);
			*in = str_from(*in, i + 1);
			return true;
		}
	}
	return false;
}

static bool keyword_valid(struct str s)
{
	if (s.n == 0 || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

static bool value_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 32 || s.p[i] == '=' || s.p[i] == 127)
			return false;
	return s.n > 0 && str_is_utf8(s);
}

bool smtp_param_take(struct str *in, struct smtp_param_text *ret)
{
	struct str             rest = *in, text;
	struct smtp_param_text p;

	if (!str_skip_char(&rest, ' '))
		return false;
	str_cut(rest, ' ', &text, &(struct str){ 0 });
	p.has_value = str_cut(text, '=', &p.keyword, &p.value);
	if (!keyword_valid(p.keyword) || (p.has_value && !value_valid(p.value)))
		return false;
	*in = str_from(rest, text.n);
	*ret = p;
	return true;
}

static bool hex_upper(char c)
{
	return ascii_is_digit(c) || (c >= 'A' && c <= 'F');
}

bool smtp_xtext_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '+') {
			if (s.n - i < 3 || !hex_upper(s.p[i + 1]) || !hex_upper(s.p[i + 2]))
				return false;
			i += 2;
		} else if (c < 33 || c > 126 || c == '=') {
			return false;
		}
	}
	return true;
}
