/* imap/imap_upload.h - one APPEND or REPLACE while it comes: shared by imap_cmd_append.c, imap_cmd_replace.c, imap_catenate.c.
 *
 *   text --imap_append_next--> mailbox found, messages begun, URLs copied --content literal--> octets into the upload --> text ...
 *        --END--> one transaction of the store: all messages or none
 *
 * What is held meanwhile: the uploads (small ones in memory, counted by net_memory_take; others are files), flags and dates in
 * s->arena, of at most LIMIT_IMAP_ARGS of text. Never a handle of the account while octets come.
 */
#ifndef IMAP_IMAP_UPLOAD_H
#define IMAP_IMAP_UPLOAD_H

#include "imap/imap_session.h"
#include "wire/imap/imap_append.h"

struct imap_message { /* one that comes */
	struct imap_message  *next;
	struct imap_flags     flags; /* in s->arena */
	bool                  dated;
	int64_t               internal_ms;
	int                   zone;
	struct store_upload  *upload;
	size_t                held; /* net_memory_take */
	uint64_t              size; /* of the content that was announced or copied */
	bool                  nul;  /* there is one in it */
};

struct imap_upload {
	struct imap_append   reader;
	size_t               at;   /* octets of s->text that were read */
	uint64_t             args; /* of all texts before this one */
	struct str           given, name; /* of the mailbox: as the client wrote it, and as we keep it; in s->arena */
	uint64_t             mailbox;
	struct imap_message *first, *last;
	size_t               count, parts;
	uint64_t             octets; /* of all messages */
	bool                 binary; /* the literal at hand may hold NUL */
	bool                 nul;    /* and holds one although it may not */
	enum status          failed; /* of the store, while octets came */
	bool                 replace; /* REPLACE: when all is there, this message of the selected mailbox goes */
	uint32_t             uid;
};

/* A command begins, at c->x behind its name. REPLACE takes its number first, APPEND goes on with the mailbox. */
struct imap_upload *imap_upload_new(struct imap_session *s);
/* The last message has one piece more, a literal or what a URL names: WAIT, or the answer. */
enum imap_next imap_upload_part(struct imap_session *s);
/* `n` more octets of content of the last message are to come: is there room? WAIT, or the answer. */
enum imap_next imap_upload_more(struct imap_session *s, uint64_t n);
/* Octets into the last message; the status to end with. */
enum status imap_upload_write(struct imap_upload *u, struct str octets);

/* It is committed: others are told, and a client that wrote the mailbox's name otherwise. */
void imap_upload_stored(struct imap_session *s, const struct store_added *added);

/* Copy what the URL names to the end of the last message: WAIT, or the answer (imap_catenate.c, RFC 4469). */
enum imap_next imap_catenate_url(struct imap_session *s, struct str url);

/* REPLACE's number or uid off the cursor: WAIT, or the answer. */
enum imap_next imap_replace_begin(struct imap_session *s, struct imap_command *c, struct imap_upload *u);
/* The last step of REPLACE. */
enum imap_next imap_replace_store(struct imap_session *s, struct imap_upload *u, const struct store_new_message *message);

#endif
