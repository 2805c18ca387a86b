/* cli/convert_out.c - what convert has found, collected and printed; see convert.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/convert.h"

static const char *const fate_words[CONVERT_FATES] = { "kept", "default", "lost" };
static const char *const listener_names[] = { "smtp", "submission", "submissions", "imap", "imaps", "lmtp", "reinject" };
_Static_assert(LEN(listener_names) <= LEN(((struct convert *)0)->listeners), "a buffer per kind of listener");

#define VALUE_SHOWN ((size_t)100)

void convert_say(struct convert *c, enum convert_fate fate, const char *name, struct str value, const char *fmt, ...)
{
	char       text[600];
	struct str shown = cli_text(c->a, str_first(value, VALUE_SHOWN));
	va_list    ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->fates[fate]++;
	buf_addf(&c->report, "%-8s%s = %.*s%s\n        %s\n", fate_words[fate], name, STR_FMT(shown), value.n > VALUE_SHOWN ? " ..." : "", text);
}

/* ---- settings ---- */

static struct convert_setting *setting_get(struct convert *c, const char *section, const char *name)
{
	for (size_t i = 0; i < c->setting_count; i++)
		if (strcmp(c->settings[i].section, section) == 0 && strcmp(c->settings[i].name, name) == 0)
			return &c->settings[i];
	CHECK(c->setting_count < LEN(c->settings));
	c->settings[c->setting_count] = (struct convert_setting){ .section = section, .name = name };
	return &c->settings[c->setting_count++];
}

void convert_set(struct convert *c, const char *section, const char *name, struct str value, bool quoted)
{
	struct convert_setting *s = setting_get(c, section, name);

	s->value = arena_dup(c->a, value);
	s->quoted = quoted;
}

void convert_set_more(struct convert *c, const char *section, const char *name, struct str item, const char *between)
{
	struct convert_setting *s = setting_get(c, section, name);
	struct str              padded = arena_printf(c->a, "%s%.*s%s", between, STR_FMT(s->value), between);

	s->quoted = true;
	if (str_search(padded, arena_printf(c->a, "%s%.*s%s", between, STR_FMT(item), between)) >= 0)
		return; /* it is there already */
	s->value = s->value.n ? arena_printf(c->a, "%.*s%s%.*s", STR_FMT(s->value), between, STR_FMT(item)) : arena_dup(c->a, item);
}

static void text_print(struct buf *out, struct str text)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (str_find(STR("\"\\$"), text.p[i]) >= 0)
			buf_add_char(out, '\\');
		buf_add_char(out, text.p[i]);
	}
	buf_add_char(out, '"');
}

void convert_listen(struct convert *c, const char *name, struct str address)
{
	for (size_t i = 0; i < LEN(listener_names); i++) {
		if (strcmp(listener_names[i], name) != 0)
			continue;
		if (c->listeners[i].n > 0)
			buf_add(&c->listeners[i], STR(", "));
		text_print(&c->listeners[i], address);
	}
}

static void section_print(struct convert *c, const char *section, struct buf *out)
{
	bool open = false;

	for (size_t i = 0; i < c->setting_count; i++) {
		const struct convert_setting *s = &c->settings[i];

		if (strcmp(s->section, section) != 0)
			continue;
		if (!open && *section)
			buf_addf(out, "%s {\n", section);
		open = true;
		buf_addf(out, "%s%s = ", *section ? "\t" : "", s->name);
		if (s->quoted)
			text_print(out, s->value);
		else
			buf_add(out, s->value);
		buf_add_char(out, '\n');
	}
	if (open && *section)
		buf_add(out, STR("}\n"));
}

void convert_print_config(struct convert *c, struct buf *out)
{
	static const char *const sections[] = { "", "tls", "smtp", "submit", "guard", "filter", "queue", "limits" };

	buf_addf(out, "# Made by 'postrider convert postfix' from %s/main.cf. 'postrider config check' says what is wrong.\n\n", c->dir);
	for (size_t i = 0; i < LEN(sections); i++) {
		section_print(c, sections[i], out);
		if (i > 0)
			continue;
		buf_add(out, STR("listen {\n"));
		for (size_t k = 0; k < LEN(listener_names); k++)
			if (c->listeners[k].n > 0 || k < 5)
				buf_addf(out, "\t%s = {%.*s}\n", listener_names[k], STR_FMT(buf_str(&c->listeners[k])));
		buf_add(out, STR("}\n"));
	}
	convert_pipes_print(c, out);
}

/* ---- commands ---- */

/* 'word' for sh(1): nothing inside single quotes means anything; a quote is closed, escaped, opened again. */
static void word_print(struct buf *out, const char *word)
{
	const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";

	if (*word && word[strspn(word, plain)] == '\0') {
		buf_add(out, str_of(word));
		return;
	}
	buf_add_char(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_add(out, STR("'\\''"));
		else
			buf_add_char(out, *word);
	}
	buf_add_char(out, '\'');
}

void convert_command(struct convert *c, const char *const *words)
{
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			buf_add_char(&c->commands, ' ');
		word_print(&c->commands, words[i]);
	}
	buf_add_char(&c->commands, '\n');
}

void convert_print_commands(struct convert *c, struct buf *out)
{
	buf_add(out, STR("#!/bin/sh\n"
			 "# Made by 'postrider convert postfix'. Read it, then run it as root, with the configuration in place. What exists already stays.\n"
			 "# Accounts get new passwords, which are written to ./passwords.\n"
			 "umask 077\n"
			 "[ ! -L passwords ] && { [ ! -e passwords ] || [ -O passwords ]; } ||"
			 " { echo \"./passwords is a link, or not yours\" >&2; exit 1; }\n"
			 "p() { postrider \"$@\" || [ $? -eq 4 ] || { echo \"failed: postrider $*\" >&2; failed=1; }; }\n"
			 "account() {\n"
			 "\tnew=$(head -c 15 /dev/urandom | base64)\n"
			 "\tprintf '%s\\n' \"$new\" | postrider account add \"$1\" --password-stdin && printf '%s %s\\n' \"$1\" \"$new\" >> passwords\n"
			 "}\n"
			 /* login FILE KEY WORDS: the password of a row "KEY user:password" is the input of the command */
			 "login() {\n"
			 "\tword=$(k=\"$2\" awk '$1 == ENVIRON[\"k\"] { sub(/^[^ \\t]+[ \\t]+[^:]*:/, \"\"); print; exit }' \"$1\") || word=\n"
			 "\tshift 2\n"
			 "\tprintf '%s\\n' \"$word\" | postrider \"$@\" || [ $? -eq 4 ] || { echo \"failed: postrider $*\" >&2; failed=1; }\n"
			 "}\n"
			 "failed=0\n\n"));
	buf_add(out, buf_str(&c->commands));
	buf_add(out, STR("\nexit $failed\n"));
}

void convert_print_report(struct convert *c, struct buf *out)
{
	buf_addf(out, "What became of %s: %zu kept, %zu so by default, %zu lost\n\n", c->dir, c->fates[CONVERT_KEPT], c->fates[CONVERT_DEFAULT],
		 c->fates[CONVERT_LOST]);
	buf_add(out, buf_str(&c->report));
}
