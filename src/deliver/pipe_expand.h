/* deliver/pipe_expand.h - the words of a pipe's command for one run.
 *
 *   word      = *( "${" name "}" / "$$" / any octet but "$" )
 *   name      = sender, size, queue_id, nexthop, client_address               of the message
 *             / recipient, original_recipient, user, mailbox, extension, domain    of a recipient
 *
 * Each word stays one argument, whatever is in the address: nothing splits, quotes or interprets it. A word that names something of a
 * recipient becomes one argument for each recipient. An empty sender is "MAILER-DAEMON". Addresses are as on the wire, local parts alone (user,
 * mailbox, extension) without their quotes; mailbox is the whole local part, user and extension what the subaddress separators cut it into.
 *
 * An argument that begins with "-" though the word does not would be taken for an option: refused, and so is one with a control character.
 *
 * Pure. Tests: tests/unit/test_pipe_expand.c, tests/fuzz/fuzz_pipe_expand.c.
 */
#ifndef DELIVER_PIPE_EXPAND_H
#define DELIVER_PIPE_EXPAND_H

#include "deliver/pipe_conf.h"
#include "ipc/msg_pipe.h"

struct pipe_run { /* what a run is about; slices are borrowed */
	const struct pipe_conf  *conf;
	uint32_t                 flags; /* of the conf, parsed */
	const struct pipe_rcpt **rcpts;
	size_t                   rcpt_count;
	struct str               sender, queue_id, nexthop, peer, separators;
	uint64_t                 size;
};

enum pipe_expand_err {
	PIPE_EXPAND_OK,
	PIPE_EXPAND_SENDER,    /* its address cannot be an argument */
	PIPE_EXPAND_RECIPIENT, /* that of recipient *ret_bad cannot */
	PIPE_EXPAND_LIMIT,     /* too many octets for one run */
};

/* NULL if the word is in the grammar; else what is wrong, as a static text. *ret_rcpt: it names something of a recipient. */
const char *pipe_word_wrong(struct str word, bool *ret_rcpt);

/* The arguments, NULL-ended, in `a`. The command was checked (pipe_conf_wrong). */
MUST_CHECK enum pipe_expand_err pipe_expand(const struct pipe_run *r, struct arena *a, const char ***ret_argv, size_t *ret_bad);
/* The environment of a run that pipe_expand() took: LANG, PATH, SENDER, QUEUE_ID, CLIENT_ADDRESS, and with one recipient RECIPIENT,
 * ORIGINAL_RECIPIENT, LOCAL, EXTENSION, DOMAIN. SENDER is empty for the null reverse-path. */
const char **pipe_environment(const struct pipe_run *r, struct arena *a);
/* The recipient's address, folded as the flags say; in `a`. */
struct str pipe_address(const struct pipe_run *r, const struct pipe_rcpt *rcpt, struct arena *a);

#endif
