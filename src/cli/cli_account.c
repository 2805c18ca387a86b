/* cli/cli_account.c - see cli_account.h. */
#include "cli/cli_account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/msg_auth.h"
#include "sys/fd.h"

struct list {
	struct cli         *c;
	struct cli_account *rows;
	size_t              count, cap;
};

static void add(struct list *l, uint64_t id, struct str name)
{
	if (l->count == l->cap) {
		size_t              cap = l->cap ? l->cap * 2 : 64;
		struct cli_account *rows = ARENA_ARRAY(l->c->arena, struct cli_account, cap);

		if (l->count > 0)
			memcpy(rows, l->rows, l->count * sizeof(*rows));
		l->rows = rows;
		l->cap = cap;
	}
	l->rows[l->count++] = (struct cli_account){ id, arena_cstr(l->c->arena, name) };
}

/* Ask auth, whoever that is. */
static int pages(struct list *l, const char *address)
{
	struct auth_list_request q = { .after = STR("") };
	struct str               want = str_of(address ? address : ""), local;
	bool                     more = true;

	if (address && !str_cut(want, '@', &local, &q.domain))
		return cli_error(l->c, CLI_USAGE, "%s: neither an address nor the number of an account", address);
	while (more) {
		struct auth_account_list_reply page = { 0 };
		int                            code = cli_ask(l->c, IPC_AUTH_ACCOUNT_LIST, &q, &page, address ? address : "accounts");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.account_count; i++) {
			if (!address || str_ieq(page.accounts[i].address, want))
				add(l, page.accounts[i].account, page.accounts[i].address);
			q.after = page.accounts[i].address;
		}
		more = page.more && page.account_count > 0 && !(address && l->count > 0);
	}
	return address && l->count == 0 ? cli_error(l->c, CLI_NOT_FOUND, "%s: no such account", address) : CLI_OK;
}

/* In the child: tell the rows, as lines. */
static int child(struct cli *c, const char *address, int fd)
{
	struct list l = { .c = c };
	int         code = pages(&l, address);
	FILE       *out = fdopen(fd, "w");

	if (!out)
		return CLI_FAILED;
	for (size_t i = 0; i < l.count && code == CLI_OK; i++)
		fprintf(out, "%llu %s\n", (unsigned long long)l.rows[i].id, l.rows[i].name);
	return fclose(out) == 0 ? code : CLI_FAILED;
}

static int by_child(struct list *l, const char *address)
{
	int   ends[2], state;
	char  line[LIMIT_ADDRESS + 32];
	FILE *in;
	pid_t pid;

	fflush(NULL);
	if (pipe(ends) != 0 || (pid = fork()) < 0)
		return cli_error(l->c, CLI_FAILED, "no process could be made");
	if (pid == 0) {
		close(ends[0]);
		exit(child(l->c, address, ends[1]));
	}
	close(ends[1]);
	in = fdopen(ends[0], "r");
	while (in && fgets(line, sizeof(line), in)) {
		struct str id, name, text = str_of(line);
		uint64_t   n;

		if (str_cut(str_first(text, text.n - 1), ' ', &id, &name) && str_to_u64(id, &n))
			add(l, n, name);
	}
	if (in)
		fclose(in);
	if (waitpid(pid, &state, 0) != pid || !WIFEXITED(state))
		return cli_error(l->c, CLI_FAILED, "the directory could not be read");
	return WEXITSTATUS(state);
}

int cli_accounts(struct cli *c, const char *address, struct cli_account **ret, size_t *ret_count)
{
	struct list                    l = { .c = c };
	struct auth_list_request       q = { .after = STR("") };
	struct auth_account_list_reply page = { 0 };
	uint64_t                       id;
	int                            code = cli_config(c);

	if (code != CLI_OK)
		return code;
	if (address && str_to_u64(str_of(address), &id) && id > 0 && id <= INT64_MAX)
		add(&l, id, str_of(address));
	else if (cli_ask_server(c, IPC_AUTH_ACCOUNT_LIST, &q, &page) == ST_CLOSED)
		code = by_child(&l, address);
	else
		code = pages(&l, address);
	*ret = l.rows;
	*ret_count = l.count;
	return code;
}
