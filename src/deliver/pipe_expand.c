/* deliver/pipe_expand.c - grammar and contract are in pipe_expand.h. */
#include "deliver/pipe_expand.h"

#include "base/buf.h"
#include "base/limits.h"
#include "wire/address/address_local.h"

/* A recipient, taken apart. */
struct parts {
	struct str address, original, user, mailbox, extension, domain;
};

static struct str lower(struct str s, struct arena *a)
{
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return str_n(p, s.n);
}

struct str pipe_address(const struct pipe_run *r, const struct pipe_rcpt *rcpt, struct arena *a)
{
	struct str local, domain;

	if (!str_rcut(rcpt->address, '@', &local, &domain))
		return rcpt->address;
	local = r->flags & PIPE_FOLD_LOCAL ? lower(local, a) : local;
	domain = r->flags & PIPE_FOLD_DOMAIN ? lower(domain, a) : domain;
	return arena_printf(a, "%.*s@%.*s", STR_FMT(local), STR_FMT(domain));
}

/* As RFC 5233 cuts it: at the first separator that leaves a user. */
static void mailbox_cut(struct str mailbox, struct str separators, struct str *ret_user, struct str *ret_extension)
{
	*ret_user = mailbox;
	*ret_extension = STR("");
	for (size_t i = 1; i < mailbox.n; i++)
		if (str_find(separators, mailbox.p[i]) >= 0) {
			*ret_user = str_first(mailbox, i);
			*ret_extension = str_from(mailbox, i + 1);
			return;
		}
}

static struct parts parts_of(const struct pipe_run *r, const struct pipe_rcpt *rcpt, struct arena *a)
{
	struct parts      p = { .address = pipe_address(r, rcpt, a), .original = rcpt->original };
	struct local_text plain = { 0 };
	struct str        local;

	if (!str_rcut(p.address, '@', &local, &p.domain)) {
		local = p.address;
		p.domain = STR("");
	}
	p.mailbox = local;
	if (local.n <= LIMIT_LOCAL_PART) {
		address_local_unquote(local, &plain);
		p.mailbox = arena_dup(a, str_n(plain.p, plain.n));
	}
	mailbox_cut(p.mailbox, r->separators, &p.user, &p.extension);
	return p;
}

/* ---- names ---- */

enum name_id {
	OF_SENDER, OF_SIZE, OF_QUEUE_ID, OF_NEXTHOP, OF_PEER, OF_RCPT_FIRST,
	OF_RCPT = OF_RCPT_FIRST, OF_ORIGINAL, OF_USER, OF_MAILBOX, OF_EXTENSION, OF_DOMAIN, NAMES,
};

static const struct str names[NAMES] = {
	[OF_SENDER] = STR("sender"),   [OF_SIZE] = STR("size"),       [OF_QUEUE_ID] = STR("queue_id"),           [OF_NEXTHOP] = STR("nexthop"),
	[OF_PEER] = STR("client_address"), [OF_RCPT] = STR("recipient"), [OF_ORIGINAL] = STR("original_recipient"), [OF_USER] = STR("user"),
	[OF_MAILBOX] = STR("mailbox"), [OF_EXTENSION] = STR("extension"), [OF_DOMAIN] = STR("domain"),
};

static enum name_id name_find(struct str name)
{
	enum name_id id = OF_SENDER;

	while (id < NAMES && !str_eq(names[id], name))
		id++;
	return id;
}

/* One piece off *word: text, or a name. False at its end. *ret_wrong: it is not in the grammar. */
static bool piece_take(struct str *word, struct str *ret_text, enum name_id *ret_name, const char **ret_wrong)
{
	ptrdiff_t dollar = str_find(*word, '$'), close;

	*ret_name = NAMES;
	if (word->n == 0)
		return false;
	if (dollar != 0) {
		*ret_text = dollar < 0 ? *word : str_first(*word, (size_t)dollar);
		*word = str_from(*word, ret_text->n);
		return true;
	}
	if (str_starts(*word, STR("$$"))) {
		*ret_text = STR("$");
		*word = str_from(*word, 2);
		return true;
	}
	close = str_find(*word, '}');
	if (!str_starts(*word, STR("${")) || close < 0) {
		*ret_wrong = "command: \"$\" stands before \"{name}\" or another \"$\"";
		return false;
	}
	*ret_name = name_find(str_sub(*word, 2, (size_t)close - 2));
	if (*ret_name == NAMES)
		*ret_wrong = "command: ${...} names none of sender, size, queue_id, nexthop, client_address, recipient, original_recipient, user, mailbox, "
			     "extension, domain";
	*word = str_from(*word, (size_t)close + 1);
	return *ret_name != NAMES;
}

const char *pipe_word_wrong(struct str word, bool *ret_rcpt)
{
	const char  *wrong = NULL;
	struct str   text;
	enum name_id name;

	*ret_rcpt = false;
	while (piece_take(&word, &text, &name, &wrong))
		*ret_rcpt = *ret_rcpt || (name >= OF_RCPT_FIRST && name < NAMES);
	return wrong;
}

/* ---- expansion ---- */

static void value_add(const struct pipe_run *r, const struct parts *p, enum name_id name, struct buf *out)
{
	switch (name) {
	case OF_SENDER:    buf_add(out, r->sender.n ? r->sender : STR("MAILER-DAEMON")); break;
	case OF_SIZE:      buf_add_u64(out, r->size); break;
	case OF_QUEUE_ID:  buf_add(out, r->queue_id); break;
	case OF_NEXTHOP:   buf_add(out, r->nexthop); break;
	case OF_PEER:      buf_add(out, r->peer); break;
	case OF_RCPT:      buf_add(out, p->address); break;
	case OF_ORIGINAL:  buf_add(out, p->original); break;
	case OF_USER:      buf_add(out, p->user); break;
	case OF_MAILBOX:   buf_add(out, p->mailbox); break;
	case OF_EXTENSION: buf_add(out, p->extension); break;
	case OF_DOMAIN:    buf_add(out, p->domain); break;
	case NAMES:        break;
	}
}

/* PIPE_EXPAND_LIMIT, or who is to blame for a word that cannot be one. */
static enum pipe_expand_err word_expand(const struct pipe_run *r, struct str word, const struct parts *p, struct buf *out)
{
	const bool   option = str_starts(word, STR("-"));
	const char  *wrong = NULL;
	struct str   text;
	enum name_id name;

	buf_clear(out);
	while (piece_take(&word, &text, &name, &wrong)) {
		if (name == NAMES)
			buf_add(out, text);
		else
			value_add(r, p, name, out);
	}
	if (wrong || out->over)
		return PIPE_EXPAND_LIMIT;
	if (str_has_ctl(buf_str(out)) || (!option && str_starts(buf_str(out), STR("-"))))
		return p ? PIPE_EXPAND_RECIPIENT : PIPE_EXPAND_SENDER;
	return PIPE_EXPAND_OK;
}

struct growing {
	struct arena *a;
	const char  **argv;
	size_t        count, octets;
};

static enum pipe_expand_err word_add(const struct pipe_run *r, struct str word, const struct parts *p, struct buf *space, struct growing *g)
{
	enum pipe_expand_err err = word_expand(r, word, p, space);

	g->octets += space->n + 1 + sizeof(char *);
	if (err == PIPE_EXPAND_OK && g->octets > LIMIT_PIPE_ARGV)
		err = PIPE_EXPAND_LIMIT;
	if (err == PIPE_EXPAND_OK)
		g->argv[g->count++] = arena_cstr(g->a, buf_str(space));
	return err;
}

enum pipe_expand_err pipe_expand(const struct pipe_run *r, struct arena *a, const char ***ret_argv, size_t *ret_bad)
{
	struct growing       g = { .a = a };
	struct parts        *parts = ARENA_ARRAY(a, struct parts, r->rcpt_count);
	enum pipe_expand_err err = PIPE_EXPAND_OK;
	struct buf           space;

	g.argv = ARENA_ARRAY(a, const char *, r->conf->command_count * MAX(r->rcpt_count, (size_t)1) + 1);
	for (size_t i = 0; i < r->rcpt_count; i++)
		parts[i] = parts_of(r, r->rcpts[i], a);
	buf_init(&space, LIMIT_PIPE_ARGV);
	for (size_t w = 0; w < r->conf->command_count && err == PIPE_EXPAND_OK; w++) {
		struct str word = r->conf->command[w].text;
		bool       of_rcpt;

		if (pipe_word_wrong(word, &of_rcpt) || !of_rcpt) {
			err = word_add(r, word, NULL, &space, &g);
			continue;
		}
		for (size_t i = 0; i < r->rcpt_count && err == PIPE_EXPAND_OK; i++) {
			err = word_add(r, word, &parts[i], &space, &g);
			*ret_bad = i;
		}
	}
	buf_done(&space);
	if (err == PIPE_EXPAND_OK)
		*ret_argv = g.argv;
	return err;
}

/* ---- environment ---- */

/* What is in no argument was not looked at there. */
static void variable_add(const char **envp, size_t *n, struct arena *a, const char *name, struct str value)
{
	if (!str_has_ctl(value))
		envp[(*n)++] = arena_cstr(a, arena_printf(a, "%s=%.*s", name, STR_FMT(value)));
}

const char **pipe_environment(const struct pipe_run *r, struct arena *a)
{
	const char **envp = ARENA_ARRAY(a, const char *, 11);
	size_t       n = 0;

	variable_add(envp, &n, a, "LANG", STR("C"));
	variable_add(envp, &n, a, "PATH", STR("/usr/local/bin:/usr/bin:/bin"));
	variable_add(envp, &n, a, "SENDER", r->sender);
	variable_add(envp, &n, a, "QUEUE_ID", r->queue_id);
	variable_add(envp, &n, a, "CLIENT_ADDRESS", r->peer);
	if (r->rcpt_count == 1) {
		struct parts p = parts_of(r, r->rcpts[0], a);

		variable_add(envp, &n, a, "RECIPIENT", p.address);
		variable_add(envp, &n, a, "ORIGINAL_RECIPIENT", p.original);
		variable_add(envp, &n, a, "LOCAL", p.user);
		variable_add(envp, &n, a, "EXTENSION", p.extension);
		variable_add(envp, &n, a, "DOMAIN", p.domain);
	}
	return envp;
}
